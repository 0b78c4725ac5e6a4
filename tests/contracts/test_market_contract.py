"""The MarketData port's contract, held in process and by the Binance adapter over a socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest

from runtime.adapters.simulated.conditions import Conditions, Fault, Limits, Script
from runtime.domain.slots import DAY_MS, HOUR_MS
from runtime.errors import EngineError, LocationBlocked, Misconfigured, RateLimited, Rejected, Unavailable
from tests.support.exchanges import HISTORY_MS, HISTORY_PAIRS, IN_PROCESS, OVER_HTTP, WAYS, Desk, desk
from tests.support.shop import NOW_MS, PRICES

READS: Mapping[str, Callable[[Desk], object]] = {
    "GET /api/v3/time": lambda d: d.market.server_time_ms(),
    "GET /api/v3/ticker/price": lambda d: d.market.prices(),
    "GET /api/v3/exchangeInfo": lambda d: d.market.instruments(["BTCUSDT"]),
    "GET /api/v3/klines": lambda d: d.market.candles("BTCUSDT", "1d", None, 5),
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def here(way: str) -> Iterator[Desk]:
    with desk(way) as opened:
        yield opened


def test_the_clock_is_the_exchanges_and_not_this_machines(way: str) -> None:
    with desk(way, Conditions(skew_ms=-1500)) as here:
        assert here.market.server_time_ms() == NOW_MS - 1500


def test_all_prices_come_at_once_and_exact(here: Desk) -> None:
    prices = here.market.prices()
    assert set(prices) >= set(PRICES)
    assert str(prices["DOGEUSDT"].normalize()) == "0.12345"


def test_pairs_come_with_the_servers_time_and_only_those_named(here: Desk) -> None:
    server_ms, pairs = here.market.instruments(["ETHUSDT", "BTCUSDT"])
    assert server_ms == NOW_MS
    assert set(pairs) == {"BTCUSDT", "ETHUSDT"}
    assert pairs["ETHUSDT"].tradable


def test_a_halted_pair_says_so(here: Desk) -> None:
    here.simulated.events.halt("ETHUSDT")
    assert not here.market.instruments(["ETHUSDT"])[1]["ETHUSDT"].tradable


def test_one_unknown_pair_fails_the_whole_call(here: Desk) -> None:
    with pytest.raises(Rejected) as caught:
        here.market.instruments(["BTCUSDT", "NOSUCHUSDT"])
    assert caught.value.code == -1121


def test_candles_of_an_unknown_pair_are_rejected(here: Desk) -> None:
    with pytest.raises(Rejected) as caught:
        here.market.candles("NOSUCHUSDT", "1d", None, 5)
    assert caught.value.code == -1121


@pytest.mark.parametrize(("interval", "step_ms"), [("1d", DAY_MS), ("1h", HOUR_MS)])
def test_candles_are_oldest_first_on_their_grid_and_end_with_the_open_one(
    way: str, interval: str, step_ms: int
) -> None:
    with desk(way, history=True) as here:
        candles = here.market.candles("BTCUSDT", interval, None, 5)
    times = [candle.open_time_ms for candle in candles]
    assert times == [HISTORY_MS // step_ms * step_ms - n * step_ms for n in (4, 3, 2, 1, 0)]


def test_candles_from_a_moment_on_are_the_oldest_ones_after_it(way: str) -> None:
    since = HISTORY_MS // DAY_MS * DAY_MS - 9 * DAY_MS
    with desk(way, history=True) as here:
        candles = here.market.candles("BTCUSDT", "1d", since, 3)
    assert [candle.open_time_ms for candle in candles] == [since, since + DAY_MS, since + 2 * DAY_MS]


def test_both_ways_see_the_same_market_to_the_last_digit() -> None:
    with desk(IN_PROCESS, history=True) as one, desk(OVER_HTTP, history=True) as other:
        prices = one.market.prices()
        assert prices
        assert prices == other.market.prices()
        assert one.market.instruments(HISTORY_PAIRS) == other.market.instruments(HISTORY_PAIRS)
        for symbol in HISTORY_PAIRS:
            for interval in ("1d", "1h"):
                seen = one.market.candles(symbol, interval, None, 700)
                assert len(seen) > 24
                assert list(seen) == list(other.market.candles(symbol, interval, None, 700))


FAULTS: list[tuple[Fault, type[EngineError]]] = [
    (Fault(drop=True), Unavailable),
    (Fault(status=500, code=-1000, message="An unknown error occurred."), Unavailable),
    (Fault(status=503, code=-1008, message="Server is currently overloaded."), Unavailable),
    (Fault(status=502, body="<html>bad gateway</html>"), Unavailable),
    (Fault(status=403, body="<html>blocked</html>"), Misconfigured),
    (Fault(status=451, message="Service unavailable from a restricted location"), LocationBlocked),
    (Fault(status=401, code=-2015, message="Invalid API-key, IP, or permissions for action."), Misconfigured),
    (Fault(status=429, code=-1003, message="Too much request weight used", retry_after_s=9), RateLimited),
    (Fault(status=418, code=-1003, message="Way too much request weight used", retry_after_s=300), RateLimited),
    (Fault(status=400, code=-1102, message="Mandatory parameter was not sent"), Rejected),
]


@pytest.mark.parametrize("endpoint", READS)
@pytest.mark.parametrize(("fault", "error"), FAULTS, ids=str)
def test_each_read_fails_as_the_port_says(way: str, endpoint: str, fault: Fault, error: type[EngineError]) -> None:
    with desk(way, Conditions(faults=Script({endpoint: {0: fault}}))) as here:
        with pytest.raises(error) as caught:
            READS[endpoint](here)
        assert type(caught.value) is error


def test_a_limit_says_when_to_go_on_and_then_it_does(way: str) -> None:
    with desk(way, Conditions(limits=Limits(weight_1m=30))) as here:
        for _ in range(7):
            here.market.prices()
        with pytest.raises(RateLimited) as caught:
            here.market.prices()
        assert NOW_MS < caught.value.retry_at_ms <= NOW_MS + 60_000
        with pytest.raises(RateLimited):
            here.market.prices()
        here.clock.set(caught.value.retry_at_ms)
        assert here.market.prices()


def test_a_calm_exchange_is_asked_once_for_each_read(here: Desk) -> None:
    for read in READS.values():
        read(here)
    assert dict(here.simulated.calls) == dict.fromkeys(READS, 1)
