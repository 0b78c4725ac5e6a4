"""Downloading candles: what a killed, limited, refused or repeated download leaves is what the exchange has.

Over real HTTP: the simulated exchange, or a scripted server with Binance's paths; the command as a real process.
"""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.adapters.binance.client import Connection, Hosts
from runtime.adapters.binance.klines import BinanceKlines
from runtime.adapters.candles import CandleArchive, read_candles
from runtime.adapters.candles.cache import ENTRIES_MAX
from runtime.adapters.candles.faults import SHOWN_MAX
from runtime.adapters.candles.findings import PROBLEMS_MAX
from runtime.adapters.clock import SimulatedClock
from runtime.adapters.simulated.conditions import Conditions, Limits
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.adapters.simulated.markets import FolderMarket
from runtime.adapters.simulated.server import SimulatedServer
from runtime.adapters.simulated.wire import Credentials
from runtime.domain.candle_columns import WARMUP_DAYS, CandleQuery
from runtime.domain.downloads import PAGE_ROWS, SETTLED_MS, SHARE, KlineFile, Span
from runtime.domain.slots import DAY_MS, HOUR_MS, MINUTE_MS
from runtime.download import PAUSE_MAX_MS, Download, Downloaded, Step
from runtime.download_command import MARKET_DATA
from runtime.errors import BadCandles, BadPayload, Misconfigured, Rejected, Unavailable
from tests.support.candle_files import day_rows, put, rows
from tests.support.folders import HEADER
from tests.support.http_stub import Fate, HttpStub, Reply, Seen
from tests.support.klines_listed import INFO, KLINES, T0, ListedKlines, Listing, klines_reply, row, serve
from tests.support.sources import ROOT

NOW_MS = T0 + 150 * DAY_MS + 10 * MINUTE_MS
QUARTER = Span(T0, T0 + 100 * DAY_MS)  # three pages
BTC, BTC_DAYS = KlineFile("1h", "BTCUSDT"), KlineFile("1d", "BTCUSDT")
ETH = KlineFile("1h", "ETHUSDT")


def kept(folder: Path, file: KlineFile) -> list[str]:
    """The rows of a file as they stand there."""
    path = folder / file.name
    return gzip.decompress(path.read_bytes()).decode().splitlines()[1:] if path.exists() else []


def contents(folder: Path) -> dict[str, bytes]:
    """Everything in a folder by its relative name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def simulated(
    folder: Path, conditions: Conditions
) -> Iterator[tuple[SimulatedExchange, SimulatedClock, BinanceKlines]]:
    """The simulated exchange over a market folder, behind a socket, and the real client before it."""
    clock = SimulatedClock(NOW_MS)
    exchange = SimulatedExchange(FolderMarket(folder, clock), clock, conditions)
    with SimulatedServer(exchange, Credentials("k" * 64, "s" * 64)) as server:
        connection = Connection(clock, hosts=Hosts(market=server.url))
        yield exchange, clock, BinanceKlines(connection)
        connection.session.close_connection()


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a year of two pairs, one of them listed late, with two outages."""
    folder = tmp_path_factory.mktemp("market")
    btc = [*rows(0, 500), *rows(504, 2300), *rows(2301, 24 * 150)]
    put(folder, "1h/BTCUSDT.csv.gz", btc)
    put(folder, "1d/BTCUSDT.csv.gz", day_rows(0, 150))
    put(folder, "1h/ETHUSDT.csv.gz", rows(1000, 24 * 150))
    put(folder, "1d/ETHUSDT.csv.gz", day_rows(41, 150))
    return folder


