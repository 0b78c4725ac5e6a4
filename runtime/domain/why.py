"""Why: one card a slot - what the hour saw, what it decided, what it did, and what it did not do and why not.

The worked problem: an operator asks in March why nothing was bought on a day in January, with a telephone in his hand.
The report of that hour lies on a runner that is gone, so a card is kept with the slot's own document in the store. It
is made of the report as it is written down, never of the hour itself: the card of a file and the card of the store are
the same card. What would have to change follows from a gate's name and the numbers it compared, so the card holds
those, and `domain.why_text` words them.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runtime.domain.documents import from_json, to_json
from runtime.domain.orders import Sleeve
from runtime.domain.values import Value
from runtime.errors import BadPayload, StateUnreadable

CARD_BYTES_MAX = 1_000_000
"""What a packed card may unpack to: a card has some kilobytes, and more was not packed here."""
_SLEEVES = [sleeve.value for sleeve in Sleeve]
_AVERAGES = ("sma20", "sma60", "sma200")
FIGURES = ("equity", "drawdown", "btc_price", "close", "ma200", "ma200_slope", "zscore", "sell_trigger", "ahr999")
"""What an hour sees beside its pool, in the order of reading; amounts in USDT, the last close and so on bitcoin's."""


@dataclass(frozen=True, slots=True)
class Source(metaclass=Value):
    """Where the pool came from."""

    rung: str = ""
    version: str = ""
    as_of_date: str = ""
    age_days: str = ""
    degraded: bool = False
    pool: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged(metaclass=Value):
    """A symbol of the pool as it was judged; figures as text, empty = none; `failed` are the conditions not met."""

    symbol: str
    rank: str = ""
    score: str = ""
    momentum: str = ""
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice(metaclass=Value):
    """One thing decided: `what` is select, exit, dca, earn or fuel; `size` a fraction, for dca a multiplier."""

    what: str
    symbol: str = ""
    size: str = ""
    reason: str = ""
    numbers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deed(metaclass=Value):
    """An order or an Earn move, with what became of it: `quantity` base units, `value` USDT."""

    move: str
    symbol: str
    quantity: str
    value: str
    status: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class HeldBack(metaclass=Value):
    """One trade that was not made: the gate that stopped it, and the numbers that it compared."""

    sleeve: str
    gate: str
    symbol: str = ""
    numbers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card(metaclass=Value):
    """One slot. `saw` are figures by name, amounts in USDT; texts as the report has them, so foreign ones too."""

    slot: str
    mode: str
    account: str
    status: str
    exit_code: int
    error: str = ""
    control: str = "run"
    missed: int = 0
    source: Source | None = None
    regime_on: bool | None = None
    saw: Mapping[str, str] = field(default_factory=dict)
    judged: tuple[Judged, ...] = ()
    decided: tuple[Choice, ...] = ()
    did: tuple[Deed, ...] = ()
    held: tuple[HeldBack, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)
    report_sha256: str = ""


