"""Reconciliation: the ledger against the account, every hour, to the last unit.

A difference is booked only by evidence: a deposit or withdrawal record, a reward record, a manual order, or the growth
that the Earn position itself reports. What has no evidence is posted to `unexplained`, alerted, and stops buys. The
worked problem: an engine that books every difference as a deposit always balances and never notices a lost fill.

Evidence may lag behind the balance by hours. So an unexplained amount stays open as *drift*: later evidence of the same
asset moves it out of `unexplained` and closes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import combinations

from runtime.domain.evidence import Flow, FlowKind
from runtime.domain.ledger import Balances, Book, Entry, Posting, transfer
from runtime.domain.market import Account, EarnPosition
from runtime.domain.money import CASH, FUEL, ZERO
from runtime.domain.performance import moved_outside
from runtime.domain.remembering import remembered
from runtime.domain.slots import DAY_MS
from runtime.domain.state import Position, State

MANAGED_ON_ARRIVAL = frozenset({CASH, FUEL})
SEEN_DAYS = 8
EXACT_MAX = 10


def opening_entry(slot: str, now_ms: int, account: Account, earn: Mapping[str, EarnPosition]) -> Entry:
    """The first entry: USDT, BNB and Earn's USDT become managed, every other balance is reserved."""
    postings: list[Posting] = []
    for asset, balance in sorted(account.balances.items()):
        book = Book.SPOT if asset in MANAGED_ON_ARRIVAL else Book.RESERVED
        postings.extend(transfer(Book.OPENING, book, asset, balance.total))
    position = earn.get(CASH)
    if position is not None and position.total:
        postings.extend(transfer(Book.OPENING, Book.EARN, CASH, position.total))
    return Entry(f"opening:{now_ms}", slot, now_ms, "opening", tuple(postings))


@remembered
def spot_differences(ledger: Balances, account: Account) -> Mapping[str, Decimal]:
    """Units at the exchange that the ledger does not know of (+) or misses (-), by asset, at spot."""
    known = ledger.assets(Book.SPOT).keys() | ledger.assets(Book.RESERVED).keys()
    found = {}
    for asset in sorted(account.balances.keys() | known):
        difference = account.total(asset) - ledger.of(Book.SPOT, asset) - ledger.of(Book.RESERVED, asset)
        if difference:
            found[asset] = difference
    return found


def earn_difference(ledger: Balances, earn: Mapping[str, EarnPosition]) -> Decimal:
    """USDT in the Earn position beyond (+) or short of (-) what the ledger holds there."""
    position = earn.get(CASH)
    return (position.total if position else ZERO) - ledger.of(Book.EARN, CASH)


def interest_entry(state: State, slot: str, now_ms: int, earn: Mapping[str, EarnPosition]) -> Entry | None:
    """Earn's growth, as far as the position's own cumulated rewards vouch for it; None if there is none.

    A position that shrank for another reason earned what it vouches for all the same; a sum of rewards that fell began
    anew with the position.
    """
    position = earn.get(CASH)
    if position is None:
        return None
    known = state.earn_rewards.get(CASH)
    vouched = position.rewards - (known if known is not None and known <= position.rewards else ZERO)
    beyond = earn_difference(state.ledger, earn)
    growth = vouched if known is not None and beyond < 0 else min(beyond, vouched)
    if growth <= 0:
        return None
    postings = transfer(Book.INCOME, Book.EARN, CASH, growth)
    return Entry(f"interest:{CASH}:{now_ms}", slot, now_ms, "interest", postings)


def fitting(difference: Decimal, flows: Iterable[Flow]) -> tuple[Flow, ...]:
    """The flows of one asset that may be booked against `difference`, oldest first: as many as add up to it exactly,
    else those of its sign that do not overshoot it. A record whose balance has not arrived yet waits.

    Every choice among up to `EXACT_MAX` flows is tried: of a 3 that has not arrived and a 5 that has, a difference of 5
    is the 5. Among more, only all of them.
    """
    flows = tuple(flows)
    sizes = range(len(flows), 0, -1) if len(flows) <= EXACT_MAX else (len(flows),)
    for chosen in (choice for size in sizes for choice in combinations(flows, size)):
        if sum((flow.amount for flow in chosen), ZERO) == difference:
            return chosen
    taken: list[Flow] = []
    left = difference
    for flow in flows:
        if flow.amount * difference > 0 and abs(flow.amount) <= abs(left):
            taken.append(flow)
            left -= flow.amount
    return tuple(taken)


