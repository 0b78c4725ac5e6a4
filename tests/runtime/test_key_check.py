"""Live trading and the API key: one that may withdraw trades nothing; the verdict is asked for once a day and kept."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from runtime.adapters.simulated.conditions import PAPER, Fault, KeyTerms
from runtime.domain.alerts import Severity
from runtime.domain.api_key import TRUSTED_DAYS, account_digest, digest
from runtime.domain.report import CycleStatus, Report
from runtime.domain.slots import DAY_MS, HOUR_MS
from runtime.key_check import WHOSE
from tests.support.operators import left_open, put_state
from tests.support.worlds import ACCOUNT, KEY, LOOK_UP, RIGHTS, SECRET, Scene, scene

WITHDRAWS = KeyTerms(withdrawals=True)
SHUT = Fault(status=403, body="<html>blocked</html>")
"""Not tried again, so the clock that all threads of a test share stands still while it is met."""
LIVE = {
    "ENGINE_MODE": "live",
    "ENGINE_STORE": "sqlite",
    "BINANCE_API_KEY": KEY,
    "BINANCE_API_SECRET": SECRET,
    "TG_TOKEN": "123456:planted-token",
    "TG_CHAT_ID": "-100777",
}


@pytest.fixture(params=[False, True], ids=["in process", "over http"])
def account(request: pytest.FixtureRequest) -> Any:
    """A live account, by the real client where it is over HTTP."""
    with scene(http=request.param) as s:
        s.environment.update(LIVE)
        yield s


def refused(report: Report) -> bool:
    """Whether the hour ended as it must with a key that may withdraw."""
    return (report.exit_code, report.status) == (2, CycleStatus.BAD_SETTINGS) and "may withdraw" in report.error


def told(s: Scene, kind: str) -> int:
    return s.messenger.kinds().count(kind)


class TestWithdrawals:
    def test_a_key_that_may_withdraw_trades_nothing_and_ends_with_2(self, account: Scene) -> None:
        account.weather(key=WITHDRAWS)
        report = account.hour()
        assert refused(report)
        assert account.orders() == []
        assert [name for name in account.used if name.startswith("POST ")] == []
        (alert,) = [a for a in account.messenger.taken if a.kind == "withdraw_key"]
        assert (alert.severity, alert.facts) == (Severity.CRITICAL, {"account": "main"})
        assert "ENGINE_ALLOW_WITHDRAW_KEY=main" in report.error

    def test_it_is_told_as_one_incident_and_its_end_too(self, account: Scene) -> None:
        account.weather(key=WITHDRAWS)
        for hours in range(5):
            assert refused(account.next() if hours else account.hour())
        assert told(account, "withdraw_key") == 3  # its 1st, 2nd and 4th hour
        account.weather(key=KeyTerms())
        assert account.next().exit_code == 0
        assert told(account, "recovered") == 1
        assert account.orders()

    def test_the_right_taken_away_counts_in_the_next_hour_of_the_same_day(self, account: Scene) -> None:
        account.weather(key=WITHDRAWS)
        assert refused(account.hour())
        account.weather(key=KeyTerms())
        assert account.next().exit_code == 0

    def test_a_key_that_gets_the_right_is_refused_from_the_next_day_on(self, account: Scene) -> None:
        assert account.hour("2026-03-15T22Z").exit_code == 0
        account.weather(key=WITHDRAWS)
        assert account.next().exit_code == 0  # today's verdict stands
        assert refused(account.next())
        account.faults({RIGHTS: SHUT})
        report = account.next()
        assert report.exit_code == 3  # what was refused is not forgotten because nobody can ask

    def test_only_the_accounts_own_name_allows_it(self, account: Scene) -> None:
        account.weather(key=WITHDRAWS)
        for name in ("true", "1", "Main", "other"):
            assert refused(account.hour(allow_withdraw_key=name))
        assert account.hour(allow_withdraw_key="main").exit_code == 0
        assert account.orders()
        account.next(allow_withdraw_key="main")
        assert account.used[RIGHTS] == 0
        assert refused(account.next())  # the permission is gone: the kept verdict does not stand

    def test_a_dry_run_shows_what_the_live_hour_would_do(self, account: Scene) -> None:
        account.weather(key=WITHDRAWS)
        assert refused(account.hour(mode="dry_run"))


class TestCost:
    def test_one_call_a_day_and_one_at_once_when_the_key_changes(self, account: Scene) -> None:
        asked = []
        account.clock.set(account.clock.now_ms() + 10 * HOUR_MS)
        for hour in range(8):
            if hour == 2:
                account.environment["BINANCE_API_KEY"] = "n" * 64
            account.next()
            asked.append(account.used[RIGHTS])
        assert asked == [1, 0, 1, 0, 1, 0, 0, 0]

    def test_the_key_is_in_no_state_tape_report_or_alert(self, account: Scene) -> None:
        account.weather(key=replace(WITHDRAWS, ip_restricted=False))
        account.hour()
        account.weather(key=KeyTerms(ip_restricted=False))
        account.next()
        record = account.state.key
        assert record is not None
        assert record.digest == digest(record.salt, KEY)
        everything = json.dumps([account.reports.reports, account.reports.tapes], default=str)
        everything += f"{account.state}{account.messenger.taken}"
        assert record.digest in everything
        assert KEY not in everything
        assert SECRET not in everything


UID = 354_937_868
OTHERS = KeyTerms(uid=918_273_645)
ABORTED = (3, CycleStatus.ABORTED)


class TestAccount:
    """A key of another Binance account trades nothing, settles nothing, and says what to do."""

    def test_another_accounts_key_sends_nothing_and_changes_no_books(self, account: Scene) -> None:
        account.hour()
        before = account.state
        account.weather(key=OTHERS)
        for hours in (1, 2):
            report = account.next()
            assert (report.exit_code, report.status) == ABORTED, hours
            assert "put the key of that account back" in report.error
            assert "python -m runtime account --accept --why TEXT" in report.error
            assert [name for name in account.used if name.startswith("POST ")] == []
        after = account.state
        assert (after.ledger, after.drift, after.account_digest) == (before.ledger, {}, before.account_digest)
        assert (after.slot_done, after.dependencies) == (before.slot_done, {})  # the exchange itself is well
        alerts = [a for a in account.messenger.taken if a.kind == "other_account"]
        assert [(a.severity, a.facts) for a in alerts] == [(Severity.CRITICAL, {"account": "main"})] * 2
        account.weather(key=KeyTerms())
        assert account.next().exit_code == 0
        assert told(account, "recovered") == 1
        assert account.differences() == {}

    @pytest.mark.parametrize("sent", [False, True])
    def test_what_a_dead_hour_left_open_is_not_looked_for_in_another_account(
        self, account: Scene, *, sent: bool
    ) -> None:
        account.hour()
        intent = left_open(account, sent=sent)
        account.weather(key=OTHERS)
        account.environment["BINANCE_API_KEY"] = "n" * 64
        assert (account.next().exit_code, account.used[LOOK_UP]) == (3, 0)
        assert [found.id for found in account.state.open_intents] == [intent.id]
        account.weather(key=KeyTerms())
        account.environment["BINANCE_API_KEY"] = KEY
        assert [found.id for found in account.next().recovered] == [intent.id]
        assert account.differences() == {}

    def test_a_new_key_that_nobody_can_place_settles_nothing(self, account: Scene) -> None:
        account.hour()
        left_open(account, sent=True)
        account.environment["BINANCE_API_KEY"] = "n" * 64
        account.faults({ACCOUNT: SHUT})
        assert (account.next().exit_code, account.used[LOOK_UP]) == (3, 0)
        account.faults()
        assert account.next().recovered

    def test_the_known_key_settles_without_a_further_call(self, account: Scene) -> None:
        account.hour()
        left_open(account, sent=True)
        account.waves.clear()
        assert account.next().recovered
        assert not any(WHOSE in wave for wave in account.waves)

    def test_a_state_that_knows_of_no_account_takes_over_the_one_that_answers(self, account: Scene) -> None:
        account.hour()
        put_state(account, replace(account.state, account_digest=""))
        account.weather(key=OTHERS)
        assert account.next().exit_code == 0
        assert account.state.account_digest == account_digest(str(OTHERS.uid))
        account.weather(key=KeyTerms())
        assert account.next().exit_code == 3

    def test_an_account_that_tells_no_number_changes_nothing(self, account: Scene) -> None:
        account.hour()
        known = account.state.account_digest
        account.weather(key=KeyTerms(uid=None))
        assert account.next().exit_code == 0
        assert account.state.account_digest == known != ""

    def test_a_dry_run_refuses_it_too(self, account: Scene) -> None:
        account.hour()
        account.weather(key=OTHERS)
        assert account.next(mode="dry_run").exit_code == 3

    def test_the_number_itself_is_in_no_state_tape_report_or_alert(self, account: Scene) -> None:
        account.weather(key=KeyTerms(uid=UID))
        account.hour()
        account.weather(key=OTHERS)
        account.next()
        everything = json.dumps([account.reports.reports, account.reports.tapes], default=str)
        everything += f"{account.state}{account.messenger.taken}"
        assert account_digest(str(UID)) in everything
        assert str(UID) not in everything
        assert str(OTHERS.uid) not in everything

    def test_many_numbers_share_a_digest_so_none_can_be_read_back(self) -> None:
        assert len(account_digest(str(UID))) == 6
        assert account_digest(str(UID)) != account_digest(str(OTHERS.uid))


class TestUnreadable:
    def test_a_key_that_nobody_judged_does_not_begin(self, account: Scene) -> None:
        account.faults({RIGHTS: SHUT})
        report = account.hour()
        assert (report.exit_code, account.orders()) == (3, [])
        account.faults()
        assert account.next().exit_code == 0

    def test_a_known_key_goes_on_for_a_week_and_the_report_says_so(self, account: Scene) -> None:
        account.hour()
        account.faults({RIGHTS: SHUT})
        for _ in range(TRUSTED_DAYS):
            report = account.next(24)
            assert report.exit_code == 0
            assert "the verdict of 2026-03-15 stands" in report.problems["key"]
        assert account.next(24).exit_code == 3

    def test_a_new_key_has_no_older_verdict(self, account: Scene) -> None:
        account.hour()
        account.faults({RIGHTS: SHUT})
        account.environment["BINANCE_API_KEY"] = "n" * 64
        assert account.next().exit_code == 3

    def test_a_pause_that_is_asked_for_ends_the_hour(self, account: Scene) -> None:
        account.faults({RIGHTS: Fault(status=429, code=-1003, message="slow down", retry_after_s=1200)})
        assert account.hour().exit_code == 3
        assert "rate_limited" in account.messenger.kinds()


class TestToldOnce:
    def test_a_key_for_any_address_is_told_once_and_again_after_it_was_mended(self, account: Scene) -> None:
        account.weather(key=KeyTerms(ip_restricted=False))
        account.hour()
        for _ in range(4):
            account.next(24)
        assert told(account, "key_unrestricted") == 1
        account.weather(key=KeyTerms())
        account.next(24)
        account.weather(key=KeyTerms(ip_restricted=False))
        account.next(24)
        assert told(account, "key_unrestricted") == 2
        assert {a.severity for a in account.messenger.taken if a.kind == "key_unrestricted"} == {Severity.WARNING}

    def test_another_key_for_any_address_is_told_of_its_own(self, account: Scene) -> None:
        account.weather(key=KeyTerms(ip_restricted=False))
        account.hour()
        account.environment["BINANCE_API_KEY"] = "n" * 64
        account.next()
        assert told(account, "key_unrestricted") == 2

    def test_the_end_of_a_key_is_told_at_30_7_and_1_days_and_the_last_is_critical(self, account: Scene) -> None:
        account.weather(key=KeyTerms(expires_ms=account.clock.now_ms()))
        account.clock.set(account.clock.now_ms() - 32 * DAY_MS)
        account.hour()
        for _ in range(31):
            account.next(24)
        alerts = [a for a in account.messenger.taken if a.kind == "key_expiry"]
        assert [(a.facts["level"], a.facts["days"], a.severity) for a in alerts] == [
            ("30", "30", Severity.WARNING),
            ("7", "7", Severity.WARNING),
            ("1", "1", Severity.CRITICAL),
        ]
        assert alerts[0].facts["until"] == "2026-03-15 09:15 UTC"

    def test_paper_has_a_key_with_nothing_to_tell(self) -> None:
        with scene(PAPER) as s:
            s.hour()
            assert {"key_expiry", "key_unrestricted", "withdraw_key"}.isdisjoint(s.messenger.kinds())
