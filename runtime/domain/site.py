"""The site: an account's last days as values that are ready to be shown, and what of them may be public.

The worked problem: a page that hides amounts by leaving them out of its template shows them again the day a template
changes. So hiding happens here, on the values: `public` gives a site in which no amount is left (equity, quantities,
prices, numbers inside foreign words), only names, outcomes, counts and fractions; a page can show no more than it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from runtime.domain.markdown import without_figures
from runtime.domain.why import Card


@dataclass(frozen=True, slots=True)
class HourRow:
    """One hour: how it ended, `equity` in USDT and the return `index` after it; None = not known or not shown. `tape`
    says whether this machine's tape of it is the one that the store knows; empty = there is none here.
    """

    slot: str
    status: str
    exit_code: int
    equity: Decimal | None
    index: Decimal | None
    orders: int
    gates: int
    pool: str
    card: Card | None
    alerts: tuple[tuple[str, str], ...] = ()
    tape: str = ""

    @property
    def day(self) -> str:
        """Its UTC day."""
        return self.slot[:10]


@dataclass(frozen=True, slots=True)
class Trouble:
    """A condition that lasts: its kind with its subject, since when, in how many hours, when it was last told."""

    kind: str
    opened: str
    count: int
    last_told: str


@dataclass(frozen=True, slots=True)
class Booked:
    """An entry of the ledger; `amounts` are its postings as text."""

    slot: str
    kind: str
    assets: tuple[str, ...]
    amounts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Earning:
    """A period's result: USDT, and returns as fractions; None = not known or not shown."""

    name: str
    profit: Decimal | None
    fees: Decimal | None
    trades: int
    time_weighted: float | None
    holding_btc: float | None


@dataclass(frozen=True, slots=True)
class Ratios:
    """How well an account or bitcoin did; fractions, and ratios a year."""

    name: str
    total: float
    year: float | None
    max_drawdown: float
    sharpe: float | None
    sortino: float | None
    calmar: float | None


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that the pages show, newest first. `missed` are slots that no run did."""

    account: str
    hours: tuple[HourRow, ...]
    missed: tuple[str, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    booked: tuple[Booked, ...] = ()
    balances: Mapping[str, str] | None = None
    earnings: tuple[Earning, ...] = ()
    ratios: tuple[Ratios, ...] = ()
    hidden: bool = False

    def days(self) -> dict[str, list[HourRow]]:
        """The hours by UTC day, newest day first."""
        found: dict[str, list[HourRow]] = {}
        for hour in self.hours:
            found.setdefault(hour.day, []).append(hour)
        return found


def public(site: Site) -> Site:
    """The site without any amount."""
    return replace(
        site,
        hours=tuple(replace(h, equity=None, card=h.card and public_card(h.card)) for h in site.hours),
        booked=tuple(replace(entry, amounts=()) for entry in site.booked),
        balances=None,
        earnings=tuple(replace(earning, profit=None, fees=None) for earning in site.earnings),
        hidden=True,
    )


def public_card(card: Card) -> Card:
    """The card without any amount: what was decided and held back by name, no figure that was seen or compared."""
    return replace(
        card,
        error=without_figures(card.error),
        saw={},
        judged=tuple(replace(judged, score="", momentum="") for judged in card.judged),
        decided=tuple(replace(choice, size="", numbers={}) for choice in card.decided),
        did=tuple(replace(deed, quantity="", value="", detail=without_figures(deed.detail)) for deed in card.did),
        held=tuple(replace(held, numbers={}) for held in card.held),
        problems={name: without_figures(why) for name, why in card.problems.items()},
    )


def day_return(hours: Sequence[HourRow], before: HourRow | None) -> Decimal | None:
    """The return of a day whose `hours` are newest first: from the last index before it to its last one."""
    known = [hour.index for hour in hours if hour.index is not None]
    start = before.index if before is not None else None
    if start is None and len(known) > 1:
        start = known[-1]
    return known[0] / start - 1 if known and start else None