def flow_entry(flow: Flow, slot: str, ledger: Balances, source: Book | None = None) -> Entry:
    """Book one flow. Coins other than USDT and BNB arrive reserved, and leave the reserve before the managed part.

    `source` UNEXPLAINED books evidence for a difference that was posted there before.
    """
    postings: tuple[Posting, ...]
    contra = source or (Book.INCOME if flow.kind == FlowKind.REWARD else Book.FLOWS)
    if source is Book.UNEXPLAINED:
        target = Book.INCOME if flow.kind == FlowKind.REWARD else Book.FLOWS
        postings = transfer(target, Book.UNEXPLAINED, flow.asset, flow.amount)
    elif flow.asset in MANAGED_ON_ARRIVAL:
        postings = transfer(contra, Book.SPOT, flow.asset, flow.amount)
    elif flow.amount > 0:
        postings = transfer(contra, Book.RESERVED, flow.asset, flow.amount)
    else:
        postings = _leaving(flow, ledger, contra)
    return Entry(f"flow:{flow.id}", slot, flow.time_ms, str(flow.kind), postings, flow.id)


def _leaving(flow: Flow, ledger: Balances, contra: Book) -> tuple[Posting, ...]:
    reserved = min(-flow.amount, ledger.of(Book.RESERVED, flow.asset))
    managed = -flow.amount - reserved
    postings = transfer(contra, Book.RESERVED, flow.asset, -reserved) if reserved else ()
    return (*postings, *(transfer(contra, Book.SPOT, flow.asset, -managed) if managed else ()))


def unexplained_entry(
    slot: str, now_ms: int, spot: Mapping[str, Decimal], earn: Decimal, ledger: Balances
) -> Entry | None:
    """What no evidence covers, posted to `unexplained`; None if nothing is left.

    A coin that is not managed on arrival appears in the reserve; one that is missing leaves the reserve first.
    """
    postings: list[Posting] = []
    for asset, amount in sorted(spot.items()):
        flow = Flow("", FlowKind.DEPOSIT, asset, amount, now_ms)
        postings.extend(flow_entry(flow, slot, ledger).postings)
    postings = [replace(p, book=Book.UNEXPLAINED) if p.book is Book.FLOWS else p for p in postings]
    if earn:
        postings.extend(transfer(Book.UNEXPLAINED, Book.EARN, CASH, earn))
    return Entry(f"unexplained:{now_ms}", slot, now_ms, "unexplained", tuple(postings)) if postings else None


def drift_after(drift: Mapping[str, Decimal], entries: Sequence[Entry]) -> dict[str, Decimal]:
    """The open drift by asset after `entries` moved amounts into or out of `unexplained`."""
    totals = dict(drift)
    for entry in entries:
        for posting in entry.postings:
            if posting.book is Book.UNEXPLAINED:
                totals[posting.asset] = totals.get(posting.asset, ZERO) - posting.amount
    return {asset: amount for asset, amount in totals.items() if amount}


def seen_after(seen: Mapping[str, int], flows: Iterable[Flow], now_ms: int) -> dict[str, int]:
    """Ids of evidence already booked, without those too old to be asked for again."""
    kept = {name: at for name, at in seen.items() if at > now_ms - SEEN_DAYS * DAY_MS}
    return kept | {flow.id: flow.time_ms for flow in flows}


def fitted_positions(state: State) -> State:
    """The state with no position larger than what is owned: a manual sale reduces cost in proportion.

    What left is no loss of the day either; it is valued at the last cycle's price, or else at its cost.
    """
    if _all_owned(state.positions, state.ledger):
        return state
    positions, day = {}, state.day
    for symbol, position in state.positions.items():
        asset = symbol.removesuffix(CASH)
        owned = max(ZERO, state.ledger.owned(asset))
        if owned >= position.quantity:
            positions[symbol] = position
            continue
        if owned:
            positions[symbol] = replace(position, cost=position.cost * owned / position.quantity, quantity=owned)
        if day is not None:
            price = state.prices.get(symbol, position.average)
            day = moved_outside(day, asset, position.quantity - owned, price)
    return replace(state, positions=positions, day=day)


@remembered
def _all_owned(positions: Mapping[str, Position], ledger: Balances) -> bool:
    """Whether every position is backed by what the ledger owns of its coin."""
    return all(ledger.owned(symbol.removesuffix(CASH)) >= held.quantity for symbol, held in positions.items())
