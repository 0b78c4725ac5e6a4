"""Wiring of the inbox: from settings to a mailbox, where an operator may write to the bot at all."""

from __future__ import annotations

from runtime.backup import Archive
from runtime.domain.audit import Run
from runtime.domain.texts import Language
from runtime.errors import SettingsError
from runtime.inbox_answers import Answers
from runtime.mailbox import Mailbox
from runtime.ports import Clock
from runtime.run_settings import RunMode, Settings

READ_S = 2.5
"""How long one call of the messenger may take: an hour waits for it before it decides."""


def mailbox(settings: Settings, store: Archive, clock: Clock, run: Run) -> Mailbox | None:
    """The account's; None where nobody may write, and where nothing may be changed."""
    live = settings.mode is RunMode.LIVE and not settings.validate_only
    return opened_mailbox(settings, store, clock, run) if settings.command_ids and live else None


def opened_mailbox(settings: Settings, store: Archive, clock: Clock | None, run: Run) -> Mailbox:
    """The mailbox, whatever the mode, by default on this machine's clock; `SettingsError` names what is missing."""
    from runtime.adapters.clock import SystemClock
    from runtime.adapters.telegram import Bot, TelegramPost

    clock = clock or SystemClock()

    needed = {
        "TG_TOKEN": settings.telegram_token,
        "TG_CHAT_ID": settings.telegram_chat,
        "TG_COMMAND_IDS": settings.command_ids,
    }
    missing = tuple(f"{name}: not set – the inbox needs it" for name, value in needed.items() if not value)
    if missing or settings.telegram_token is None:
        raise SettingsError(missing)
    bot = Bot(
        token=settings.telegram_token.get_secret_value(),
        chat_id=settings.telegram_chat or "",
        base_url=settings.telegram_api,
        timeouts=(READ_S, READ_S),
        total_s=READ_S,
    )
    answers = Answers(store, settings.account, Language(settings.language), clock.now_ms)
    return Mailbox(store, TelegramPost(bot, clock), clock, settings.operators, answers, settings.chats, run)
