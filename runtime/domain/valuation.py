"""Valuation: what is managed, what it is worth, and what may be spent.

The ledger says what we own; the account says what is free right now. A wallet takes the smaller of the two, so that
neither a stale ledger nor a reserved or locked coin is ever spent. Equity counts managed balances only. A price that
cannot be trusted this hour still values a holding at its last known price: stale data may value, it never trades.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from runtime.domain.instruments import Instrument
from runtime.domain.ledger import Balances, Book, Entry, owned_of
from runtime.domain.market import Account, Balance, EarnPosition
from runtime.domain.money import CASH, CORE, FUEL, ZERO, Dec
from runtime.domain.remembering import remembered
from runtime.domain.settings import StrategySettings

MANAGED_APART = frozenset({CASH, FUEL, CORE})
"""Assets that no trend holding is made of."""


@dataclass(frozen=True, slots=True)
class Wallet:
    """Managed means. `quantities` are owned units by asset, `free` what of them can be sold or spent at spot now,
    `redeemable` the USDT in Earn that a redemption may ask for.
    """

    quantities: Mapping[str, Dec]
    free: Mapping[str, Dec]
    redeemable: Dec = ZERO

    @property
    def cash(self) -> Decimal:
        """USDT that can be spent this hour: free at spot and redeemable from Earn."""
        return self.free.get(CASH, ZERO) + self.redeemable

    @property
    def trend_assets(self) -> tuple[str, ...]:
        """Managed assets of the trend sleeve, sorted."""
        return _trend_assets(self.quantities)


@remembered
def _trend_assets(quantities: Mapping[str, Decimal]) -> tuple[str, ...]:
    return tuple(sorted(quantities.keys() - MANAGED_APART))


@remembered
def wallet_of(ledger: Balances, account: Account, earn: Mapping[str, EarnPosition] | None) -> Wallet:
    """The managed wallet: never more than the ledger owns, never more than the account has free."""
    quantities = {asset: owned for asset, owned in owned_of(ledger).items() if owned > 0}
    spot = ledger.assets(Book.SPOT)
    free = {asset: max(ZERO, min(spot.get(asset, ZERO), account.free(asset))) for asset in quantities}
    position = (earn or {}).get(CASH)
    redeemable = min(ledger.of(Book.EARN, CASH), position.redeemable) if position else ZERO
    return Wallet(quantities, free, max(ZERO, redeemable))


@remembered
def values_of(wallet: Wallet, prices: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
    """USDT value of each managed asset; an asset without any known price counts as 0."""
    (values,) = values_at(wallet, (prices,))
    return values


def values_at(wallet: Wallet, hours: Sequence[Mapping[str, Decimal]]) -> list[Mapping[str, Decimal]]:
    """The same at the prices of several hours."""
    held = [(asset, asset + CASH, quantity) for asset, quantity in wallet.quantities.items()]
    return [
        {asset: quantity if asset == CASH else quantity * prices.get(pair, ZERO) for asset, pair, quantity in held}
        for prices in hours
    ]


@remembered
def total(values: Mapping[str, Decimal]) -> Decimal:
    """The sum of some values (USDT)."""
    return sum(values.values(), ZERO)


def is_dust(value: Decimal, instrument: Instrument | None, settings: StrategySettings) -> bool:
    """Whether a holding worth `value` USDT counts in equity but is not managed; `instrument` None = not listed."""
    return value < max(settings.dust, instrument.min_notional if instrument is not None else ZERO)


def trend_value(wallet: Wallet, values: Mapping[str, Decimal]) -> Decimal:
    """USDT value of the trend sleeve, dust included."""
    return sum([values.get(asset, ZERO) for asset in wallet.trend_assets], ZERO)


def applied(account: Account, entries: Iterable[Entry]) -> Account:
    """The account as it stands after `entries` were booked: free balances move with the spot postings."""
    balances = dict(account.balances)
    for entry in entries:
        for posting in entry.postings:
            if posting.book is Book.SPOT:
                before = balances.get(posting.asset, Balance(ZERO))
                balances[posting.asset] = Balance(before.free + posting.amount, before.locked)
    return Account(balances, account.can_trade)
