"""Settings: the only reader of the environment. Parsed once, before any network call, into one frozen value.

Every problem is reported in one message, each with the setting's name, its value (never a secret's) and the fix. A
name with one of our prefixes that nobody knows is a problem too: a typing error in a limit must not mean "default".
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from runtime.domain.redaction import redact
from runtime.domain.settings import StrategySettings
from runtime.errors import SettingsError
from runtime.run_settings import PLACEHOLDER, SECRET_FIELDS, RunMode, Settings

OUR_PREFIXES = ("STRATEGY_", "ENGINE_", "BINANCE_", "TG_")
PARAMETER_PREFIX = "STRATEGY_PARAM_"

VARIABLES: Mapping[str, str] = {
    "GITHUB_RUN_ID": "run_id",
    "GITHUB_ACTOR": "actor",
    "GITHUB_SHA": "code_sha",
    "ENGINE_MODE": "mode",
    "ENGINE_ACCOUNT": "account",
    "ENGINE_STORE": "store",
    "ENGINE_DATA_DIR": "data_dir",
    "ENGINE_FIRST_RUN": "first_run",
    "ENGINE_ALLOW_WITHDRAW_KEY": "allow_withdraw_key",
    "ENGINE_SECRETS_HOME": "secrets_home",
    "ENGINE_SLOT": "slot",
    "ENGINE_STATE_COLLECTION": "state_collection",
    "ENGINE_STATE_DOCUMENT": "state_document",
    "ENGINE_FIRESTORE_DATABASE": "firestore_database",
    "ENGINE_FIRESTORE_EMULATOR": "firestore_emulator",
    "GOOGLE_CLOUD_PROJECT": "google_project",
    "NOTIFY_LANG": "language",
    "BTC_STATUS_REPORT_INTERVAL_HOURS": "status_interval_hours",
    "BINANCE_API_KEY": "binance_key",
    "BINANCE_API_SECRET": "binance_secret",
    "BINANCE_API_URL": "binance_api",
    "BINANCE_MARKET_URL": "binance_market",
    "TG_TOKEN": "telegram_token",
    "TG_CHAT_ID": "telegram_chat",
    "GLOBAL_TELEGRAM_CHAT_ID": "telegram_chat",
    "TG_COMMAND_IDS": "command_ids",
    "TG_API_URL": "telegram_api",
    "ENGINE_CHANNEL_URL": "channel_url",
    "ENGINE_RUNBOOK_URL": "runbook_url",
    "ENGINE_METRICS_FILE": "metrics_file",
    "ENGINE_BUDGET_FEES": "budget_fees",
    "ENGINE_BUDGET_SLIPPAGE": "budget_slippage",
    "ENGINE_BUDGET_MINUTES": "budget_minutes",
    "STRATEGY_PROFILE": "profile",
    "STRATEGY_ARTIFACT_FILE": "artifact_file",
    "STRATEGY_ARTIFACT_FIRESTORE_COLLECTION": "upstream_collection",
    "STRATEGY_ARTIFACT_FIRESTORE_DOCUMENT": "upstream_document",
    "STRATEGY_ARTIFACT_MAX_AGE_DAYS": "ladder.max_age_days",
    "STRATEGY_ARTIFACT_LKG_MAX_AGE_DAYS": "ladder.lkg_max_age_days",
    "STRATEGY_ARTIFACT_ACCEPTABLE_MODES": "ladder.acceptable_modes",
    "STRATEGY_ARTIFACT_EXPECTED_SIZE": "ladder.expected_size",
    "STRATEGY_ARTIFACT_ALLOW_NEW_ENTRIES_ON_DEGRADED": "ladder.allow_new_entries_on_degraded",
}
"""Environment variable -> field of `Settings`. Every number of the strategy is `STRATEGY_PARAM_<FIELD>` besides."""

_NAME_OF = {field: name for name, field in list(VARIABLES.items())[::-1]}


def parse_settings(environment: Mapping[str, str], overrides: Mapping[str, object] | None = None) -> Settings:
    """The settings of an environment, with the command line's `overrides` (by field) on top; `SettingsError` else.

    An empty variable counts as unset: workflows hand over unset inputs as empty text.
    """
    problems: list[str] = []
    raw: dict[str, Any] = {"ladder": {}, "strategy": {}}
    for name, value in sorted(environment.items()):  # so that TG_CHAT_ID wins over GLOBAL_TELEGRAM_CHAT_ID
        field = VARIABLES.get(name) or _parameter_field(name)
        if field is None:
            problems += _unknown_name(name)
        elif value.strip():
            _place(raw, field, _from_text(field, value.strip()))
    for field, override in (overrides or {}).items():
        if override is not None:
            _place(raw, field, override)
    settings, faults = _validated(raw)
    problems += faults
    if problems or settings is None:
        secrets = _secrets_in(environment)
        raise SettingsError(tuple(redact(problem, secrets) for problem in problems))
    return settings


def _secrets_in(environment: Mapping[str, str]) -> list[str]:
    """The secret values, which may stand a second time where a value is shown; a placeholder would blot out words."""
    values = (value.strip() for name, value in environment.items() if VARIABLES.get(name) in SECRET_FIELDS)
    return [value for value in values if not PLACEHOLDER.search(value)]


def _validated(raw: dict[str, Any]) -> tuple[Settings | None, list[str]]:
    if raw.get("mode") in {RunMode.LIVE, RunMode.DRY_RUN}:  # a dry run reads what the live hour would
        raw.setdefault("store", "firestore")
    if raw.get("mode", RunMode.PAPER) == RunMode.PAPER:
        raw.setdefault("first_run", "fresh")
    try:
        return Settings.model_validate(raw), []
    except SettingsError as error:
        return None, list(error.problems)
    except ValidationError as error:
        faults = [_explain(problem) for problem in error.errors()]
        dropped = [_forget(raw, tuple(str(part) for part in problem["loc"])) for problem in error.errors()]
        return None, faults + (_validated(raw)[1] if any(dropped) else [])


def _forget(raw: dict[str, Any], location: tuple[str, ...]) -> bool:
    """Drop a refused value, so that checks across settings can still speak; False where a default was refused."""
    group = raw[location[0]] if location[0] in {"ladder", "strategy"} and len(location) > 1 else raw
    return group.pop(location[1] if group is not raw else location[0], None) is not None


def read_settings(overrides: Mapping[str, object] | None = None) -> Settings:
    """The settings of this process's environment."""
    return parse_settings(os.environ, overrides)


