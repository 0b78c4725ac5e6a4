"""The console says in text what a messenger would, and counts it as delivered."""

from __future__ import annotations

from runtime.adapters.console import ConsoleAlerter
from runtime.domain.alerts import AlertKind, new_alert
from runtime.domain.texts import Language


def test_alerts_are_printed_in_the_language_and_all_are_delivered() -> None:
    written: list[str] = []
    alerts = [new_alert(AlertKind.TRADE, "2026-11-21T09Z", {"symbol": "ETHUSDT"}),
              new_alert(AlertKind.BREAKER, "2026-11-21T09Z", {"loss": "-6 %"})]  # fmt: skip
    receipts = ConsoleAlerter(written.append, Language.ZH).deliver(alerts)
    assert [(receipt.alert_id, receipt.delivered) for receipt in receipts] == [(alert.id, True) for alert in alerts]
    [told] = written
    assert told.index("熔断触发") < told.index("订单已成交")


def test_nothing_to_tell_prints_nothing_and_the_console_is_always_there() -> None:
    written: list[str] = []
    alerter = ConsoleAlerter(written.append, Language.EN)
    assert alerter.deliver([]) == []
    assert written == []
    assert alerter.probe() == {"console": "ok"}
