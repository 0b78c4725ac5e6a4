"""Wiring of channels: from settings to the ways to the operator, the first and the one for when it is down."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from runtime.domain.texts import Language
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
