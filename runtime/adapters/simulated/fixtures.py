"""Fixtures: one hour's input written by hand, indicators included, so that its decision can be worked out on paper.

A fixture is a folder with `fixture.json`. Amounts and prices are decimals *as text*; indicators are numbers, and one
that is left out or null is unknown. Without candles the price stands for the last close.

    about        what it shows (optional)                 pool        the upstream document, as it would be read
    now          the UTC hour, 2026-03-15T00              btc         indicators of Bitcoin (domain.market.BtcFacts)
    account      spot balances, asset: amount             symbols     pair: indicators (domain.market.SymbolFacts)
    earn         flexible positions, asset: amount        steps       pair: lot step in base units; others as listed
    prices       pair: USDT per unit                      conditions  what an order pays: fee, spread_bps, ...

Whatever else is in it, or misspelt, or not a number, is refused with its path and value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from runtime.adapters.simulated.conditions import Costs
from runtime.adapters.simulated.documents import read_object
from runtime.adapters.simulated.listing import derived
from runtime.domain.instruments import Instrument
from runtime.domain.market import BtcFacts, Candle, Facts, SymbolFacts
from runtime.domain.money import ZERO, parse_decimal
from runtime.domain.pool import Rung
from runtime.domain.slots import MINUTE_MS, parse_slot, slot_start_ms
from runtime.errors import BadInput, BadPayload, Rejected, Unavailable
from runtime.ports import Clock

KNOWN_ANSWER = Path(__file__).with_name("fixtures_data") / "known_answer"

MOMENT_MS = 15 * MINUTE_MS


def _exact(value: object) -> Decimal:
    try:
        return parse_decimal(value, "amount")
    except BadInput as error:
        raise ValueError(error.fix) from None


def _slot(text: str) -> str:
    try:
        return parse_slot(text)
    except BadInput as error:
        raise ValueError(error.fix) from None


Amount = Annotated[Decimal, BeforeValidator(_exact), Field(ge=0, le=Decimal(10) ** 15)]
Price = Annotated[Decimal, BeforeValidator(_exact), Field(gt=0, le=Decimal(10) ** 12)]
Step = Annotated[Decimal, BeforeValidator(_exact), Field(gt=0, le=Decimal(10) ** 8, decimal_places=8)]
Asset = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,20}$")]
Pair = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,20}USDT$")]
Number = Annotated[float | None, Field(strict=True, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BtcIndicators(_Part):
    """Bitcoin's snapshot as `domain.market.BtcFacts` has it: quote units and fractions; null is unknown."""

    close: Number = None
    ma200: Number = None
    ma200_slope: Number = None
    zscore: Number = None
    sell_trigger: Number = None
    geom200: Number = None
    cost200: Number = None
    ahr999: Number = None
    roc20: Number = None
    roc60: Number = None
    roc120: Number = None
    zscore_days: Annotated[int, Field(strict=True, ge=0)] = 0


class SymbolIndicators(_Part):
    """One symbol's indicators as `domain.market.SymbolFacts` has them: quote units and fractions; null is unknown."""

    close: Number = None
    sma20: Number = None
    sma60: Number = None
    sma200: Number = None
    roc20: Number = None
    roc60: Number = None
    roc120: Number = None
    vol20: Number = None
    atr14: Number = None
    avg_quote_vol_30: Number = None
    avg_quote_vol_90: Number = None
    avg_quote_vol_180: Number = None
    trend_persist_90: Number = None
    age_days: Annotated[int | None, Field(strict=True, ge=0)] = None


class FixtureConditions(_Part):
    """What an order pays (`conditions.Costs`): `fee` is a fraction, spread and slippage are basis points."""

    fee: Annotated[Amount, Field(lt=1)] = Decimal("0.001")
    spread_bps: Annotated[Amount, Field(lt=10_000)] = ZERO
    slippage_bps: Annotated[Amount, Field(lt=10_000)] = ZERO
    bnb_discount: Annotated[bool, Field(strict=True)] = False


