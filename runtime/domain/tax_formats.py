"""Tax formats: the whole history as one list of transactions, for programs that reckon the tax themselves.

    generic        one line a transaction, for any program and any eye
    koinly         Koinly's universal template
    cointracking   CoinTracking's CSV import

A fee taken from one side of a trade is within that side: 0.19 ETH bought with a fee of 0.00019 ETH are 0.18981 ETH
received. So says CoinTracking's guide, and it leaves Koinly nothing to guess. A fee in a third coin (BNB) stands in
Koinly's fee columns, and is a transaction of its own (`Other Fee`) for CoinTracking. Either way received - sent - fee,
summed over a file by asset, is what the account's balance changed by.

Moves between spot and Earn are left out: nothing was gained and nothing left the exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from runtime.domain.book_rows import EXPLAINED, Heads, moment, value_of
from runtime.domain.books import INSIDE, TRADES, Event, Kind
from runtime.domain.csv_text import Row
from runtime.domain.money import CASH, ZERO

EXCHANGE = "Binance"
FEE = "fee"
GENERIC_HEADS = ("time_utc", "type", "sent_amount", "sent_asset", "received_amount", "received_asset", "fee_amount",
                 "fee_asset", "included_fee_amount", "included_fee_asset", "value_usdt", "id", "note")  # fmt: skip
KOINLY_HEADS = ("Date", "Sent Amount", "Sent Currency", "Received Amount", "Received Currency", "Fee Amount",
                "Fee Currency", "Net Worth Amount", "Net Worth Currency", "Label", "Description", "TxHash")  # fmt: skip
COINTRACKING_HEADS = ("Type", "Buy Amount", "Buy Currency", "Sell Amount", "Sell Currency", "Fee", "Fee Currency",
                      "Exchange", "Trade-Group", "Comment", "Date", "Tx-ID")  # fmt: skip
KOINLY_LABELS: Mapping[str, str] = {Kind.INTEREST: "lending interest", Kind.REWARD: "reward", FEE: "cost"}
COINTRACKING_TYPES: Mapping[str, str] = {
    Kind.TRADE: "Trade",
    Kind.MANUAL_TRADE: "Trade",
    Kind.INTEREST: "Interest Income",
    Kind.REWARD: "Reward / Bonus",
    FEE: "Other Fee",
}
NOTES: Mapping[str, str] = {
    Kind.OPENING: "there when the books began",
    Kind.REBUILT: "the state was rebuilt; no record explains this difference",
    Kind.UNEXPLAINED: "no record explains this",
    Kind.ACCEPTED: "accepted by the operator",
    Kind.MANUAL_TRADE: "traded by hand",
    EXPLAINED: "takes back what was listed as unexplained before",
}
Amount = tuple[Decimal, str]
NOTHING: tuple[None, None] = (None, None)


@dataclass(frozen=True, slots=True)
class Part:
    """One transaction: what was sent and received, net of the fee `within`; `beside` is a fee in a third coin."""

    event: Event
    kind: str
    number: int = 1
    sent: Amount | None = None
    received: Amount | None = None
    within: Amount | None = None
    beside: Amount | None = None

    @property
    def id(self) -> str:
        """The event's id; the second and later parts say so."""
        return self.event.id if self.number == 1 else f"{self.event.id}#{self.number}"

    @property
    def value(self) -> Decimal | None:
        """USDT that a one-sided part was worth, if known; for a trade, its USDT."""
        sides = [side for side in (self.received, self.sent) if side is not None]
        cash = next((amount for amount, asset in sides if asset == CASH), None)
        return cash if cash is not None or not sides else value_of(self.event, sides[0][1], sides[0][0])

    @property
    def note(self) -> str:
        """What a person should know of it."""
        unknown = self.kind in {Kind.OPENING, Kind.DEPOSIT} and self.received is not None and self.received[1] != CASH
        cost = "what it cost is not known here" if unknown else ""
        return "; ".join(filter(None, (NOTES.get(self.kind, ""), cost, self.event.reference)))


