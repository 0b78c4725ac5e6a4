"""What an hour asks of Binance before it decides: how many calls, of what weight, in how many waves; what it keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from runtime.domain.candles import extended_series
from runtime.domain.control import Mode
from runtime.domain.market import DailySeries
from runtime.domain.orders import Status
from runtime.domain.slots import DAY_MS, date_at, day_start_ms, slot_start_ms
from runtime.domain.state import Position
from runtime.errors import BadSeries
from runtime.ports import Changes, DailyCache
from tests.support.worlds import (
    ACCOUNT,
    CLOCK,
    DOWN,
    EARN,
    FIRST,
    KLINES,
    MINUTES_PAST_MS,
    ORDER,
    PAIRS,
    POOL_11,
    POSITIONS,
    PRICES,
    RIGHTS,
    Pool,
    Scene,
    release,
    scene,
)

SENDS = frozenset({ORDER, f"POST {EARN}/subscribe", f"POST {EARN}/redeem"})
SETTLING = frozenset({f"GET {EARN}/list", f"GET {EARN}/personalLeftQuota", f"GET {EARN}/history/subscriptionRecord",
                      f"GET {EARN}/history/redemptionRecord"})  # fmt: skip
READS = frozenset({ACCOUNT, PRICES, CLOCK, KLINES, PAIRS, POSITIONS, RIGHTS})
ASKED_OF_BINANCE = ("clock", "prices", "account", "earn", "instruments", "1d ", "1h ")


@pytest.fixture(params=[False, True], ids=["in process", "over http"])
def account(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """An account that exists already, with a pool of eleven, on the eve of the day that is measured."""
    with scene(pool=Pool(release(POOL_11)), http=request.param) as s:
        s.environment["STRATEGY_ARTIFACT_EXPECTED_SIZE"] = "11"
        s.control(mode=Mode.HALT)
        s.hour("2026-03-14T23Z")
        yield s


def before_the_decision(s: Scene) -> Counter[str]:
    """The hour's calls without those that sending needed (it sent nothing that reads prices or balances again)."""
    return Counter({name: count for name, count in s.used.items() if name in READS})


def waves_to_binance(s: Scene) -> int:
    return sum(any(name.startswith(ASKED_OF_BINANCE) for name in wave) for wave in s.waves)


def test_the_first_hour_of_a_day_costs_at_most_18_calls_and_75_of_weight(account: Scene) -> None:
    account.hour("2026-03-15T00Z")
    used = before_the_decision(account)
    assert used.total() == account.used.total() <= 18
    assert sum(weight for name, weight in account.weight.items() if " /api/" in name) <= 75
    assert used[POSITIONS] == 1
    assert used[KLINES] == 12
    assert waves_to_binance(account) <= 3


def test_a_cold_start_costs_no_more_than_the_first_hour_of_a_day(account: Scene) -> None:
    empty = Changes(account.state, cache=DailyCache(), release=True)
    account.store.commit(account.store.take_lease(account.store.load(), "test", FIRST, 420), empty)
    account.hour("2026-03-15T00Z")
    assert account.used.total() == 18
    assert sum(weight for name, weight in account.weight.items() if " /api/" in name) == 69


def test_every_later_hour_of_the_day_costs_at_most_4_calls_and_no_daily_candles(account: Scene) -> None:
    account.hour("2026-03-15T00Z")
    for _ in range(23):
        account.next()
        assert account.used.total() <= 4
        assert account.used[KLINES] == 0
        assert account.used[POSITIONS] == 1
        assert waves_to_binance(account) == 1


def test_a_held_symbol_costs_one_call_more_for_its_hourly_highs(account: Scene) -> None:
    account.control()
    account.hour("2026-03-15T00Z")
    held = len(account.state.positions.keys() - {"BTCUSDT", "BNBUSDT"})
    assert held == 2
    account.control(mode=Mode.HALT)
    account.next()
    assert account.used.total() == 4 + held
    assert account.used[KLINES] == held
    account.hour("2026-03-16T00Z")
    assert account.used.total() <= 18 + held


def test_dust_is_not_held_and_costs_no_call() -> None:
    with scene() as s:
        s.hour()
        dust = Position(Decimal(2), Decimal("0.0005"), s.clock.now_ms())
        dusty = replace(s.state, positions={**s.state.positions, "ETHUSDT": dust})
        s.store.commit(s.store.take_lease(s.store.load(), "test", FIRST, 420), Changes(dusty, release=True))
        s.next()
        assert s.used[KLINES] == 1


def test_four_orders_add_at_most_8_calls_and_no_sleep(account: Scene) -> None:
    account.control()
    report = account.hour("2026-03-15T00Z")
    assert [order.status for order in report.orders] == [Status.DONE] * 4
    added = account.used.total() - account.used[KLINES] - 4
    assert account.used[ORDER] == 4
    earn = sum(account.used[name] for name in (*SETTLING, *SENDS - {ORDER}))
    assert added - earn <= 8
    assert account.clock.now_ms() == slot_start_ms("2026-03-15T00Z") + MINUTES_PAST_MS


def test_two_waves_read_the_account_once_and_the_market_once(account: Scene) -> None:
    account.hour("2026-03-15T00Z")
    asked = [name for wave in account.waves for name in wave]
    assert len(asked) == len(set(asked))
    assert asked.count("lease") == 1


def test_a_symbol_whose_candles_fail_is_asked_for_again_next_hour(account: Scene) -> None:
    account.faults({KLINES: DOWN})
    report = account.hour("2026-03-15T00Z")
    assert report.exit_code == 0
    account.faults()
    account.next()
    assert account.used[KLINES] == 12
    account.next()
    assert account.used[KLINES] == 0


def planted(s: Scene, series: DailySeries) -> None:
    """Put another series into the cache."""
    cache = s.store.cache()
    changed = replace(cache, series={**cache.series, series.symbol: series})
    held = s.store.take_lease(s.store.load(), "test", FIRST, 420)
    s.store.commit(held, Changes(s.state, cache=changed, release=True))


@pytest.mark.parametrize("days", [-40, -1, 2])
def test_cached_candles_older_or_newer_than_yesterday_end_up_as_the_exchange_has_them(days: int) -> None:
    with scene() as s, scene() as twin:
        twin.hour("2026-03-15T09Z")
        right = twin.store.cache().series["ETHUSDT"]
        s.hour("2026-03-14T09Z")
        old = s.store.cache().series["ETHUSDT"]
        if days < 0:
            cut = slice(None, days)
            planted(s, replace(old, high=old.high[cut], low=old.low[cut], close=old.close[cut],
                               quote_volume=old.quote_volume[cut]))  # fmt: skip
        else:
            planted(s, replace(old, first_open_ms=old.first_open_ms + days * DAY_MS))
        s.hour("2026-03-15T09Z")
        assert s.store.cache().series["ETHUSDT"] == right
        assert right.last_open_ms == day_start_ms(date_at(s.clock.now_ms())) - DAY_MS


def made(first_day: int, days: int) -> DailySeries:
    column = tuple(float(first_day + at + 1) for at in range(days))
    return DailySeries("ETHUSDT", first_day * DAY_MS, column, column, column, column)


@pytest.mark.parametrize("first_day", [9, 16])
def test_candles_that_do_not_continue_the_cached_ones_are_refused(first_day: int) -> None:
    with pytest.raises(BadSeries, match="continue"):
        extended_series(made(10, 5), made(first_day, 5), 400)


def test_candles_that_continue_the_cached_ones_join_without_a_shift() -> None:
    joined, revised = extended_series(made(10, 5), made(14, 3), 400)
    assert (joined, revised) == (made(10, 7), {})