def test_what_is_downloaded_over_http_is_what_the_exchange_has(tmp_path: Path, market: Path) -> None:
    wanted = {KlineFile(i, s): QUARTER for s in ("BTCUSDT", "ETHUSDT") for i in ("1h", "1d")}
    told: list[Step] = []
    with simulated(market, Conditions()) as (exchange, clock, source):
        done = Download(source, CandleArchive(tmp_path), clock, told.append).run(wanted)
        asked = exchange.venue.meter.calls[KLINES]
    query = CandleQuery(QUARTER.start_ms, QUARTER.end_ms)
    got, real = read_candles(tmp_path, query), read_candles(market, query)
    for symbol, columns in real.hourly.items():
        assert got.hourly[symbol].candles(0, 9999) == columns.candles(0, 9999)
        assert got.daily[symbol].close == real.daily[symbol].close
    assert got.notes == real.notes
    assert done.rows["1h/BTCUSDT.csv.gz"] == 2400 - 5
    assert done.pages == asked == 3 + 1 + 2 + 1
    assert [step.done_ms for step in told] == sorted(step.done_ms for step in told)
    assert told[-1].done_ms == told[-1].total_ms == 4 * QUARTER.length_ms


def test_every_digit_of_the_exchange_is_kept(tmp_path: Path) -> None:
    listing = Listing(NOW_MS)
    with HttpStub() as stub:
        serve(stub, listing)
        run(stub, tmp_path, {BTC: QUARTER})
    assert kept(tmp_path, BTC) == listing.lines(BTC, QUARTER)
    assert kept(tmp_path, BTC)[0] == (
        "1609459200000,70000.10000000,70002.00000000,69999.50000000,70001.00000001,12345678900.12345678,"
        "912345678900.12345678,42"
    )


def run(
    stub: HttpStub, folder: Path, wanted: dict[KlineFile, Span], clock: SimulatedClock | None = None
) -> Downloaded:  # fmt: skip
    """A download from a scripted server, through the real client."""
    clock = clock or SimulatedClock(NOW_MS)
    connection = Connection(clock, hosts=Hosts(market=stub.origin))
    try:
        return Download(BinanceKlines(connection), CandleArchive(folder), clock).run(wanted)
    finally:
        connection.session.close_connection()


def fetch(folder: Path, listing: Listing, wanted: dict[KlineFile, Span], rows_max: int = 1000) -> ListedKlines:
    """A download without a network."""
    source = ListedKlines(listing, rows_max)
    Download(source, CandleArchive(folder), SimulatedClock(listing.now_ms)).run(wanted)
    return source


spans = st.tuples(st.integers(-60, 60), st.integers(1, 50)).map(
    lambda pair: Span(T0 + pair[0] * HOUR_MS, T0 + (pair[0] + pair[1]) * HOUR_MS)
)


@settings(max_examples=25)
@given(data=st.data())
def test_the_table_that_stands_in_for_the_exchange_answers_as_the_real_client_does(data: st.DataObject) -> None:
    """Both are sources of the same candles: any span gives the same page."""
    closed = {T0 + at * HOUR_MS for at in data.draw(st.sets(st.integers(-20, 40), max_size=20))}
    listing = Listing(T0 + 30 * HOUR_MS, {"BTCUSDT": T0 - 15 * HOUR_MS}, closed=closed)
    with served(listing) as source:
        for _ in range(5):
            span = data.draw(spans)
            mine, real = ListedKlines(listing).page(BTC, span), source.page(BTC, span)
            assert mine.rows == real.rows
        with pytest.raises(Rejected, match="-1121"):
            source.page(ETH, QUARTER)


@contextmanager
def served(listing: Listing) -> Iterator[BinanceKlines]:
    """The real client before a scripted server."""
    with HttpStub() as stub:
        serve(stub, listing)
        connection = Connection(SimulatedClock(NOW_MS), hosts=Hosts(market=stub.origin))
        yield BinanceKlines(connection)
        connection.session.close_connection()


def test_only_candles_that_closed_a_while_ago_are_kept_and_the_rest_comes_with_the_next_run(tmp_path: Path) -> None:
    wanted = {BTC: Span(T0, T0 + 10 * HOUR_MS), BTC_DAYS: Span(T0 - DAY_MS, T0 + 9 * DAY_MS)}
    for now_ms, hours in ((T0 + 3 * HOUR_MS + 4 * MINUTE_MS, 2), (T0 + 3 * HOUR_MS + 5 * MINUTE_MS, 3)):
        fetch(tmp_path, Listing(now_ms), wanted)
        assert len(kept(tmp_path, BTC)) == hours
        assert len(kept(tmp_path, BTC_DAYS)) == 1, "today is open"
    fetch(tmp_path, Listing(T0 + 5 * DAY_MS), wanted)
    assert (len(kept(tmp_path, BTC)), len(kept(tmp_path, BTC_DAYS))) == (10, 5)


