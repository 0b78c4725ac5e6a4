"""What a run may be told: one frozen value, complete for its mode or refused.

Rules across settings stand here (a host that is Binance's own, secrets that a real account needs, options that exist
only with the simulated exchange); where the values come from is `runtime.config`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from runtime.domain.settings import Frozen, LadderSettings, NotNegative, StrategySettings
from runtime.domain.slots import parse_slot
from runtime.errors import BadInput, SettingsError

OFFICIAL_HOSTS = re.compile(r"https://(api|api-gcp|api[1-4]|data-api)\.binance\.(com|vision)")
LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\]):\d+")
PLACEHOLDER = re.compile(r"(?i)change.?me|your[_-]|x{4,}|<.*>|todo|placeholder|example|\.\.\.")


class RunMode(StrEnum):
    """A choice of adapters: simulated, real but read-only, real."""

    PAPER = "paper"
    DRY_RUN = "dry_run"
    LIVE = "live"


class Settings(Frozen):
    """Everything a cycle may be told. Secrets are `SecretStr`: their repr and dump show asterisks."""

    mode: RunMode = RunMode.PAPER
    validate_only: bool = False
    account: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")] = "main"
    store: Literal["sqlite", "firestore"] = "sqlite"
    data_dir: str = "var"
    first_run: Literal["refuse", "fresh", "rebuild"] = "refuse"
    language: Literal["en", "zh"] = "en"
    slot: str | None = None
    profile: Literal["crypto_live_pool_rotation"] = "crypto_live_pool_rotation"
    artifact_file: str | None = None
    upstream_collection: str = "strategy"
    upstream_document: str = "CRYPTO_LIVE_POOL_ROTATION_LIVE_POOL"
    state_collection: str = "strategy"
    state_document: str = "MULTI_ASSET_STATE"
    google_project: str | None = None
    firestore_database: str = "(default)"
    firestore_emulator: str | None = None
    binance_key: SecretStr | None = None
    binance_secret: SecretStr | None = None
    allow_withdraw_key: str | None = None
    secrets_home: Annotated[str | None, Field(pattern=r"^(environment:.{1,255}|repository:(private|public))$")] = None
    binance_api: str = "https://api.binance.com"
    binance_market: str = "https://api.binance.com"
    telegram_token: SecretStr | None = None
    telegram_chat: Annotated[str | None, Field(repr=False)] = None
    command_ids: Annotated[str | None, Field(pattern=r"^[1-9][0-9]{0,15}( *, *[1-9][0-9]{0,15})*$", repr=False)] = None
    run_id: str | None = None
    actor: str | None = None
    code_sha: str | None = None
    telegram_api: str = "https://api.telegram.org"
    channel_url: SecretStr | None = None
    metrics_file: Annotated[str | None, Field(pattern=r"\.prom$")] = None
    runbook_url: Annotated[str | None, Field(pattern=r"^https?://[^\s<>\"]+$")] = None
    status_interval_hours: Annotated[int, Field(ge=0, le=720)] = 24
    budget_fees: NotNegative = Decimal(0)
    budget_slippage: NotNegative = Decimal(0)
    budget_minutes: Annotated[int, Field(ge=0)] = 0
    market: str = "embedded"
    pools: str | None = None
    at: str | None = None
    ladder: LadderSettings = LadderSettings()
    strategy: StrategySettings = StrategySettings()

    @field_validator("channel_url")
    @classmethod
    def _one_address(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://\S+", url.get_secret_value()):
            raise ValueError("must be one Apprise URL, as ntfys://topic or mailtos://user:password@host")
        return url

    @field_validator("slot", "at")
    @classmethod
    def _one_spelling(cls, hour: str | None) -> str | None:
        try:
            return None if hour is None else parse_slot(hour)
        except BadInput as error:
            raise ValueError(error.fix) from None

    @model_validator(mode="after")
    def _real_accounts_are_complete(self) -> Self:
        problems = [*_host_problems(self), *_simulation_problems(self)]
        if self.mode is not RunMode.PAPER:
            problems += _secret_problems(self)
            if self.store == "firestore" and not self.google_project:
                problems.append(
                    "GOOGLE_CLOUD_PROJECT: not set – name the project that holds Firestore, or set ENGINE_STORE=sqlite"
                )
        if problems:
            raise SettingsError(tuple(problems))
        return self

    def public(self) -> dict[str, Any]:
        """JSON values of every setting that is not a secret: what the tape and its digest may hold."""
        return self.model_dump(mode="json", exclude=set(SECRET_FIELDS | RUN_FIELDS))

    @property
    def budgets(self) -> Mapping[str, Decimal]:
        """What a month may cost before an operator is told, by what it is spent on; 0 = no budget."""
        minutes = Decimal(self.budget_minutes)
        return {"fees": self.budget_fees, "slippage": self.budget_slippage, "minutes": minutes}

    @property
    def operators(self) -> frozenset[int]:
        """The people whose messages to the bot are obeyed; each one's id is that of a chat too."""
        return frozenset(int(name) for name in (self.command_ids or "").split(",") if name.strip())

    @property
    def chats(self) -> frozenset[int]:
        """The chats they may write in besides: the operator's own, where it has a number."""
        named = self.telegram_chat or ""
        return frozenset({int(named)} if re.fullmatch(r"-?[0-9]{1,16}", named) else ())

    def secrets(self) -> tuple[str, ...]:
        """The secret values, to prove that none of them comes out anywhere."""
        values = (self.binance_key, self.binance_secret, self.telegram_token, self.channel_url)
        return tuple(value.get_secret_value() for value in values if value is not None)