def card_of(report: Mapping[str, Any]) -> Card:
    """The card of a report's document; `BadPayload` where it is not one."""
    try:
        decision = report.get("decision") or {}
        return Card(
            slot=str(report["slot"]),
            mode=str(report["mode"]),
            account=str(report["account"]),
            status=str(report["status"]),
            exit_code=int(report["exit_code"]),
            error=str(report.get("error", "")),
            control=str(report.get("control", "run")),
            missed=len(report.get("missed", ())),
            source=_source(report.get("pool")),
            regime_on=decision.get("regime_on"),
            saw=dict(_saw(report)),
            judged=tuple(_judged(decision)),
            decided=tuple(_decided(decision)),
            did=(*map(_order, report.get("orders", ())), *map(_move, report.get("earn_moves", ()))),
            held=tuple(sorted(_held(report, decision), key=_place)),
            problems={str(name): str(why) for name, why in report.get("problems", {}).items()},
            report_sha256=str(report.get("sha256", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadPayload("report", f"{type(error).__name__}: {error}", "must be a report as an hour wrote it") from None


def packed(card: Card) -> str:
    """The card as the slot's document keeps it."""
    return base64.b64encode(zlib.compress(to_json(card).encode(), 9)).decode()


def unpacked(text: str, slot: str) -> Card:
    """The card that was packed; `StateUnreadable` where it is damaged."""
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.b64decode(text, validate=True), CARD_BYTES_MAX)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise StateUnreadable(f"card of {slot}: {error}") from None
    if not unpacker.eof:
        raise StateUnreadable(f"card of {slot}: cut short, or larger than {CARD_BYTES_MAX} bytes")
    return from_json(Card, data, f"card of {slot}", required=("slot", "status", "held"))


def _text(value: object) -> str:
    """A figure of a report as text; empty for none. What was a float there is cut to six digits."""
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _source(pool: Mapping[str, Any] | None) -> Source | None:
    if pool is None:
        return None
    plain = {name: _text(pool.get(name)) for name in ("rung", "version", "as_of_date", "age_days")}
    return Source(**plain, degraded=bool(pool.get("degraded")), pool=tuple(pool.get("execution_pool", ())))


def _saw(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    equity, bitcoin = report.get("equity") or {}, (report.get("indicators") or {}).get("btc") or {}
    found = {
        "equity": equity.get("total"),
        "drawdown": report.get("drawdown") if equity else None,
        "btc_price": report.get("btc_price"),
        **{name: bitcoin.get(name) for name in FIGURES if name in bitcoin},
        "ahr999": (report.get("ahr999") or {}).get("value"),
    }
    yield from ((name, _text(value)) for name, value in found.items() if value is not None)


def _judged(decision: Mapping[str, Any]) -> Iterator[Judged]:
    for found in decision.get("candidates", ()):
        figures = {name: _text(found.get(name)) for name in ("rank", "score", "momentum")}
        yield Judged(str(found["symbol"]), **figures, failed=tuple(found["failed"]))


def _decided(decision: Mapping[str, Any]) -> Iterator[Choice]:
    for target in decision.get("targets", ()):
        yield Choice("select", str(target["symbol"]), _text(target["weight"]))
    for leaving in decision.get("exits", ()):
        numbers = {str(name): _text(value) for name, value in leaving["numbers"].items()}
        yield Choice("exit", str(leaving["symbol"]), _text(leaving["fraction"]), str(leaving["reason"]), numbers)
    if dca := decision.get("dca"):
        numbers = {"ahr999": _text(dca["ahr999"]), "base": _text(dca["base_order"])}
        yield Choice("dca", "BTCUSDT", _text(dca["multiplier"]), "dca", numbers)
    yield from (Choice(name) for name in ("earn", "fuel") if decision.get(name))


def _order(order: Mapping[str, Any]) -> Deed:
    traded = order.get("order_id") is not None
    return Deed(
        str(order["side"]),
        str(order["symbol"]),
        _text(order["executed_quantity"] if traded else order["quantity"]),
        _text(order["quote_quantity"]) if traded else "",
        str(order["status"]),
        str(order["reason"]),
        str(order["detail"]),
    )


def _move(move: Mapping[str, Any]) -> Deed:
    amount = _text(move["amount"])
    return Deed(
        str(move["kind"]), str(move["asset"]), amount, amount, str(move["status"]), str(move["reason"]),
        str(move["detail"])
    )  # fmt: skip


def _held(report: Mapping[str, Any], decision: Mapping[str, Any]) -> Iterator[HeldBack]:
    indicators = report.get("indicators") or {}
    judged = {str(c["symbol"]): c for c in decision.get("candidates", ())}
    for sleeve, named in report.get("gates", {}).items():
        for gate, same in named.items():
            for found in same:
                symbol, numbers = str(found["symbol"]), {str(k): _text(v) for k, v in found["numbers"].items()}
                failed = numbers.get("failed", "").split()
                numbers |= _behind(failed, symbol, indicators, judged.get(symbol) or {})
                yield HeldBack(str(sleeve), str(gate), symbol, numbers)


def _place(held: HeldBack) -> tuple[int, str, str]:
    """The order of a card: a file does not keep that of a report."""
    return _SLEEVES.index(held.sleeve) if held.sleeve in _SLEEVES else len(_SLEEVES), held.gate, held.symbol


def _behind(
    failed: Sequence[str], symbol: str, indicators: Mapping[str, Any], candidate: Mapping[str, Any]
) -> dict[str, str]:
    """The figures behind the conditions that a candidate failed: what was compared with what."""
    known, bitcoin = (indicators.get("symbols") or {}).get(symbol) or {}, indicators.get("btc") or {}
    wanted: dict[str, Any] = {}
    if averages := [name for name in failed if name in _AVERAGES]:
        wanted |= {name: known.get(name) for name in ("close", *averages)}
    if "momentum" in failed:
        wanted["momentum"] = candidate.get("momentum")
    if "regime" in failed:
        wanted |= {f"btc_{name}": bitcoin.get(name) for name in ("close", "ma200", "ma200_slope")}
    wanted |= {f: known.get(name) for f, name in (("vol20", "vol20"), ("age", "age_days")) if f in failed}
    return {name: _text(value) for name, value in wanted.items() if value is not None}