def test_nothing_is_asked_twice(tmp_path: Path) -> None:
    listing = Listing(NOW_MS)
    assert len(fetch(tmp_path, listing, {BTC: QUARTER}).asked) == 3
    before = contents(tmp_path)
    assert fetch(tmp_path, listing, {BTC: QUARTER}).asked == []
    assert contents(tmp_path) == before
    longer = Span(T0 - 50 * HOUR_MS, QUARTER.end_ms + 70 * HOUR_MS)
    asked = fetch(tmp_path, listing, {BTC: longer}).asked
    assert [span.length_ms // HOUR_MS for _, span in asked] == [50, 70]
    assert kept(tmp_path, BTC) == listing.lines(BTC, longer)


@settings(max_examples=40)
@given(
    asked=st.lists(spans, min_size=1, max_size=5),
    closed=st.sets(st.integers(-70, 120)),
    since=st.integers(-80, 60),
    rows_max=st.integers(1, 40),
)
def test_whatever_spans_are_asked_for_the_file_holds_all_there_is_between_them(
    asked: list[Span], closed: set[int], since: int, rows_max: int
) -> None:
    listing = Listing(NOW_MS, {"BTCUSDT": T0 + since * HOUR_MS}, closed={T0 + at * HOUR_MS for at in closed})
    with tempfile.TemporaryDirectory() as name:
        folder, whole = Path(name), None
        for span in asked:
            fetch(folder, listing, {BTC: span}, rows_max)
            had_rows = whole is not None or listing.lines(BTC, span)
            if had_rows:
                whole = span if whole is None else _around(whole, span)
            assert kept(folder, BTC) == (listing.lines(BTC, whole) if whole else [])
            assert not list(folder.rglob("*.part"))


def _around(first: Span, second: Span) -> Span:
    return Span(min(first.start_ms, second.start_ms), max(first.end_ms, second.end_ms))


class KillAt:
    """Kills a process when the exchange hears the call of that number, before it answers."""

    def __init__(self, number: int) -> None:
        self.number, self.process = number, None

    process: subprocess.Popen[str] | None

    def heard(self, count: int) -> None:
        """The exchange hears a call."""
        if count == self.number and self.process is not None:
            self.process.kill()


def command(folder: Path, origin: str, *more: str) -> list[str]:
    return [
        *(sys.executable, str(ROOT / "run_cycle_replay.py"), "--download", "BTCUSDT,ETHUSDT"),
        *("--to-folder", str(folder), "--from", "2021-01", "--to", "2021-04", "--market-data", origin, *more),
    ]


def start(arguments: Sequence[str]) -> subprocess.Popen[str]:
    """The command as a process of its own, without anything of this one's environment but PATH."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    return subprocess.Popen(arguments, env=environment, stdout=pipe, stderr=pipe, text=True, cwd=ROOT)


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=100)
    return process.returncode, out, err


@pytest.mark.slow
def test_a_download_that_is_killed_again_and_again_ends_like_one_that_was_not(tmp_path: Path) -> None:
    """The real command, killed by SIGKILL at every third call, until a run gets through."""
    listing = Listing(NOW_MS, {"BTCUSDT": T0 - 900 * DAY_MS, "ETHUSDT": T0 + 20 * DAY_MS})
    with HttpStub() as stub:
        serve(stub, listing)
        assert finished(start(command(tmp_path / "whole", stub.origin)))[0] == 0
        whole_calls = stub.count(KLINES)
        kill = KillAt(3)

        def answer(seen: Seen) -> Reply:
            heard[0] += 1
            kill.heard(heard[0])
            return klines_reply(seen, listing, {})

        stub.on(KLINES, answer)
        kills, calls = 0, 0
        while True:
            heard = [0]
            kill.process = start(command(tmp_path / "killed", stub.origin))
            code, _, _ = finished(kill.process)
            calls += heard[0]
            if code == 0:
                break
            assert code == -signal.SIGKILL
            kills += 1
        assert kills >= 3
    assert calls == whole_calls + kills, "but for the call that was never answered, none is made again"
    whole = contents(tmp_path / "whole")
    assert contents(tmp_path / "killed") == whole
    assert {"1h/BTCUSDT.csv.gz", "1d/BTCUSDT.csv.gz", "1h/ETHUSDT.csv.gz", "1d/ETHUSDT.csv.gz"} < set(whole)


@pytest.mark.slow
def test_a_kill_at_any_file_operation_changes_nothing_of_what_the_next_run_ends_with() -> None:
    memory = Path("/dev/shm")  # a hundred downloads flush every page to the disk: not worth a real one's time
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as place:
        code, out, err = finished(start([sys.executable, "-m", "tests.support.download_kills", place]))
    assert code == 0, err
    digests = [line.split()[1] for line in out.splitlines()]
    assert len(digests) > 80
    assert set(digests) == {digests[-1]}, "the last run was not killed"


def test_two_downloads_never_work_in_one_folder(tmp_path: Path) -> None:
    with CandleArchive(tmp_path).opened(), pytest.raises(Unavailable, match="another download is at work here"):
        fetch(tmp_path, Listing(NOW_MS), {BTC: QUARTER})
    fetch(tmp_path, Listing(NOW_MS), {BTC: QUARTER})


def test_half_the_weight_of_a_minute_is_used_and_no_more_whoever_else_uses_it(tmp_path: Path) -> None:
    """Of 100 a minute, 50; the engine at the same address takes 16 of them in the first minute."""
    names = ["BTCUSDT", *(f"A{number}USDT" for number in range(60))]
    for name in names:
        put(tmp_path / "market", f"1h/{name}.csv.gz", rows(0, 150 * 24) if name == "BTCUSDT" else rows(0, 24))
    used: dict[int, int] = {}
    with simulated(tmp_path / "market", Conditions(limits=Limits(weight_1m=100))) as (exchange, clock, source):
        meter = exchange.venue.meter

        def tell(_: Step) -> None:
            used[clock.now_ms() // MINUTE_MS] = meter.used(KLINES, clock.now_ms())

        meter.used(KLINES, clock.now_ms())
        meter.charge("GET /api/v3/account", 16)
        wanted = {KlineFile("1h", name): Span(T0, T0 + 24 * HOUR_MS) for name in names}
        Download(source, CandleArchive(tmp_path / "got"), clock, tell).run(wanted)
    assert list(used.values()) == [20 + 16 + 14, 50, 50, 8], "61 pages of weight 2, after exchangeInfo's 20"


def asked_for_a_pause(seconds: int) -> Callable[[Seen], Reply]:
    return lambda _: Reply(429, {"code": -1003, "msg": "Too much request weight used"}, {"Retry-After": str(seconds)})


class Timed:
    """Notes when each call was heard."""

    def __init__(self, clock: SimulatedClock, *answers: Callable[[Seen], Reply] | Fate | Reply) -> None:
        self.clock, self.answers, self.heard_ms = clock, list(answers), list[int]()

    def __call__(self, seen: Seen) -> Reply:
        self.heard_ms.append(self.clock.now_ms())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        assert callable(answer)
        return answer(seen)


@pytest.mark.parametrize("status", [429, 418])
def test_no_call_is_made_in_a_pause_that_the_exchange_asked_for(tmp_path: Path, status: int) -> None:
    clock, listing = SimulatedClock(NOW_MS), Listing(NOW_MS)
    limited = Reply(status, {"code": -1003, "msg": "Way too much request weight used"}, {"Retry-After": "37"})
    with HttpStub() as stub:
        serve(stub, listing)
        calls = Timed(clock, lambda _: limited, lambda seen: klines_reply(seen, listing, {}))
        stub.on(KLINES, calls)
        run(stub, tmp_path, {BTC: QUARTER}, clock)
    assert kept(tmp_path, BTC) == listing.lines(BTC, QUARTER)
    assert calls.heard_ms[1] - calls.heard_ms[0] >= 37_000


def test_a_long_ban_ends_the_run_at_once_and_says_when_to_come_back(tmp_path: Path) -> None:
    clock, listing = SimulatedClock(NOW_MS), Listing(NOW_MS)
    banned = Reply(418, {"code": -1003, "msg": "Way too much request weight used; banned"}, {"Retry-After": "7200"})
    with HttpStub() as stub:
        serve(stub, listing)
        stub.on(KLINES, lambda seen: klines_reply(seen, listing, {}), banned)
        with pytest.raises(Unavailable, match="no requests before 2021-05-31 02:10 UTC; run the same command again"):
            run(stub, tmp_path, {BTC: QUARTER}, clock)
        assert stub.count(KLINES) == 2
        assert clock.now_ms() == NOW_MS
        serve(stub, listing)
        run(stub, tmp_path, {BTC: QUARTER}, clock)
        assert stub.count(KLINES) == 2 + 2, "the page from before the ban was kept"
    assert kept(tmp_path, BTC) == listing.lines(BTC, QUARTER)


@pytest.mark.parametrize("fault", [Reply(503, "busy"), Fate.CUT, Fate.HALF, Reply(500, {"code": -1001})])
def test_what_passes_is_waited_for(tmp_path: Path, fault: Reply | Fate) -> None:
    listing = Listing(NOW_MS)
    with HttpStub() as stub:
        serve(stub, listing)
        stub.on(KLINES, fault, fault, fault, fault, lambda seen: klines_reply(seen, listing, {}))
        run(stub, tmp_path, {BTC: QUARTER})
    assert kept(tmp_path, BTC) == listing.lines(BTC, QUARTER)


def test_what_does_not_pass_ends_the_run_and_what_was_fetched_is_kept(tmp_path: Path) -> None:
    listing = Listing(NOW_MS)
    with HttpStub() as stub:
        serve(stub, listing)
        stub.on(KLINES, lambda seen: klines_reply(seen, listing, {}), Reply(503, "busy"))
        with pytest.raises(Unavailable, match="what was fetched is kept; run the same command again"):
            run(stub, tmp_path, {BTC: QUARTER})
        serve(stub, listing)
        done = run(stub, tmp_path, {BTC: QUARTER})
    assert done.pages == 2
    assert kept(tmp_path, BTC) == listing.lines(BTC, QUARTER)


def test_a_place_that_is_not_served_is_told_at_once(tmp_path: Path) -> None:
    with HttpStub() as stub:
        stub.on(INFO, Reply(451, {"code": 0, "msg": "Service unavailable from a restricted location"}))
        with pytest.raises(Misconfigured, match="does not serve this location"):
            run(stub, tmp_path, {BTC: QUARTER})
        assert stub.count(INFO) == 1


def test_an_unknown_pair_stops_no_other(tmp_path: Path) -> None:
    wanted = {KlineFile(i, s): QUARTER for s in ("NOUSDT", "BTCUSDT") for i in ("1h", "1d")}
    listing = Listing(NOW_MS)
    with HttpStub() as stub:
        serve(stub, listing)
        done = run(stub, tmp_path, wanted)
        assert [seen.query["symbol"] for seen in stub.seen if seen.endpoint == KLINES].count("NOUSDT") == 1
    assert done.unknown == ("NOUSDT",)
    assert kept(tmp_path, BTC) == listing.lines(BTC, QUARTER)


def test_another_refusal_is_an_error(tmp_path: Path) -> None:
    with HttpStub() as stub:
        serve(stub, Listing(NOW_MS))
        stub.on(KLINES, Reply(400, {"code": -1120, "msg": "Invalid interval."}))
        with pytest.raises(Rejected, match="-1120"):
            run(stub, tmp_path, {BTC: QUARTER})


def changed(at: int, value: object) -> list[object]:
    """The first row of the span, with one cell changed."""
    cells = row(T0, HOUR_MS)
    cells[at] = value
    return cells


@pytest.mark.parametrize(
    ("rows_of", "text"),
    [
        ({"not": "a list"}, "must be a list of rows"),
        ([[T0, "1"]], "row 0: .* must be a list of at least 9 cells"),
        ([changed(0, str(T0))], "row 0 open time: .* must be epoch milliseconds, a multiple of 3600000"),
        ([changed(0, T0 + 1)], "row 0 open time"),
        ([changed(6, T0 + DAY_MS - 1)], "row 0 close time: .* must be 1609462799999"),
        ([changed(1, 70000.1)], "row 0 open: .* must be a plain number as text"),
        ([changed(2, "NaN")], "row 0 high"),
        ([changed(3, "-1")], "row 0 low"),
        ([changed(5, "1e5")], "row 0 volume"),
        ([changed(8, "42")], "row 0 trades: .* must be a count"),
        ([row(T0, HOUR_MS), row(T0, HOUR_MS)], "row 1 open time: .* must lie after 1609459200000"),
        ([row(T0 + HOUR_MS, HOUR_MS), row(T0, HOUR_MS)], "row 1 open time"),
        ([row(T0 - HOUR_MS, HOUR_MS)], "row 0 open time: .* must lie after 1609459199999 and before"),
        ([row(QUARTER.end_ms, HOUR_MS)], "row 0 open time"),
        ([changed(3, "70001.5")], "row 2 open: .* must lie between low 70001.5 and high"),
        ([changed(4, "0.00000000")], "row 2 close"),
    ],
)
def test_a_page_that_is_not_what_was_asked_for_is_refused_as_a_whole(
    tmp_path: Path, rows_of: object, text: str
) -> None:
    with HttpStub() as stub:
        serve(stub, Listing(NOW_MS))
        stub.on(KLINES, Reply(body=rows_of))
        with pytest.raises((BadPayload, BadCandles), match=text):
            run(stub, tmp_path, {BTC: QUARTER})
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [".download.lock", ".BTCUSDT.part"]
    assert (tmp_path / "1h/.BTCUSDT.part").read_text() == f"span from {T0}\n"


@pytest.mark.parametrize("limits", [[], [{"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 9}]])
def test_without_a_limit_to_keep_nothing_is_fetched(tmp_path: Path, limits: list[object]) -> None:
    with HttpStub() as stub:
        stub.on(INFO, Reply(body={"serverTime": NOW_MS, "rateLimits": limits}))
        with pytest.raises(BadPayload, match="must name the REQUEST_WEIGHT of 1 MINUTE"):
            run(stub, tmp_path, {BTC: QUARTER})


def recompressed(path: Path, old: bytes, new: bytes) -> None:
    """Change a file's text so that it is still a whole file that makes sense."""
    text = gzip.decompress(path.read_bytes())
    assert text.count(old) == 1
    path.write_bytes(gzip.compress(text.replace(old, new), mtime=0))


def test_a_change_after_the_download_is_found_by_its_checksum_even_where_it_makes_sense(tmp_path: Path) -> None:
    fetch(tmp_path, Listing(NOW_MS), {BTC: QUARTER})
    query = CandleQuery(QUARTER.start_ms, QUARTER.end_ms)
    read_candles(tmp_path, query)
    path = tmp_path / BTC.name
    recompressed(path, b",70001.10000000,", b",70001.20000000,")
    changed_bytes = path.read_bytes()
    with pytest.raises(BadCandles, match=r"not as in manifest\.json' – was changed since its download"):
        read_candles(tmp_path, query)
    with pytest.raises(BadCandles, match="was changed; move it away to download it again"):
        fetch(tmp_path, Listing(NOW_MS), {BTC: QUARTER})
    assert path.read_bytes() == changed_bytes
    path.unlink()
    fetch(tmp_path, Listing(NOW_MS), {BTC: QUARTER})
    read_candles(tmp_path, query)


def test_files_of_somebody_else_are_never_touched_and_all_are_named_before_the_first_call(tmp_path: Path) -> None:
    put(tmp_path, BTC.name, rows())
    put(tmp_path, "1h/ETHUSDT.csv", rows())
    before = contents(tmp_path)
    source = ListedKlines(Listing(NOW_MS))
    with pytest.raises(BadCandles) as caught:
        Download(source, CandleArchive(tmp_path), SimulatedClock(NOW_MS)).run({BTC: QUARTER, ETH: QUARTER})
    assert [problem.split(": ", 1)[1] for problem in caught.value.problems] == [
        "'not in manifest.json' – is of no download; move it away, or use another folder",
        "'a plain file' – would stand beside the downloaded one; move it away",
    ]
    assert source.asked == []
    assert {name: data for name, data in contents(tmp_path).items() if name != ".download.lock"} == before


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"format": 2, "files": {}}',
        '{"format": 1}',
        '{"format": 1, "files": {"1h/BTCUSDT.csv.gz": {"sha256": 5, "rows": 1, "from": 0, "to": 1}}}',
        '{"format": 1, "files": {"1h/BTCUSDT.csv.gz": {"sha256": "5", "rows": 1, "from": 0}}}',
    ],
)
def test_a_manifest_that_cannot_be_read_stops_reader_and_download(tmp_path: Path, text: str) -> None:
    fetch(tmp_path, Listing(NOW_MS), {BTC: QUARTER})
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(BadCandles, match=r"manifest\.json"):
        read_candles(tmp_path, CandleQuery(QUARTER.start_ms, QUARTER.end_ms))
    with pytest.raises(BadPayload, match=r"manifest\.json"):
        fetch(tmp_path, Listing(NOW_MS), {BTC: QUARTER})


