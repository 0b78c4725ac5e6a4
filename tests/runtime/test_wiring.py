"""Wiring: what a mode's world can do at all."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from runtime.config import parse_settings
from runtime.domain.alerts import AlertKind, new_alert
from runtime.domain.control import Control, Mode
from runtime.domain.orders import Kind, Side, Suppressed
from runtime.domain.slots import slot_at
from runtime.domain.state import State
from runtime.ports import Changes, OrderRequest
from runtime.wiring import wired
from tests.support import telegram_server
from tests.support.engine import live


@pytest.mark.parametrize("mode", ["live", "dry_run"])
def test_in_the_doctors_world_nothing_can_be_sent_told_or_written(mode: str, tmp_path: Path) -> None:
    """Not even by a check that tries: what it asks for is held back behind the ports, but the probe document."""
    with live() as (environment, exchange), telegram_server.serving() as telegram:
        environment |= {"ENGINE_DATA_DIR": str(tmp_path), "ENGINE_MODE": mode, "TG_API_URL": telegram.url}
        with wired(parse_settings(environment, {"validate_only": True}), lambda _: None) as wiring:
            world, now_ms = wiring.world, exchange.venue.now_ms()
            order = OrderRequest("bp-1", "ETHUSDT", Side.BUY, Decimal("0.1"), now_ms)
            assert isinstance(world.exchange.send_order(order), Suppressed)
            assert isinstance(world.exchange.send_earn(Kind.SUBSCRIBE, "USDT001", Decimal(10), now_ms), Suppressed)
            assert world.exchange.test_order(order) is None
            alert = new_alert(AlertKind.DRIFT, slot_at(now_ms), {"drift": "1"})
            assert world.alerter.deliver([alert])[0].delivered
            held = world.store.take_lease(world.store.load(), "doctor", slot_at(now_ms), 420)
            world.store.commit(held, Changes(State("main", slot_done=slot_at(now_ms))))
            world.store.set_control(Control(Mode.HALT))
            world.store.probe()
            assert world.store.load().state is None
            assert world.store.control() == Control()
        assert [name for name in exchange.calls if not name.startswith("GET ")] == ["POST /api/v3/order/test"]
        assert telegram.calls == []
