"""Books in a file: what one process did, the next one finds; a damaged file is named and not traded on."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.adapters.clock import SimulatedClock
from runtime.adapters.simulated.books import Draft
from runtime.adapters.simulated.conditions import PAPER, Conditions, EarnTerms, Effect, Fault, Script
from runtime.adapters.simulated.exchange import SimulatedExchange
from runtime.adapters.simulated.persistence import load, save
from runtime.domain.orders import Kind, Order, Side
from runtime.errors import BadPayload
from tests.support.shop import NOW_MS, Shop, shop

D = Decimal
ORDER = "POST /api/v3/order"
HELD_UP = Conditions(
    earn=EarnTerms(redeem_s=30),
    faults=Script({ORDER: {2: Fault(Effect.LATER, after_ms=9000, drop=True)}}),
)


def lively(conditions: Conditions) -> Shop:
    """An account with something of everything, some of it on its way."""
    s = shop(conditions, USDT="10000", BNB="1")
    s.buy("0.1")
    s.exchange.send_earn(Kind.SUBSCRIBE, "USDT001", D(500), NOW_MS)
    s.exchange.send_earn(Kind.REDEEM, "USDT001", D(100), NOW_MS)
    s.send("ETHUSDT", Side.BUY, "0.2", "bp-late")
    s.exchange.events.deposit("USDT", D("0.00000001"))
    s.exchange.events.pay_bonus("USDT", D(1))
    s.exchange.events.rest_order(Draft("BTCUSDT", Side.BUY, "web-1", D("0.01")), D(80_000))
    return s


def reopened(s: Shop, path: Path) -> Shop:
    clock = SimulatedClock(s.clock.now_ms())
    return Shop(SimulatedExchange(s.market, clock, s.exchange.venue.conditions, load(path)), clock, s.market)


@pytest.mark.parametrize("conditions", [PAPER, HELD_UP], ids=["calm", "held up"])
def test_books_come_back_as_they_were(tmp_path: Path, conditions: Conditions) -> None:
    s = lively(conditions)
    save(s.exchange.venue.books, tmp_path / "deep" / "books.json")
    assert load(tmp_path / "deep" / "books.json") == s.exchange.venue.books
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["books.json"]


def test_two_processes_trade_as_one(tmp_path: Path) -> None:
    path = tmp_path / "books.json"
    one = lively(HELD_UP)
    first = lively(HELD_UP)
    save(first.exchange.venue.books, path)
    second = reopened(first, path)
    for s in (one, second):
        s.exchange.venue.conditions = Conditions(earn=EarnTerms(redeem_s=30))
        s.clock.sleep(3600)
        s.buy("0.3", client_id="bp-9")
    assert second.exchange.find_order("ETHUSDT", "bp-late") is not None
    assert one.exchange.venue.books == second.exchange.venue.books


def test_every_change_is_in_the_file_before_the_caller_hears_of_it(tmp_path: Path) -> None:
    path = tmp_path / "books.json"
    s = shop(Conditions(earn=EarnTerms(redeem_s=5), faults=Script({ORDER: {2: Fault(Effect.NOW, drop=True)}})))
    s.exchange.autosave(path)

    def same() -> bool:
        return load(path) == s.exchange.venue.books

    s.buy("0.1")
    assert same()
    s.send("ETHUSDT", Side.BUY, "0.1", "bp-2")
    assert same()
    s.exchange.send_earn(Kind.SUBSCRIBE, "USDT001", D(500), NOW_MS)
    assert same()
    s.exchange.send_earn(Kind.REDEEM, "USDT001", D(100), NOW_MS)
    assert same()
    s.clock.sleep(5)
    s.exchange.account()
    assert same()
    assert all(move.settled for move in load(path).moves)
    s.exchange.events.grant("DOGE", D(1))
    s.exchange.events.deposit("DOGE", D(1))
    s.exchange.events.withdraw("DOGE", D(1))
    assert same()
    order = s.exchange.events.rest_order(Draft("BTCUSDT", Side.BUY, "web-1", D("0.01")), D(80_000))
    s.exchange.events.cancel("BTCUSDT", order.order_id)
    assert same()


def test_a_look_changes_nothing_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "books.json"
    s = shop()
    s.exchange.autosave(path)
    s.exchange.account()
    s.exchange.find_order("ETHUSDT", "bp-1")
    assert not path.exists()


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ("", "the file"),
        ("{", "the file"),
        ("[]", "the file"),
        ('{"balances": {"USDT": {"free": "ten"}}}', "balances.USDT.free"),
        ('{"balances": {"USDT": {"free": 0.1}}}', "balances.USDT.free"),
        ('{"wallet": {}}', "wallet"),
        ('{"orders": {"ETHUSDT": [{"symbol": "ETHUSDT"}]}}', "orders.ETHUSDT.0"),
    ],
)
def test_a_damaged_file_is_named_with_the_place_of_the_damage(tmp_path: Path, content: str, where: str) -> None:
    path = tmp_path / "books.json"
    path.write_text(content)
    with pytest.raises(BadPayload) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert where in caught.value.field
    assert "restore the file" in str(caught.value)


def test_a_failed_write_leaves_the_old_books(tmp_path: Path) -> None:
    path = tmp_path / "books.json"
    s = shop()
    save(s.exchange.venue.books, path)
    before = path.read_bytes()
    s.exchange.venue.books.bnb_burn = object()  # type: ignore[assignment]  # nothing that JSON can hold
    with pytest.raises(ValueError, match="serializ"):
        save(s.exchange.venue.books, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@given(st.decimals(min_value=0, max_value=D("1e12"), places=8))
def test_every_amount_comes_back_exactly(amount: Decimal) -> None:
    books = shop(USDT=str(amount)).exchange.venue.books
    with TemporaryDirectory() as folder:
        save(books, Path(folder) / "books.json")
        assert load(Path(folder) / "books.json").free("USDT") == amount


def test_ids_go_on_where_the_last_process_stopped(tmp_path: Path) -> None:
    s = shop()
    first = s.buy("0.1")
    save(s.exchange.venue.books, tmp_path / "books.json")
    second = reopened(s, tmp_path / "books.json").buy("0.1")
    assert isinstance(second, Order)
    assert (second.order_id, second.fills[0].trade_id) == (first.order_id + 1, first.fills[0].trade_id + 1)