def asked_mode(given: str | None) -> RunMode:
    """The mode that an hour would run in: `given`, else the environment's, else paper."""
    mode = given or os.environ.get("ENGINE_MODE", "").strip() or RunMode.PAPER
    return RunMode(mode) if mode in set(RunMode) else read_settings({"mode": mode}).mode  # which refuses it by name


def read_store_settings(mode: str | None = None, market: str | None = None) -> Settings:
    """The settings for looking into the account's store and nothing else: no key and no token is needed.

    As in live mode the store is Firestore unless `ENGINE_STORE` names the local one; with `mode` paper it is that of
    the simulated account on `market`. `validate_only` in a dry run.
    """
    if market is not None and mode != RunMode.PAPER:
        raise SettingsError((f"--market: {market!r} – exists only with the simulated exchange (--mode paper)",))
    environment = {name: value for name, value in os.environ.items() if value.strip()}
    dry = (mode or environment.get("ENGINE_MODE")) == RunMode.DRY_RUN
    overrides = {"mode": RunMode.PAPER, "market": market, "validate_only": dry}
    overrides["store"] = "sqlite" if mode == RunMode.PAPER else environment.get("ENGINE_STORE", "firestore")
    settings = parse_settings(environment, overrides)
    if settings.store == "firestore" and not settings.google_project:
        raise SettingsError(
            ("GOOGLE_CLOUD_PROJECT: not set – name the project that holds Firestore, or set ENGINE_STORE=sqlite",)
        )
    return settings


def _parameter_field(name: str) -> str | None:
    field = name.removeprefix(PARAMETER_PREFIX).lower()
    return f"strategy.{field}" if name.startswith(PARAMETER_PREFIX) and field in StrategySettings.model_fields else None


def _place(raw: dict[str, Any], field: str, value: object) -> None:
    group, _, leaf = field.rpartition(".")
    (raw[group] if group else raw)[leaf] = value


def _from_text(field: str, text: str) -> object:
    if field == "ladder.acceptable_modes":
        return [part.strip() for part in text.split(",") if part.strip()]
    if field.startswith("strategy.") and text[:1] in "[{":
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def _unknown_name(name: str) -> list[str]:
    if not name.startswith(OUR_PREFIXES):
        return []
    known = [*VARIABLES, *(PARAMETER_PREFIX + field.upper() for field in StrategySettings.model_fields)]
    close = difflib.get_close_matches(name, known, n=1)
    return [f"{name}: no such setting – {f'did you mean {close[0]}?' if close else 'remove it'}"]


def _explain(problem: ErrorDetails) -> str:
    path = ".".join(str(part) for part in problem["loc"])
    field = ".".join(str(part) for part in problem["loc"][:2]) if path.startswith(("ladder", "strategy")) else path
    group, _, leaf = field.partition(".")
    name = _NAME_OF.get(field) or (PARAMETER_PREFIX + leaf.upper() if group == "strategy" else f"--{field}")
    shown = "(hidden)" if field in SECRET_FIELDS else redact(repr(problem["input"]))[:80]
    fix = problem["msg"].removeprefix("Value error, ")
    return f"{name}: {shown} – {fix[:1].lower()}{fix[1:]}"
