"""Evidence for balances that no order explains: deposits, withdrawals, and Earn rewards that are paid to spot.

A transfer counts from the moment it changed the spot balance: a deposit once it is credited, a withdrawal once it is
under way (the amount and the network's fee have left). Its time is that of completion where Binance gives one, so a
deposit that was announced yesterday and credited now is found now. A withdrawal may therefore appear twice, in
different hours: its id stays the same.

Real-time rewards accrue inside the position and are no flow; only the bonus tier is paid to spot.
"""

# mypy: allow-untyped-calls
# The library annotates few of its methods; what they answer is `object` here and parsed.

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from runtime.adapters.binance.client import Connection
from runtime.adapters.binance.earn import PAGE_ROWS, WINDOW_MS, paged
from runtime.adapters.binance.paging import pages, windows
from runtime.adapters.binance.payloads import Row, amount, as_rows, integer, text
from runtime.domain.slots import DAY_MS
from runtime.errors import BadPayload
from runtime.ports import Flow

TRANSFER_ROWS = 1000
TRANSFER_WINDOW_MS = 89 * DAY_MS
ANNOUNCED_BEFORE_MS = 3 * DAY_MS
_CREDITED = frozenset({1, 6})
_UNDER_WAY = frozenset({4, 6})


def flows(connection: Connection, since_ms: int) -> Sequence[Flow]:
    """All that came or went from `since_ms` on, oldest first. Withdrawal history is Binance's heaviest call."""
    found = [
        *_deposits(connection, since_ms - ANNOUNCED_BEFORE_MS),
        *_withdrawals(connection, since_ms - ANNOUNCED_BEFORE_MS),
        *_rewards(connection, since_ms),
    ]
    return sorted((flow for flow in found if flow.time_ms >= since_ms), key=lambda flow: (flow.time_ms, flow.id))


def _deposits(connection: Connection, since_ms: int) -> list[Flow]:
    rows: list[Row] = []
    for start, end in windows(since_ms, connection.now_ms(), TRANSFER_WINDOW_MS):

        def fetch(page: int, start: int = start, end: int = end) -> Sequence[Row]:
            where = {"startTime": start, "endTime": end, "limit": TRANSFER_ROWS, "offset": (page - 1) * TRANSFER_ROWS}
            return as_rows(
                connection.read("deposits", lambda session: session.get_deposit_history(**where)), "deposits"
            )

        rows += pages("deposits", TRANSFER_ROWS, fetch)
    return [_deposit(row) for row in rows if integer(row, "status", "deposit") in _CREDITED]


def _deposit(row: Row) -> Flow:
    return Flow(
        id=f"deposit:{text(row, 'id', 'deposit')}",
        kind="deposit",
        asset=text(row, "coin", "deposit"),
        amount=amount(row, "amount", "deposit"),
        time_ms=integer(row, "completeTime" if row.get("completeTime") else "insertTime", "deposit"),
    )


def _withdrawals(connection: Connection, since_ms: int) -> list[Flow]:
    rows: list[Row] = []
    for start, end in windows(since_ms, connection.now_ms(), TRANSFER_WINDOW_MS):

        def fetch(page: int, start: int = start, end: int = end) -> Sequence[Row]:
            where = {"startTime": start, "endTime": end, "limit": TRANSFER_ROWS, "offset": (page - 1) * TRANSFER_ROWS}
            answer = connection.read("withdrawals", lambda session: session.get_withdraw_history(**where))
            return as_rows(answer, "withdrawals")

        rows += pages("withdrawals", TRANSFER_ROWS, fetch)
    return [_withdrawal(row) for row in rows if integer(row, "status", "withdrawal") in _UNDER_WAY]


def _withdrawal(row: Row) -> Flow:
    fee = amount(row, "transactionFee", "withdrawal")
    return Flow(
        id=f"withdrawal:{text(row, 'id', 'withdrawal')}",
        kind="withdrawal",
        asset=text(row, "coin", "withdrawal"),
        amount=-(amount(row, "amount", "withdrawal") + fee),
        time_ms=_moment_ms(text(row, "completeTime" if row.get("completeTime") else "applyTime", "withdrawal")),
    )


def _moment_ms(moment: str) -> int:
    """Epoch ms of Binance's one time that is text: `2026-11-21 09:05:00`, UTC."""
    try:
        return int(datetime.strptime(moment, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()) * 1000
    except ValueError:
        raise BadPayload("withdrawal time", moment, "must be YYYY-MM-DD hh:mm:ss") from None


def _rewards(connection: Connection, since_ms: int) -> list[Flow]:
    found: list[Flow] = []
    for start, end in windows(since_ms, connection.now_ms(), WINDOW_MS):
        where = {"type": "BONUS", "startTime": start, "endTime": end}
        fetch = paged(
            connection,
            "Earn rewards",
            lambda session, page, where=where: session.sapi(  # type: ignore[misc]
                "simple-earn/flexible/history/rewardsRecord", **where, **page
            ),
        )
        found += [_reward(row) for row in pages("Earn rewards", PAGE_ROWS, fetch)]
    return found


def _reward(row: Row) -> Flow:
    asset, paid_ms = text(row, "asset", "Earn reward"), integer(row, "time", "Earn reward")
    return Flow(
        id=f"reward:{asset}:{paid_ms}",
        kind="reward",
        asset=asset,
        amount=amount(row, "rewards", "Earn reward"),
        time_ms=paid_ms,
    )