def test_a_part_that_was_damaged_or_is_of_another_span_is_fetched_anew(tmp_path: Path) -> None:
    listing, part = Listing(NOW_MS), tmp_path / "1h/.BTCUSDT.part"
    fine = "".join(f"{line}\n" for line in listing.lines(BTC, QUARTER)[:1500])
    for text, calls in (
        (f"span from {T0}\n{fine}", 1),
        (f"span from {T0}\n{fine}16149", 1),
        (f"span from {T0}\n", 3),
        (f"span from {T0 - HOUR_MS}\n{fine}", 3),
        (f"span from {T0}\n{fine.replace('70001.1', '70009.1')}", 3),
        (f"span from {T0}\n{fine}{QUARTER.end_ms},1,1,1,1,1,1,1\n", 3),
        ("", 3),
    ):
        folder = tmp_path / BTC.name
        folder.unlink(missing_ok=True)
        part.parent.mkdir(exist_ok=True)
        part.write_text(text)
        assert len(fetch(tmp_path, listing, {BTC: QUARTER}).asked) == calls, text[:60]
        assert kept(tmp_path, BTC) == listing.lines(BTC, QUARTER)
        assert not part.exists()


def test_a_pair_without_candles_in_the_span_leaves_no_file(tmp_path: Path) -> None:
    listing = Listing(NOW_MS, {"BTCUSDT": QUARTER.end_ms})
    done = Download(ListedKlines(listing), CandleArchive(tmp_path), SimulatedClock(NOW_MS)).run({BTC: QUARTER})
    assert done.rows == {BTC.name: 0}
    assert not (tmp_path / BTC.name).exists()


