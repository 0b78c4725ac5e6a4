"""Flexible Simple Earn: positions that grow by the minute, and moves that are accepted now and credited later.

Rewards follow from the clock alone. Within a UTC day they are simple interest by whole minutes on what the position
held; they are folded in (and recorded as `REALTIME`) at midnight and whenever the position moves. A look at the
position folds nothing, so it does not matter how often anybody looks.

A redemption leaves the position at once and reaches spot when it settles; in between it is in neither.
"""

from __future__ import annotations

from decimal import Decimal

from runtime.adapters.simulated.books import PLACES, Books, EarnMove, Holding, Movement, Place, Reward
from runtime.adapters.simulated.conditions import EarnTerms
from runtime.adapters.simulated.refusals import ApiError
from runtime.domain.money import ZERO, floor_to_places
from runtime.domain.orders import Kind
from runtime.domain.slots import DAY_MS, MINUTE_MS

MOVE_EVERY_MS = 3000
REALTIME, BONUS = "REALTIME", "BONUS"
_MINUTES_A_YEAR = 365 * 24 * 60
_NIGHT_FROM_MIN, _NIGHT_TO_MIN = 23 * 60 + 50, 10
_SUFFIX = "001"


def product_id(asset: str) -> str:
    """The id of the flexible product of `asset`."""
    return asset + _SUFFIX


def product_asset(product: str, terms: EarnTerms) -> str:
    """The asset of a product id; −6001 if there is no such product."""
    asset = product.removesuffix(_SUFFIX)
    if product != product_id(asset) or asset not in terms.apr:
        raise ApiError(-6001, "Daily product not exists.")
    return asset


