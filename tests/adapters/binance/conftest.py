"""A stub of Binance on loopback, and adapters that are connected to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from runtime.adapters.binance.client import Connection, Credentials, Hosts
from runtime.adapters.binance.exchange import BinanceExchange
from runtime.adapters.binance.market import BinanceMarket
from runtime.adapters.clock import SimulatedClock
from tests.support.http_stub import HttpStub

NOW_MS = 1_795_338_000_000
KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"


@dataclass(frozen=True)
class Bench:
    """The stub, and both ports connected to it; `clock` moves only by waiting."""

    stub: HttpStub
    clock: SimulatedClock
    connection: Connection
    market: BinanceMarket
    exchange: BinanceExchange


@pytest.fixture
def stub() -> Iterator[HttpStub]:
    with HttpStub() as server:
        yield server


@pytest.fixture
def bench(stub: HttpStub) -> Iterator[Bench]:
    clock = SimulatedClock(NOW_MS)
    hosts = Hosts(stub.origin, stub.origin, stub.origin)
    connection = Connection(clock, Credentials(KEY, SECRET), hosts, timeouts_s=(0.5, 0.5))
    yield Bench(stub, clock, connection, BinanceMarket(connection), BinanceExchange(connection))
    connection.session.close_connection()
