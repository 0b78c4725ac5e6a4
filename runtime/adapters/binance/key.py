"""The API key: what it may do, in one signed read of weight 1 (`GET /sapi/v1/account/apiRestrictions`).

The answer is read strictly where money depends on it: a key whose rights are not all told is judged by nobody's guess.
Rights that Binance may add or drop (margin, futures, ...) are listed where they are on. The end of the right to trade
comes only with keys that have one.
"""

# mypy: allow-untyped-calls
# The library annotates few of its methods; what they answer is `object` here and parsed.

from __future__ import annotations

from runtime.adapters.binance.client import Connection
from runtime.adapters.binance.payloads import Row, as_object, flag, integer
from runtime.domain.api_key import KeyRights

_WHERE = "API key"
_END = "tradingAuthorityExpirationTime"
_JUDGED = frozenset({"enableReading", "enableSpotAndMarginTrading", "enableWithdrawals"})
_HARMLESS = frozenset({"enableFixReadOnly"})


def rights(connection: Connection) -> KeyRights:
    """What the connection's key may do; `Misconfigured` for one that Binance does not accept from here."""
    answer = connection.read(_WHERE, lambda session: session.get_account_api_permissions())
    row = as_object(answer, _WHERE)
    return KeyRights(
        reading=flag(row, "enableReading", _WHERE),
        trading=flag(row, "enableSpotAndMarginTrading", _WHERE),
        withdrawals=flag(row, "enableWithdrawals", _WHERE),
        ip_restricted=flag(row, "ipRestrict", _WHERE),
        expires_ms=(integer(row, _END, _WHERE) or None) if row.get(_END) is not None else None,
        others=tuple(sorted(_others(row))),
    )


def _others(row: Row) -> set[str]:
    """Names of further rights that are on: those that begin with `enable` or `permits`."""
    return {
        name
        for name, value in row.items()
        if value is True and name.startswith(("enable", "permits")) and name not in _JUDGED | _HARMLESS
    }