class EarnDesk:
    """The Earn side of the books. Times are the exchange's; `terms` are those of the moment."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._open = list(books.unsettled())

    def position(self, asset: str, terms: EarnTerms, now_ms: int, lag_ms: int = 0) -> Holding | None:
        """The position as shown (accrued to the minute; as it was `lag_ms` ago but for that); None if there is none."""
        holding = self._books.holdings.get(asset)
        if holding is None:
            return None
        self._fold_days(holding, terms, now_ms)
        earned = _accrued(holding, terms, now_ms)
        unseen = sum((m.amount for m in self._books.since(now_ms - lag_ms, Place.EARN) if m.asset == asset), ZERO)
        amount = holding.amount + earned - (unseen if lag_ms else ZERO)
        if amount <= 0:
            return None
        rewards = holding.rewards + earned
        return Holding(asset, amount, holding.since_ms, rewards, holding.bonus, holding.auto_subscribe)

    def redeem(self, product: str, amount: Decimal | None, terms: EarnTerms, now_ms: int) -> EarnMove:
        """Take `amount` (None = all) out of the position; refused with −6001, −6006 to −6009."""
        asset = product_asset(product, terms)
        self._check_pace(Kind.REDEEM, now_ms)
        minute = now_ms % DAY_MS // MINUTE_MS
        if terms.night_closed and (minute >= _NIGHT_FROM_MIN or minute < _NIGHT_TO_MIN):
            raise ApiError(-6007, "Not in redeem time")
        if asset in terms.redeem_closed:
            raise ApiError(-6008, "Product not in redeem status")
        holding = self._books.holdings.get(asset) or Holding(asset, ZERO, now_ms)
        self._fold(holding, terms, now_ms)
        amount = holding.amount if amount is None else amount
        if not 0 < amount <= holding.amount:
            raise ApiError(-6006, "Redeem amount error")
        self._change(holding, -amount, now_ms)
        return self._record(Kind.REDEEM, asset, amount, now_ms, terms.redeem_s)

    def subscribe(self, product: str, amount: Decimal, terms: EarnTerms, now_ms: int) -> EarnMove:
        """Put `amount` of free spot into the product; refused with −6001, −6004, −6005, −6009, −6011, −6012."""
        asset = product_asset(product, terms)
        self._check_pace(Kind.SUBSCRIBE, now_ms)
        if asset in terms.sold_out:
            raise ApiError(-6004, "Product not in purchase status")
        if amount < terms.min_purchase:
            raise ApiError(-6005, "Smaller than min purchase limit")
        if amount > self.left_quota(asset, terms, now_ms):
            raise ApiError(-6011, "Exceeding the maximum num allowed to purchase per user")
        if amount > self._books.free(asset):
            raise ApiError(-6012, "Balance not enough")
        self._books.add(asset, -amount, now_ms)
        return self._record(Kind.SUBSCRIBE, asset, amount, now_ms, terms.subscribe_s)

    def left_quota(self, asset: str, terms: EarnTerms, now_ms: int) -> Decimal:
        """What this account may still subscribe, moves on their way included."""
        held = self.position(asset, terms, now_ms)
        coming = sum((m.amount for m in self._open if m.kind is Kind.SUBSCRIBE and m.asset == asset), ZERO)
        return max(ZERO, terms.quota - coming - (held.amount if held else ZERO))

    def settle(self, terms: EarnTerms, now_ms: int) -> bool:
        """Fold in the days that ended, and credit every move that is due; whether there was one."""
        due = sorted((m.due_ms, m.move_id) for m in self._open if m.due_ms is not None and m.due_ms <= now_ms)
        for _, move_id in due:
            move = next(m for m in self._open if m.move_id == move_id)
            self._open.remove(move)
            self._credit(move, terms)
        for holding in self._books.holdings.values():
            self._fold_days(holding, terms, now_ms)
        return bool(due)

    def bonus(self, asset: str, amount: Decimal, now_ms: int) -> None:
        """Pay a bonus reward to spot."""
        self._books.add(asset, amount, now_ms)
        self._books.rewards.append(Reward(asset, amount, now_ms, BONUS))
        holding = self._books.holdings.get(asset)
        if holding is not None:
            holding.bonus += amount

    def _credit(self, move: EarnMove, terms: EarnTerms) -> None:
        assert move.due_ms is not None
        move.settled = True
        if move.kind is Kind.REDEEM:
            self._books.add(move.asset, move.amount, move.due_ms)
            return
        holding = self._books.holdings.setdefault(move.asset, Holding(move.asset, ZERO, move.due_ms))
        self._fold(holding, terms, move.due_ms)
        self._change(holding, move.amount, move.due_ms)

    def _check_pace(self, kind: Kind, now_ms: int) -> None:
        last = self._books.last_move_ms.get(kind)
        if last is not None and 0 <= now_ms - last < MOVE_EVERY_MS:
            raise ApiError(-6009, "Request frequency too high")

    def _record(self, kind: Kind, asset: str, amount: Decimal, now_ms: int, wait_s: int | None) -> EarnMove:
        due_ms = None if wait_s is None else now_ms + wait_s * 1000
        move = EarnMove(self._books.serial("earn"), kind, asset, amount, now_ms, due_ms)
        self._books.moves.append(move)
        self._open.append(move)
        self._books.last_move_ms[kind] = now_ms
        return move

    def _change(self, holding: Holding, amount: Decimal, now_ms: int) -> None:
        holding.amount += amount
        self._books.remember(Movement(now_ms, Place.EARN, holding.asset, amount))

    def _fold_days(self, holding: Holding, terms: EarnTerms, now_ms: int) -> None:
        while (midnight := (holding.since_ms // DAY_MS + 1) * DAY_MS) <= now_ms:
            self._book_rewards(holding, terms, midnight)

    def _fold(self, holding: Holding, terms: EarnTerms, now_ms: int) -> None:
        self._fold_days(holding, terms, now_ms)
        self._book_rewards(holding, terms, now_ms)

    def _book_rewards(self, holding: Holding, terms: EarnTerms, until_ms: int) -> None:
        earned = _accrued(holding, terms, until_ms)
        holding.since_ms = max(holding.since_ms, until_ms)
        if earned:
            holding.rewards += earned
            self._change(holding, earned, until_ms)
            self._books.rewards.append(Reward(holding.asset, earned, until_ms, REALTIME))


def _accrued(holding: Holding, terms: EarnTerms, until_ms: int) -> Decimal:
    minutes = until_ms // MINUTE_MS - holding.since_ms // MINUTE_MS
    if minutes <= 0:
        return ZERO
    interest = holding.amount * terms.apr.get(holding.asset, ZERO) * minutes / _MINUTES_A_YEAR
    return floor_to_places(interest, PLACES)
