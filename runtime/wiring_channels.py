"""Wiring of channels: from settings to the ways to the operator, the first and the one for when it is down; and to the
file of metrics, which is read by programs.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from runtime.domain.report import CycleStatus, Report
from runtime.domain.texts import Language
from runtime.errors import Unavailable
from runtime.last_hours import picture_of
from runtime.ports import Alerter, Clock, Store
from runtime.run_settings import Settings

CHECK_S = 4.0
"""How long a check waits for an answer of a messenger."""


def channels(settings: Settings, clock: Clock, store: Store) -> tuple[Alerter, Alerter | None]:
    """Telegram and the second channel, if one is set; that one alone where no bot is. `SettingsError` where the second
    one needs a package that is missing. `store` tells the last hours, of which the status report has a picture.
    """
    second = _second(settings)
    if second is not None and settings.telegram_token is None:
        return second, None
    return _telegram(settings, clock, store), second


def _telegram(settings: Settings, clock: Clock, store: Store) -> Alerter:
    from runtime.adapters.telegram import Bot, TelegramAlerter

    bot = Bot(
        token=settings.telegram_token.get_secret_value() if settings.telegram_token else "",
        chat_id=settings.telegram_chat or "",
        base_url=settings.telegram_api,
        runbook_url=settings.runbook_url or "",
    )
    bot = replace(bot, total_s=CHECK_S) if settings.validate_only else bot
    return TelegramAlerter(bot, Language(settings.language), clock, partial(picture_of, store=store))


def _second(settings: Settings) -> Alerter | None:
    if settings.channel_url is None:
        return None
    from runtime.adapters.channel import Address, ChannelAlerter

    address = Address(settings.channel_url.get_secret_value(), runbook_url=settings.runbook_url or "")
    address = replace(address, total_s=CHECK_S) if settings.validate_only else address
    return ChannelAlerter(address, Language(settings.language))


def leave_metrics(settings: Settings, report: Report, ended_ms: int) -> str:
    """Write the hour's metrics where a file for them is set; returns what went wrong, or nothing. A run that left the
    hour to another leaves the file of that hour as it is.
    """
    if settings.metrics_file is None or report.status in {CycleStatus.SLOT_DONE, CycleStatus.LEASE_HELD}:
        return ""
    from runtime.adapters.metrics import metrics_text, write_metrics

    try:
        write_metrics(Path(settings.metrics_file), metrics_text(report, ended_ms))
    except Unavailable as error:
        return str(error)
    return ""