def parts_of(event: Event) -> list[Part]:
    """The transactions of an event; none for what happened inside the account."""
    if event.kind in INSIDE:
        return []
    pair = {event.base, CASH} if event.kind in TRADES else set[str]()
    beside = [(amount, asset) for asset, amount in sorted(event.fees.items()) if asset not in pair and amount]
    parts = [*_main(event, pair), *_one_sided(event, EXPLAINED, {a: -x for a, x in event.explained.items()})]
    if parts and parts[0].sent and parts[0].received and beside:
        parts[0] = replace(parts[0], beside=beside.pop(0))
    parts += _one_sided(event, FEE, {asset: -amount for amount, asset in beside})
    return [replace(part, number=number) for number, part in enumerate(parts, 1)]


def _main(event: Event, pair: set[str]) -> list[Part]:
    nets = {
        asset: amount - (event.fees.get(asset, ZERO) if asset in pair else ZERO)
        for asset, amount in event.moved.items()
    }
    came, went = [a for a in nets if nets[a] > 0], [a for a in nets if nets[a] < 0]
    if event.kind not in TRADES or (len(came), len(went)) != (1, 1):
        return _one_sided(event, event.kind.value, nets)
    within = next(((amount, asset) for asset, amount in event.fees.items() if asset in pair), None)
    sent, received = (-nets[went[0]], went[0]), (nets[came[0]], came[0])
    return [Part(event, event.kind.value, sent=sent, received=received, within=within)]


def _one_sided(event: Event, kind: str, amounts: Mapping[str, Decimal]) -> list[Part]:
    parts = []
    for asset, amount in sorted(amounts.items()):
        if amount > 0:
            parts.append(Part(event, kind, received=(amount, asset)))
        elif amount < 0:
            parts.append(Part(event, kind, sent=(-amount, asset)))
    return parts


def _generic(part: Part) -> Iterator[Row]:
    sides = (*(part.sent or NOTHING), *(part.received or NOTHING), *(part.beside or NOTHING), *(part.within or NOTHING))
    yield moment(part.event.time_ms), part.kind, *sides, part.value, part.id, part.note


def _koinly(part: Part) -> Iterator[Row]:
    label = KOINLY_LABELS.get(part.kind, "")
    worth = (part.value, CASH) if label and part.value is not None else NOTHING
    sides = (*(part.sent or NOTHING), *(part.received or NOTHING), *(part.beside or NOTHING))
    yield moment(part.event.time_ms) + " UTC", *sides, *worth, label, part.note, part.id


def _cointracking(part: Part) -> Iterator[Row]:
    kind = COINTRACKING_TYPES.get(part.kind) if part.kind not in TRADES or (part.sent and part.received) else None
    kind = kind or ("Deposit" if part.received else "Withdrawal")
    when = moment(part.event.time_ms)
    sides = (*(part.received or NOTHING), *(part.sent or NOTHING), *(part.within or NOTHING))
    yield kind, *sides, EXCHANGE, "", part.note, when, part.id
    if part.beside:
        fee = (*NOTHING, *part.beside, *NOTHING)
        yield COINTRACKING_TYPES[FEE], *fee, EXCHANGE, "", f"fee of {part.id}", when, f"{part.id}#fee"


TAX_FORMATS: Mapping[str, tuple[Heads, Callable[[Part], Iterator[Row]]]] = {
    "generic": (GENERIC_HEADS, _generic),
    "koinly": (KOINLY_HEADS, _koinly),
    "cointracking": (COINTRACKING_HEADS, _cointracking),
}


def tax_rows(name: str, event: Event) -> Iterator[Row]:
    """The lines of one event in the format `name`."""
    _, lines = TAX_FORMATS[name]
    for part in parts_of(event):
        yield from lines(part)