class Fixture(_Part):
    """The whole document, checked."""

    about: str = ""
    now: Annotated[str, AfterValidator(_slot)]
    account: dict[Asset, Amount]
    earn: dict[Asset, Amount] = {}
    prices: dict[Pair, Price]
    pool: dict[str, Any] | None
    btc: BtcIndicators | None
    symbols: dict[Pair, SymbolIndicators]
    steps: dict[Pair, Step] = {}
    conditions: FixtureConditions = FixtureConditions()

    @property
    def now_ms(self) -> int:
        """The moment of the fixture (epoch ms): 15 minutes into its hour, when Earn is open even after midnight."""
        return slot_start_ms(self.now) + MOMENT_MS

    @property
    def costs(self) -> Costs:
        """The conditions as the simulated exchange takes them."""
        return Costs(**self.conditions.model_dump())

    def facts(self) -> Facts:
        """The indicators as the strategy takes them; `missing` names what the fixture leaves out."""
        symbols = {symbol: SymbolFacts(**given.model_dump()) for symbol, given in self.symbols.items()}
        missing = {
            symbol: "the fixture leaves indicators out" for symbol, facts in symbols.items() if not facts.complete
        }
        if self.btc is None:
            return Facts(None, symbols, {**missing, "BTCUSDT": "the fixture leaves Bitcoin out"})
        return Facts(BtcFacts(**self.btc.model_dump()), symbols, missing)


def load_fixture(directory: Path) -> Fixture:
    """The fixture in `directory`; `Unavailable` if there is none, `BadPayload` with the path of every fault."""
    path = directory / "fixture.json"
    document = read_object(path)
    try:
        return Fixture.model_validate(document)
    except ValidationError as error:
        raise _refusal(path, error) from None


def _refusal(path: Path, error: ValidationError) -> BadPayload:
    first, *others = error.errors(include_url=False, include_context=False)
    fix = first["msg"].removeprefix("Value error, ")
    if others:
        fix += "; also: " + ", ".join(_path(other["loc"]) for other in others)
    shown = None if first["type"] == "missing" else first["input"]
    return BadPayload(f"{path} {_path(first['loc'])}", shown, fix)


def _path(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc)


class FixtureMarket:
    """`MarketData` of a fixture: its prices, its steps, and no candles."""

    def __init__(self, fixture: Fixture, clock: Clock) -> None:
        """`clock` should start at `fixture.now_ms`."""
        self._fixture, self._clock = fixture, clock

    def server_time_ms(self) -> int:
        return self._clock.now_ms()

    def prices(self) -> Mapping[str, Decimal]:
        return dict(self._fixture.prices)

    def instruments(self, symbols: Sequence[str]) -> tuple[int, Mapping[str, Instrument]]:
        steps = self._fixture.steps
        found = {s: derived(s, self._price(s, "exchangeInfo"), step=steps.get(s)) for s in symbols}
        return self._clock.now_ms(), found

    def candles(self, symbol: str, interval: str, start_ms: int | None, limit: int) -> Sequence[Candle]:  # noqa: ARG002 - the port's; a fixture has none
        self._price(symbol, "klines")
        return []

    def _price(self, symbol: str, what: str) -> Decimal:
        price = self._fixture.prices.get(symbol)
        if price is None:
            raise Rejected(f"{what} {symbol}", -1121, "Invalid symbol.")
        return price


class FixturePoolSource:
    """The upstream rung of a fixture: the document written in it."""

    rung = Rung.FRESH_UPSTREAM
    where = "fixture.json pool"

    def __init__(self, fixture: Fixture) -> None:
        """A fixture without a pool (null) is an upstream that does not answer."""
        self._pool = fixture.pool

    def read(self) -> Mapping[str, Any]:
        if self._pool is None:
            raise Unavailable(self.where, "the fixture holds no pool")
        return self._pool
