"""One report with something in every section: an hour in which much happened, and most of it was awkward."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from runtime.domain.alerts import AlertKind, new_alert
from runtime.domain.decision import Candidate, Dca, Decision, Exit, ExitReason, Gate, Target
from runtime.domain.ladder import Tried
from runtime.domain.market import BtcFacts, Facts, SymbolFacts
from runtime.domain.orders import Fill, Intent, Kind, Order, Side, Sleeve, Status
from runtime.domain.pool import Rung
from runtime.domain.report import CycleStatus, Equity, Holding, PoolReport, Report

SLOT = "2026-11-21T09Z"
POOL = ("ETHUSDT", "SOLUSDT", "LINKUSDT", "AVAXUSDT", "LTCUSDT")


def order_of(intent_id: str, symbol: str, side: Side, quantity: str, price: str) -> Order:
    qty, unit = Decimal(quantity), Decimal(price)
    fill = Fill(7, unit, qty, Decimal("0.00041"), "BNB")
    return Order(symbol, 991, intent_id, side, "FILLED", qty, qty * unit, 1_795_251_615_000, (fill,))


def an_intent(symbol: str, side: Side, reason: str, status: Status = Status.DONE, **more: object) -> Intent:
    values: dict[str, object] = {
        "id": f"bp12345-26112109-{side[0]}0-{symbol}",
        "slot": SLOT,
        "kind": Kind.ORDER,
        "sleeve": Sleeve.TREND,
        "symbol": symbol,
        "side": side,
        "quantity": Decimal("1.5"),
        "reason": reason,
        "recorded_ms": 1_795_251_612_000,
        "send_before_ms": 1_795_251_800_000,
        "decision_price": Decimal("171.2"),
        "status": status,
    }
    return Intent(**{**values, **more})  # type: ignore[arg-type]


def a_pool() -> PoolReport:
    return PoolReport(
        rung=Rung.LAST_KNOWN_GOOD,
        version="2026-11-01-core_major",
        as_of_date=date(2026, 11, 1),
        age_days=20,
        degraded=True,
        degraded_cycles=5,
        upstream_order=(*POOL[:4], "XYZUSDT"),
        execution_pool=POOL[:4],
        tried=(
            Tried(
                Rung.FRESH_UPSTREAM, "firestore strategy/LIVE", accepted=False, why="as_of_date: '2026-09-01' - too old"
            ),
            Tried(Rung.LAST_KNOWN_GOOD, "state", accepted=True, why="as of 2026-11-01, 20 days old (at most 120)"),
        ),
        notes=("XYZUSDT is not listed at the exchange",),
    )


def a_decision() -> Decision:
    return Decision(
        slot=SLOT,
        equity=Decimal("10234.5678"),
        btc_target_ratio=Decimal("0.2529"),
        trend_target_ratio=Decimal("0.7471"),
        btc_base_order=Decimal(15),
        regime_on=True,
        candidates=(
            Candidate("ETHUSDT", 3.14159265358979, 0.21, (), 1),
            Candidate("SOLUSDT", 1.5, 0.1, (), 2),
            Candidate("LINKUSDT", -0.25, 0.05, ("sma20", "relative_score")),
            Candidate("AVAXUSDT", None, None, ("indicators",)),
        ),
        targets=(Target("ETHUSDT", Decimal("0.55")), Target("SOLUSDT", Decimal("0.45"))),
        exits=(
            Exit(Sleeve.TREND, "LTCUSDT", ExitReason.TRAILING_STOP, numbers={"price": "81.25", "stop": "83.100000001"}),
        ),
        dca=Dca(2, Decimal(15), 0.61234567891234, "geometric"),
    )


def a_report() -> Report:
    sold = an_intent(
        "LTCUSDT", Side.SELL, "trailing_stop", order=order_of("x", "LTCUSDT", Side.SELL, "12.345", "81.25")
    )
    unknown = an_intent("BTCUSDT", Side.BUY, "dca", Status.UNKNOWN, detail="timed out", sleeve=Sleeve.BTC_CORE)
    moved = an_intent("USDT", Side.SELL, "earn_buffer", kind=Kind.REDEEM, quantity=Decimal("250.5"), sleeve=Sleeve.CASH)
    earlier = an_intent("SOLUSDT", Side.BUY, "entry", Status.ABSENT, slot="2026-11-21T08Z", detail="proved absent")
    return Report(
        slot=SLOT,
        mode="live",
        account="main",
        status=CycleStatus.FAILED_ORDERS,
        exit_code=4,
        error="1 order is unknown",
        control="reduce_only",
        missed=("2026-11-21T07Z",),
        pool=a_pool(),
        equity=Equity(
            cash_spot=Decimal("301.005"), cash_earn=Decimal(4000), trend=Decimal("4433.5628"), btc=Decimal(1500)
        ),
        holdings=(
            Holding(symbol="ETHUSDT", sleeve=Sleeve.TREND, quantity=Decimal("1.47789"), price=Decimal("2999.93"),
                    average=Decimal("2801.123456"), value=Decimal("4433.5628"), share=Decimal("0.4332"),
                    target=Decimal("0.4109")),
            Holding(symbol="BTCUSDT", sleeve=Sleeve.BTC_CORE, quantity=Decimal("0.01666666"), price=Decimal("90000.1"),
                    average=Decimal("64250.12"), value=Decimal(1500), share=Decimal("0.14656"),
                    target=Decimal("0.2529")),
            Holding(symbol="DOGEUSDT", sleeve=Sleeve.TREND, quantity=Decimal("0.7"), price=None, average=None,
                    value=Decimal(0), share=Decimal(0), managed=False),
        ),
        index=Decimal("1.0823456"),
        drawdown=Decimal("0.0312"),
        decision=a_decision(),
        gates=(
            Gate("degraded_source", Sleeve.TREND, "", {"source": "last_known_good", "age_days": "20"}),
            Gate("not_selected", Sleeve.TREND, "LINKUSDT"),
            Gate("not_selected", Sleeve.TREND, "AVAXUSDT", {"rank": "3"}),
            Gate("unknown_order", Sleeve.BTC_CORE, "BTCUSDT"),
            Gate("a_gate_of_tomorrow", Sleeve.BTC_CORE, "", {"seen": "1.23456789012", "limit": "2"}),
        ),
        intents=(moved, sold, unknown),
        recovered=(earlier,),
        facts=Facts(
            BtcFacts(90000.123456789012, 80000.5, 0.0123456789012345, 1.5, 2.5, cost200=70000.0),
            {"ETHUSDT": SymbolFacts(3000.0, sma20=2900.1234567891234), "AVAXUSDT": SymbolFacts(None)},
            {"AVAXUSDT": "too few days"},
        ),
        ahr999=0.61234567891234,
        ahr999_variant="geometric",
        problems={"AVAXUSDT candles": "2 candle(s) missing after 1795132800000"},
        drift={"ETH": Decimal("-0.01")},
        alerts=(
            new_alert(AlertKind.ORDER_UNKNOWN, SLOT, {"symbol": "BTCUSDT"}, subject="BTCUSDT"),
            new_alert(AlertKind.DEGRADED_SOURCE, SLOT, {"source": "last_known_good"}),
        ),
        suppressed={"orders": 2},
        usage={"calls": 14, "weight": 210},
        timings_ms={"snapshot": 1234},
        places={"state": "strategy/MULTI_ASSET_STATE", "tape": "var/tapes/2026-11-21T09Z.jsonl"},
    )  # fmt: skip
