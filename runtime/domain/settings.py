"""The numbers of the strategy and the ladder: one named, validated, overridable setting each (no environment here)."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationInfo, field_validator

Fraction = Annotated[Decimal, Field(ge=0, le=1)]
Positive = Annotated[Decimal, Field(gt=0)]
NotNegative = Annotated[Decimal, Field(ge=0)]
TierName = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]  # `+` and `:` separate tiers in an order's reason
Days = Annotated[int, Field(ge=1, le=3650)]


class Frozen(BaseModel):
    """A validated value: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LadderSettings(Frozen):
    """What the pool contract accepts. Ages are days."""

    max_age_days: Days = 45
    lkg_max_age_days: Days = 120
    acceptable_modes: tuple[str, ...] = ("core_major",)
    expected_size: Annotated[int, Field(ge=1, le=50)] = 5
    allow_new_entries_on_degraded: bool = False


class StrategySettings(Frozen):
    """Every number of `crypto_live_pool_rotation`. Money is USDT, ratios are fractions, days are UTC days."""

    # allocation
    btc_ratio_base: Fraction = Decimal("0.14")
    btc_ratio_slope: NotNegative = Decimal("0.16")
    btc_ratio_scale: Positive = Decimal(10_000)
    btc_ratio_max: Fraction = Decimal("0.65")
    btc_order_min: Positive = Decimal(15)
    btc_order_ratio: Fraction = Decimal("0.0012")
    # trend rotation
    top_n: Annotated[int, Field(ge=1, le=20)] = 2
    exit_rank: Annotated[int, Field(ge=1, le=50, validate_default=True)] = 4
    score_weights: tuple[FiniteFloat, FiniteFloat, FiniteFloat] = (0.5, 0.3, 0.2)
    atr_multiple: Annotated[float, Field(gt=0, le=20)] = 2.5
    atr_smoothing: Literal["sma", "wilder"] = "sma"
    min_age_days: Days = 200
    max_symbol_ratio: Fraction = Decimal("0.50")
    # sizes
    buy_min: Positive = Decimal(15)
    top_up_ratio: Fraction = Decimal("0.10")
    spend_ratio: Annotated[Decimal, Field(gt=0, lt=1)] = Decimal("0.985")
    dust: NotNegative = Decimal(5)
    # bitcoin
    ahr999_cost: Literal["geometric", "arithmetic", "harmonic", "cost_only"] = "geometric"
    dca_bands: tuple[tuple[FiniteFloat, Annotated[int, Field(ge=0)]], ...] = ((0.45, 5), (0.8, 2), (1.2, 1))
    zscore_floor: Annotated[FiniteFloat, Field(ge=0)] = 2.5
    zscore_quantile: Annotated[float, Field(gt=0, lt=1)] = 0.95
    trim_value_min: NotNegative = Decimal(20)
    trim_tiers: tuple[tuple[TierName, FiniteFloat, Fraction], ...] = (
        ("trigger", 0.0, Decimal("0.10")),
        ("z4", 4.0, Decimal("0.30")),
        ("z5", 5.0, Decimal("0.50")),
    )
    trim_reset_days: Days = 20
    # earn and fuel
    earn_ratio: Fraction = Decimal("0.05")
    earn_spot_min: NotNegative = Decimal(50)
    earn_spot_max: Annotated[NotNegative, Field(validate_default=True)] = Decimal(300)
    earn_dead_band: NotNegative = Decimal(5)
    fuel_min: NotNegative = Decimal(10)
    fuel_order: Annotated[Positive, Field(validate_default=True)] = Decimal(15)
    # loss limits
    breaker_loss: Fraction = Decimal("0.05")
    breaker_vol_multiple: NotNegative = Decimal(2)
    breaker_cooldown_days: Days = 3
    breaker_trips_max: Annotated[int, Field(ge=1)] = 3
    breaker_trips_days: Days = 30
    account_day_loss: Fraction = Decimal("0.08")
    account_drawdown: Fraction = Decimal("0.25")
    alert_levels: tuple[Decimal, ...] = (Decimal("0.5"), Decimal("0.8"))
    order_ratio_max: Fraction = Decimal("0.50")
    buys_day_ratio_max: NotNegative = Decimal("1.0")
    order_volume_ratio_max: Fraction = Decimal("0.001")
    # trust in prices
    price_age_max_s: Annotated[int, Field(ge=1)] = 60
    price_jump_max: Fraction = Decimal("0.40")

    @field_validator("dca_bands")
    @classmethod
    def _bands_rise(cls, bands: tuple[tuple[float, int], ...]) -> tuple[tuple[float, int], ...]:
        if any(bounds <= before for (before, _), (bounds, _) in pairwise(bands)):
            raise ValueError("bounds must rise: the first band above the value counts")
        return bands

    @field_validator("trim_tiers")
    @classmethod
    def _tiers_rise(cls, tiers: tuple[tuple[str, float, Decimal], ...]) -> tuple[tuple[str, float, Decimal], ...]:
        if any(above <= before for (_, before, _), (_, above, _) in pairwise(tiers)):
            raise ValueError("tiers must rise: the last one below the z-score counts")
        if not tiers or tiers[0][1] > 0 or len({name for name, _, _ in tiers}) < len(tiers):
            raise ValueError(
                "the first tier must begin at 0, where the trigger alone decides, and each have its own name"
            )
        return tiers

    @field_validator("exit_rank")
    @classmethod
    def _exit_is_no_tighter_than_entry(cls, rank: int, info: ValidationInfo) -> int:
        if rank < info.data.get("top_n", 0):
            raise ValueError(f"must be at least top_n ({info.data['top_n']}): a symbol just bought would be sold")
        return rank

    @field_validator("earn_spot_max")
    @classmethod
    def _spot_target_has_room(cls, most: Decimal, info: ValidationInfo) -> Decimal:
        if most < info.data.get("earn_spot_min", most):
            raise ValueError(f"must be at least earn_spot_min ({info.data['earn_spot_min']})")
        return most

    @field_validator("fuel_order")
    @classmethod
    def _fuel_can_be_bought(cls, order: Decimal, info: ValidationInfo) -> Decimal:
        if order < info.data.get("buy_min", order):
            raise ValueError(f"must be at least buy_min ({info.data['buy_min']}): no smaller purchase is planned")
        return order