SECRET_FIELDS = frozenset(
    name for name, info in Settings.model_fields.items() if "SecretStr" in str(info.annotation)
) | {"telegram_chat", "command_ids"}
"""The fields whose values are shown nowhere; a chat's id is no password, but it is nobody else's business."""
RUN_FIELDS = frozenset({"run_id", "actor", "code_sha"})
"""What names one run and changes nothing in it: not on its tape, which another run may repeat."""


def _host_problems(settings: Settings) -> list[str]:
    problems = []
    hosts = {"BINANCE_API_URL": settings.binance_api, "BINANCE_MARKET_URL": settings.binance_market}
    for name, url in hosts.items():
        if not (OFFICIAL_HOSTS.fullmatch(url) or LOOPBACK.fullmatch(url)):
            problems.append(f"{name}: {url!r} – must be an https host of Binance, or a loopback address for tests")
    if settings.telegram_api != "https://api.telegram.org" and not LOOPBACK.fullmatch(settings.telegram_api):
        problems.append(f"TG_API_URL: {settings.telegram_api!r} – must be Telegram's own, or loopback for tests")
    return problems


def _simulation_problems(settings: Settings) -> list[str]:
    if settings.mode is RunMode.PAPER:
        now = settings.market == "binance" and settings.at is not None
        return [f"--at: {settings.at!r} – with --market binance the hour is always now"] if now else []
    market = None if settings.market == "embedded" else settings.market
    given = {"--pools": settings.pools, "--at": settings.at, "--market": market}
    only = "exists only with the simulated exchange (--mode paper)"
    return [f"{name}: {value!r} – {only}" for name, value in given.items() if value is not None]


def _secret_problems(settings: Settings) -> list[str]:
    needed: dict[str, SecretStr | None] = {
        "BINANCE_API_KEY": settings.binance_key,
        "BINANCE_API_SECRET": settings.binance_secret,
    }
    channel = {"ENGINE_CHANNEL_URL": settings.channel_url} if settings.channel_url else {}
    bot = (settings.telegram_token, settings.telegram_chat)
    if any(bot) or not channel:  # half a bot is a mistake; none at all is a choice where there is another channel
        needed["TG_TOKEN"] = settings.telegram_token
        needed["TG_CHAT_ID"] = SecretStr(settings.telegram_chat) if settings.telegram_chat else None
    needed |= channel
    problems = []
    for name, secret in needed.items():
        value = secret.get_secret_value().strip() if secret else ""
        if not value:
            problems.append(f"{name}: not set – {settings.mode} needs it")
        elif PLACEHOLDER.search(value):
            problems.append(f"{name}: a placeholder – put the real value in")
    return problems