def test_a_pair_that_was_delisted_is_complete_with_its_last_candle(tmp_path: Path) -> None:
    listing = Listing(NOW_MS, until_ms={"BTCUSDT": T0 + 30 * HOUR_MS})
    assert len(fetch(tmp_path, listing, {BTC: QUARTER}).asked) == 2
    assert len(kept(tmp_path, BTC)) == 30
    assert fetch(tmp_path, listing, {BTC: QUARTER}).asked == []


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="file/candles: Not a directory"):
        fetch(tmp_path / "file/candles", Listing(NOW_MS), {BTC: QUARTER})


def test_the_command_fetches_days_for_the_warm_up_and_says_what_it_did(tmp_path: Path) -> None:
    listing = Listing(NOW_MS, {"BTCUSDT": T0 - 1000 * DAY_MS, "ETHUSDT": T0 - 100 * DAY_MS})
    with HttpStub() as stub:
        serve(stub, listing)
        code, out, err = finished(start(command(tmp_path, stub.origin)))
        assert (code, err) == (0, "")
        assert out.splitlines() == [
            "1h/BTCUSDT.csv.gz: 2160 candles",
            "1d/BTCUSDT.csv.gz: 790 candles",
            "1h/ETHUSDT.csv.gz: 2160 candles",
            "1d/ETHUSDT.csv.gz: 190 candles",
        ]
        assert all("x-mbx-apikey" not in seen.headers for seen in stub.seen)
        code, out, _ = finished(start(command(tmp_path, stub.origin, "--json")))
        assert (code, json.loads(out)) == (0, {"files": {}, "pages": 0, "unknown": []})
    candles = read_candles(tmp_path, CandleQuery(T0, T0 + 90 * DAY_MS))
    assert (len(candles.daily["BTCUSDT"]), len(candles.daily["ETHUSDT"]), candles.notes) == (790, 190, ())


