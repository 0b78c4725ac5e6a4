"""Simple Earn, flexible products only: positions, the product to subscribe to, moves, and their records.

The endpoints take no client id, so a move is sent once and settled by records and position. `autoSubscribe` is always
sent as false: its default would let Binance sweep the free balance into Earn behind the engine's back. Both ends of a
move are named (`SPOT`), so that the funding wallet stays out of the books.
"""

# mypy: allow-untyped-calls
# The library annotates few of its methods; what they answer is `object` here and parsed.

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from runtime.adapters.binance.client import BinanceSession, Connection
from runtime.adapters.binance.errors import Fault, send_outcome
from runtime.adapters.binance.paging import pages, windows
from runtime.adapters.binance.payloads import Row, amount, as_object, as_rows, flag, integer, text
from runtime.domain.market import EarnPosition, EarnProduct
from runtime.domain.money import ZERO, plain
from runtime.domain.orders import EarnDone, EarnOutcome, EarnRecord, Kind, Unknown
from runtime.domain.slots import DAY_MS
from runtime.errors import BadPayload

PAGE_ROWS = 100
WINDOW_MS = 30 * DAY_MS
_ON_SALE = "PURCHASING"
_SETTLED = frozenset({"SUCCESS", "PAID"})
_FAILED = frozenset({"FAILED"})


def positions(connection: Connection) -> dict[str, EarnPosition]:
    """Flexible positions by asset; several rows of an asset are summed under the product of the largest."""
    found: dict[str, list[EarnPosition]] = {}
    fetch = paged(
        connection, "Earn positions", lambda session, page: session.get_simple_earn_flexible_product_position(**page)
    )
    for row in pages("Earn positions", PAGE_ROWS, fetch):
        position = _position(row)
        if position.total:
            found.setdefault(position.asset, []).append(position)
    return {asset: _summed(parts) for asset, parts in found.items()}


def _position(row: Row) -> EarnPosition:
    asset = text(row, "asset", "Earn position")
    where = f"Earn position {asset}"
    return EarnPosition(
        asset=asset,
        product_id=text(row, "productId", where),
        total=amount(row, "totalAmount", where),
        rewards=amount(row, "cumulativeRealTimeRewards", where) if "cumulativeRealTimeRewards" in row else ZERO,
        pledged=amount(row, "collateralAmount", where) if "collateralAmount" in row else ZERO,
        can_redeem=flag(row, "canRedeem", where),
        auto_subscribe=flag(row, "autoSubscribe", where),
    )


def _summed(parts: Sequence[EarnPosition]) -> EarnPosition:
    largest = max(parts, key=lambda part: part.total)
    return EarnPosition(
        asset=largest.asset,
        product_id=largest.product_id,
        total=sum((part.total for part in parts), ZERO),
        rewards=sum((part.rewards for part in parts), ZERO),
        pledged=sum((part.pledged for part in parts), ZERO),
        can_redeem=all(part.can_redeem for part in parts),
        auto_subscribe=any(part.auto_subscribe for part in parts),
    )


def product(connection: Connection, asset: str) -> EarnProduct | None:
    """The asset's flexible product, one on sale if there is any, with the personal quota (two calls)."""
    what = f"Earn products of {asset}"
    fetch = paged(
        connection, what, lambda session, page: session.get_simple_earn_flexible_product_list(asset=asset, **page)
    )
    rows = [row for row in pages(what, PAGE_ROWS, fetch) if row.get("asset") == asset]
    if not rows:
        return None
    row = next((row for row in rows if _on_sale(row, what)), rows[0])
    product_id = text(row, "productId", what)
    quota = as_object(
        connection.read(
            f"Earn quota of {product_id}",
            lambda session: session.sapi("simple-earn/flexible/personalLeftQuota", productId=product_id),
        ),
        f"Earn quota of {product_id}",
    )
    return EarnProduct(
        asset=asset,
        product_id=product_id,
        min_purchase=amount(row, "minPurchaseAmount", what),
        can_purchase=_on_sale(row, what),
        left_quota=amount(quota, "leftPersonalQuota", f"Earn quota of {product_id}"),
    )


def _on_sale(row: Row, where: str) -> bool:
    return flag(row, "canPurchase", where) and not flag(row, "isSoldOut", where) and row.get("status") == _ON_SALE


def send(connection: Connection, kind: Kind, product_id: str, quantity: Decimal, timestamp_ms: int) -> EarnOutcome:
    """Redeem or subscribe, once; `timestamp_ms` is the request's own."""
    move = {"productId": product_id, "amount": plain(quantity), "timestamp": timestamp_ms}
    if kind is Kind.REDEEM:
        key, answer = "redeemId", connection.once(
            lambda session: session.redeem_simple_earn_flexible_product(destAccount="SPOT", **move)
        )  # fmt: skip
    else:
        key, answer = "purchaseId", connection.once(
            lambda session: session.subscribe_simple_earn_flexible_product(
                autoSubscribe="false", sourceAccount="SPOT", **move
            )
        )  # fmt: skip
    if isinstance(answer, Fault):
        return send_outcome(answer, connection.now_ms())
    try:
        row = as_object(answer, "Earn answer")
        if flag(row, "success", "Earn answer"):
            return EarnDone(integer(row, key, "Earn answer"))
    except BadPayload as error:
        return Unknown(str(error))
    return Unknown("the answer says neither yes nor why not")


def records(connection: Connection, kind: Kind, asset: str, since_ms: int) -> list[EarnRecord]:
    """Subscription or redemption records of the asset, oldest first."""
    what = f"Earn {kind} records of {asset}"
    found: list[EarnRecord] = []
    for start, end in windows(since_ms, connection.now_ms(), WINDOW_MS):
        where = {"asset": asset, "startTime": start, "endTime": end}
        fetch = paged(connection, what, lambda session, page, where=where: _history(session, kind, {**where, **page}))  # type: ignore[misc]
        found += [_record(row, kind, what) for row in pages(what, PAGE_ROWS, fetch)]
    return sorted((r for r in found if r.time_ms >= since_ms), key=lambda record: (record.time_ms, record.move_id))


def _history(session: BinanceSession, kind: Kind, where: dict[str, Any]) -> object:
    if kind is Kind.REDEEM:
        return session.margin_v1_get_simple_earn_flexible_history_redemption_record(**where)
    return session.margin_v1_get_simple_earn_flexible_history_subscription_record(**where)


def _record(row: Row, kind: Kind, where: str) -> EarnRecord:
    status = text(row, "status", where)
    return EarnRecord(
        move_id=integer(row, "redeemId" if kind is Kind.REDEEM else "purchaseId", where),
        kind=kind,
        asset=text(row, "asset", where),
        amount=amount(row, "amount", where),
        time_ms=integer(row, "time", where),
        settled=status in _SETTLED,
        failed=status in _FAILED,
    )


def paged(
    connection: Connection, what: str, call: Callable[[BinanceSession, dict[str, Any]], object]
) -> Callable[[int], Sequence[Row]]:
    """A fetch for `pages` of an endpoint that takes `current` and `size` and answers `rows`."""

    def fetch(page: int) -> Sequence[Row]:
        where = {"current": page, "size": PAGE_ROWS}
        answer = as_object(connection.read(what, lambda session: call(session, where)), what)
        return as_rows(answer.get("rows"), f"{what} rows")

    return fetch
