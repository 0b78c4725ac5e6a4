"""The key check: no hour trades with an API key that may withdraw, or with that of another account; and the operator
hears of one that runs out.

Asked for beside the first reads, once a UTC day and at once when the key changes; in between the verdict in the state
stands, so the check costs no call. It is judged in every mode alike: a dry run shows what the live hour would do.

Whose account it is, every answer of the account tells, so the hour looks whenever it takes one. Where a dead hour left
something open, recovery asks before the account is read: there a key that is not the known one is asked for its account
first, because another account's history would prove every order of ours absent.

A verdict that cannot be read is no verdict. A key that was found good within the last week goes on trading, because a
stop must not be left alone for one endpoint that is down; a key that nobody judged yet does not begin.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import cast

from runtime.domain.alerts import AlertKind
from runtime.domain.api_key import UNRESTRICTED, KeyRecord, KeyRights, expiry_level, noted
from runtime.domain.changing import changed
from runtime.domain.market import Account
from runtime.domain.slots import minute_text, slot_date
from runtime.domain.state import State
from runtime.errors import OtherAccount, WithdrawKey
from runtime.hour import Hour
from runtime.ports import World
from runtime.run_settings import Settings

KEY, WHOSE = "key", "whose key"


def key_call(settings: Settings, world: World, state: State | None, slot: str) -> Mapping[str, Callable[[], object]]:
    """The calls that ask what the key may do, and whose it is where recovery comes first; none where today's verdict on
    this key is known, and lets it trade.
    """
    record = state.key if state is not None else None
    known = record is not None and _same(world, record)
    calls: dict[str, Callable[[], object]] = {}
    if state is not None and state.open_intents and state.account_digest and not known:
        calls[WHOSE] = world.exchange.account
    if record is None or record.day != slot_date(slot) or not _lets_trade(settings, world, record):
        calls[KEY] = world.exchange.key_rights
    return calls


def heed_account(hour: Hour, account: Account) -> None:
    """Remember whose account it is when that is first seen; `OtherAccount` where it is not the one of the state."""
    if not account.digest or account.digest == hour.state.account_digest:
        return
    if hour.state.account_digest:
        raise OtherAccount(hour.settings.account)
    hour.state = changed(hour.state, account_digest=account.digest)


def heed_key(hour: Hour, answers: Mapping[str, object]) -> None:
    """Judge what was asked for: `OtherAccount`, `WithdrawKey`, or the error of a key that nobody could judge."""
    whose = answers.get(WHOSE)
    if isinstance(whose, Exception):
        raise whose
    if whose is not None:
        heed_account(hour, cast("Account", whose))
    answer = answers.get(KEY)
    if answer is None:
        return
    if isinstance(answer, Exception):
        _go_on_without(hour, answer)
        return
    rights = cast("KeyRights", answer)
    if refused(hour.settings, rights):
        hour.state = changed(hour.state, key=None)
        raise WithdrawKey(hour.settings.account)
    known_key = hour.state.key is not None and _same(hour.world, hour.state.key)
    before = hour.state.key if known_key else None
    # No secret: it keeps the digests of one key in two accounts apart.
    salt = before.salt if before is not None else f"{hour.settings.account} {hour.slot}"
    fresh = KeyRecord(salt, hour.world.key_digest(salt), slot_date(hour.slot), rights)
    known, news = noted(fresh, before, hour.now_ms())
    hour.state = changed(hour.state, key=known)
    _tell(hour, rights, news)


def refused(settings: Settings, rights: KeyRights) -> bool:
    """Whether no hour may trade with the key: it may withdraw, and the setting does not name the account."""
    return rights.withdrawals and settings.allow_withdraw_key != settings.account


def _same(world: World, record: KeyRecord) -> bool:
    """Whether the verdict is on the key that this run holds."""
    return record.digest == world.key_digest(record.salt)


def _lets_trade(settings: Settings, world: World, record: KeyRecord) -> bool:
    return _same(world, record) and not refused(settings, record.rights)


def _go_on_without(hour: Hour, error: Exception) -> None:
    """Trade on an older verdict, and say so in the report; the error where there is none to be trusted."""
    record = hour.state.key
    if (
        record is None
        or not _lets_trade(hour.settings, hour.world, record)
        or not record.fresh_on(slot_date(hour.slot))
    ):
        raise error
    hour.problems[KEY] = f"{error}; the verdict of {record.day} stands"


def _tell(hour: Hour, rights: KeyRights, news: Collection[str]) -> None:
    """Tell what is new of the key, each thing once."""
    if UNRESTRICTED in news:
        hour.tell(AlertKind.KEY_UNRESTRICTED)
    days = rights.days_left(hour.now_ms())
    if rights.expires_ms is not None and set(news) - {UNRESTRICTED}:
        level, until = expiry_level(rights, hour.now_ms()), minute_text(rights.expires_ms)
        hour.tell(AlertKind.KEY_EXPIRY, until=until, days=str(days), level=str(level))