def test_the_command_ends_with_2_for_an_unknown_pair_and_1_for_what_may_go_on_later(tmp_path: Path) -> None:
    with HttpStub() as stub:
        serve(stub, Listing(NOW_MS, {"BTCUSDT": T0 - 1000 * DAY_MS}))
        code, out, _ = finished(start(command(tmp_path, stub.origin)))
        assert (code, out.splitlines()[2]) == (2, "1h/ETHUSDT.csv.gz: Binance knows no such pair")
        stub.on(INFO, Reply(418, {"code": -1003, "msg": "banned"}, {"Retry-After": "7200"}))
        code, out, err = finished(start(command(tmp_path, stub.origin)))
        assert (code, out) == (1, "")
        assert err.startswith("replay: exchangeInfo: banned (no requests before ")


def test_ctrl_c_ends_the_command_with_1_and_the_next_one_goes_on(tmp_path: Path) -> None:
    listing = Listing(NOW_MS, {"BTCUSDT": T0 - 1000 * DAY_MS, "ETHUSDT": T0})
    with HttpStub() as stub:
        serve(stub, listing)
        running: list[subprocess.Popen[str]] = []

        def interrupted(seen: Seen) -> Reply:
            if stub.count(KLINES) == 2:
                running[0].send_signal(signal.SIGINT)
            return klines_reply(seen, listing, {})

        stub.on(KLINES, interrupted)
        running.append(start(command(tmp_path, stub.origin)))
        code, out, err = finished(running[0])
        assert (code, out) == (1, "")
        assert err == f"replay: interrupted; the same command goes on from there ({tmp_path})\n"
        assert finished(start(command(tmp_path, stub.origin)))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("--download BTCUSDT --from 2021-01 --to 2021-02", "--to-folder: None – is needed with --download"),
        ("--download BTCUSDT --to-folder x --to 2021-02", "--from: None – is needed"),
        ("--download BTCUSDT --to-folder x --from 2021-02 --to 2021-02", "--to: '2021-02' – must be later than --from"),
        ("--download btcusdt --to-folder x --from 2021-01 --to 2021-02", "--download: 'btcusdt' – must be upper-case"),
        ("--download BTCUSDT, --to-folder x --from 2021-01 --to 2021-02", "--download: '' – must be upper-case"),
        ("--download BTCUSDT --to-folder x --from 2021-01 --to 2021-02 --interval 4h", "--interval: '4h' – must be"),
        ("--download BTCUSDT --to-folder x --from 2021-01 --to 2021-02 --market-data http://example.com",
         "BINANCE_MARKET_URL: 'http://example.com' – must be an https host of Binance"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named_before_anything_is_made(tmp_path: Path, arguments: str, text: str) -> None:
    process = start([sys.executable, str(ROOT / "run_cycle_replay.py"), *arguments.split()])
    code, out, err = finished(process)
    assert (code, out) == (2, "")
    assert text in err
    assert not (ROOT / "x").exists()


def test_the_page_on_candles_says_the_numbers_that_the_code_has() -> None:
    page = (ROOT / "docs/history-data.md").read_text(encoding="utf-8")
    for said in (
        f"more than {CandleQuery(0, 1).gap_hours_max} hours missing",
        f"the {WARMUP_DAYS} days before it",
        f"({PROBLEMS_MAX} at most, {SHOWN_MAX} of\none file)",
        f"closed for at least {SETTLED_MS // MINUTE_MS} minutes",
        f"one of more than {PAUSE_MAX_MS // MINUTE_MS} minutes",
        f"page of {PAGE_ROWS} candles",
        f"`{MARKET_DATA}`",
        f"`{HEADER}`",
        f"At most {ENTRIES_MAX} entries",
    ):
        assert said in page, said
    assert SHARE == 0.5, "the page says half"
