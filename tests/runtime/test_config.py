"""Settings: every problem in one message, no secret in any, and nothing but a Settings or a SettingsError comes out."""

from __future__ import annotations

import json
import shlex
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.config import PARAMETER_PREFIX, VARIABLES, parse_settings
from runtime.domain.settings import StrategySettings
from runtime.errors import SettingsError
from runtime.run_settings import RunMode, Settings
from tests.support.sources import ROOT

PARAMETERS = [PARAMETER_PREFIX + field.upper() for field in StrategySettings.model_fields]
NAMES = [*VARIABLES, *PARAMETERS]
SECRETS = ("BINANCE_API_KEY", "BINANCE_API_SECRET", "TG_TOKEN", "TG_CHAT_ID")
LIVE = {
    "ENGINE_MODE": "live",
    "BINANCE_API_KEY": "k3yK3yk3y",
    "BINANCE_API_SECRET": "s3cretS3cret",
    "TG_TOKEN": "123:abc",
    "TG_CHAT_ID": "-10012345",
    "GOOGLE_CLOUD_PROJECT": "project",
}
TEXTS = st.one_of(
    st.text(st.characters(exclude_characters="\0"), max_size=30),
    st.sampled_from(["", " ", "0", "-1", "1e999", "nan", "inf", "true", "live", "dry_run", "paper", "[]", "{}", "[[",
                     "1", "2026-11-21T09", "2026-11-21T25", "firestore", "http://127.0.0.1:1", "\udcff", "9" * 400]),
    st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists, max_leaves=5).map(json.dumps),
)  # fmt: skip


def outcome(environment: dict[str, str]) -> Settings | SettingsError:
    """The settings, or what is wrong with them; anything else is a fault."""
    try:
        return parse_settings(environment)
    except SettingsError as error:
        return error


def problems(environment: dict[str, str], **overrides: object) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        parse_settings(environment, overrides)
    return caught.value.problems


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(NAMES), TEXTS, max_size=8))
def test_any_environment_gives_settings_or_names_every_wrong_variable(environment: dict[str, str]) -> None:
    found = outcome(environment)
    if isinstance(found, Settings):
        return
    assert found.problems
    for problem in found.problems:
        name, dash, fix = problem.partition(": ")
        assert dash
        assert " – " in fix
        assert name in {*NAMES, "settings"}


def test_a_default_that_does_not_go_with_what_was_given_is_one_problem() -> None:
    (problem,) = problems({"STRATEGY_PARAM_BUY_MIN": "16"})
    assert problem.startswith("STRATEGY_PARAM_FUEL_ORDER: ")
    assert "must be at least buy_min (16)" in problem


@settings(max_examples=200)
@given(st.dictionaries(st.text(string.ascii_uppercase + "_", min_size=1, max_size=30), TEXTS, max_size=5))
def test_variables_of_others_are_ignored_and_ours_never_lost(environment: dict[str, str]) -> None:
    ours = [n for n in environment if n.startswith(("STRATEGY_", "ENGINE_", "BINANCE_", "TG_")) and n not in NAMES]
    found = outcome(environment)
    told = found.problems if isinstance(found, SettingsError) else ()
    for name in ours:
        assert any(problem.startswith(f"{name}: no such setting") for problem in told)


PLANTED = st.text(string.ascii_letters + string.digits, min_size=12, max_size=40).map(lambda text: f"Zq7-{text}-Zq7")


@given(
    PLANTED, st.dictionaries(st.sampled_from(NAMES), TEXTS, max_size=4), st.sampled_from(["live", "dry_run", "paper"])
)
def test_no_secret_is_in_any_message_repr_or_dump(secret: str, others: dict[str, str], mode: str) -> None:
    environment = {**others, **dict.fromkeys(SECRETS, secret), "ENGINE_MODE": mode, "GOOGLE_CLOUD_PROJECT": "project"}
    found = outcome(environment)
    assert secret not in str(found)
    assert secret not in repr(found)
    if isinstance(found, Settings):
        assert secret not in json.dumps(found.public())
        assert secret in found.secrets()


def test_every_problem_is_told_at_once() -> None:
    found = problems(
        {
            "ENGINE_MODE": "live",
            "ENGINE_SLOT": "noon",
            "STRATEGY_PARAM_TOP_N": "none",
            "STRATEGY_ARTIFACT_MAX_AGE_DAYS": "0",
            "STRATEGY_PARAM_TOPN": "3",
            "STRATEGY_PROFILE": "momentum",
            "BINANCE_API_URL": "http://example.org",
        }
    )
    told = {problem.partition(":")[0] for problem in found}
    assert told == {
        "ENGINE_SLOT", "STRATEGY_PARAM_TOP_N", "STRATEGY_ARTIFACT_MAX_AGE_DAYS", "STRATEGY_PARAM_TOPN",
        "STRATEGY_PROFILE", "BINANCE_API_URL", "BINANCE_API_KEY", "BINANCE_API_SECRET", "TG_TOKEN", "TG_CHAT_ID",
        "GOOGLE_CLOUD_PROJECT",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_letter_is_answered_with_the_name_that_was_meant(name: str) -> None:
    wrong = name[:-1] + ("X" if name[-1] != "X" else "Y")
    if not wrong.startswith(("STRATEGY_", "ENGINE_", "BINANCE_", "TG_")):
        return
    (problem,) = problems({wrong: "1"})
    assert problem.startswith(f"{wrong}: no such setting – did you mean ")


def test_paper_is_the_default_and_live_is_never_one() -> None:
    assert parse_settings({}).mode is RunMode.PAPER
    assert parse_settings(dict.fromkeys(NAMES, "")).mode is RunMode.PAPER
    assert parse_settings({name: value for name, value in LIVE.items() if name != "ENGINE_MODE"}).mode is RunMode.PAPER
    for almost in ("LIVE", "Live", "live!", "true"):
        assert problems({**LIVE, "ENGINE_MODE": almost})
    assert parse_settings(LIVE).mode is RunMode.LIVE


def test_an_empty_variable_is_an_unset_one() -> None:
    assert parse_settings(dict.fromkeys(NAMES, " ")) == parse_settings({})


@pytest.mark.parametrize(
    "text", ["changeme", "your-key", "YOUR_SECRET", "xxxxxx", "<key>", "TODO", "placeholder", "a...b"]
)
@pytest.mark.parametrize("name", SECRETS)
def test_a_placeholder_is_no_secret(name: str, text: str) -> None:
    assert problems({**LIVE, name: text}) == (f"{name}: a placeholder – put the real value in",)


@pytest.mark.parametrize("name", [*SECRETS, "GOOGLE_CLOUD_PROJECT"])
@pytest.mark.parametrize("mode", ["live", "dry_run"])
def test_a_real_account_needs_each_of_its_settings(name: str, mode: str) -> None:
    (problem,) = problems({**LIVE, "ENGINE_MODE": mode, "ENGINE_STORE": "firestore", name: ""})
    assert problem.startswith(f"{name}: not set")


@given(PLANTED, st.sampled_from(["live", "dry_run", "paper"]))
def test_no_part_of_the_second_channels_address_is_shown(secret: str, mode: str) -> None:
    for url in (f"json://host/{secret}", secret):
        found = outcome({**LIVE, "ENGINE_MODE": mode, "ENGINE_CHANNEL_URL": url})
        assert secret not in str(found)
    found = outcome({**LIVE, "ENGINE_MODE": mode, "ENGINE_CHANNEL_URL": f"json://host/{secret}"})
    assert isinstance(found, Settings)
    assert secret not in repr(found)
    assert secret not in json.dumps(found.public())
    assert f"json://host/{secret}" in found.secrets()


@pytest.mark.parametrize("url", ["ntfy", "://host", "http//host", "json://a b"])
def test_a_channel_that_is_no_address_is_refused_without_showing_it(url: str) -> None:
    (problem,) = problems({**LIVE, "ENGINE_CHANNEL_URL": url})
    assert problem.startswith("ENGINE_CHANNEL_URL: (hidden) – must be one Apprise URL")


def test_a_second_channel_may_stand_alone_but_half_a_bot_is_a_mistake() -> None:
    alone = {**LIVE, "TG_TOKEN": "", "TG_CHAT_ID": "", "ENGINE_CHANNEL_URL": "json://host"}
    assert parse_settings(alone).telegram_token is None
    assert problems({**alone, "TG_TOKEN": "123:abc"}) == ("TG_CHAT_ID: not set – live needs it",)
    assert problems({**alone, "ENGINE_CHANNEL_URL": "json://changeme"}) == (
        "ENGINE_CHANNEL_URL: a placeholder – put the real value in",
    )


def test_live_keeps_its_state_in_firestore_and_starts_no_account_by_itself() -> None:
    live, paper = parse_settings(LIVE), parse_settings({})
    assert (live.store, live.first_run) == ("firestore", "refuse")
    assert (paper.store, paper.first_run) == ("sqlite", "fresh")
    assert parse_settings({**LIVE, "ENGINE_STORE": "sqlite"}).store == "sqlite"


def test_the_chat_may_be_named_globally_and_the_own_name_wins() -> None:
    only = {name: value for name, value in LIVE.items() if name != "TG_CHAT_ID"}
    assert parse_settings({**only, "GLOBAL_TELEGRAM_CHAT_ID": "1"}).telegram_chat == "1"
    assert parse_settings({**LIVE, "GLOBAL_TELEGRAM_CHAT_ID": "1"}).telegram_chat == LIVE["TG_CHAT_ID"]


@pytest.mark.parametrize(
    "url",
    ["https://api.binance.com.evil.org", "http://api.binance.com", "https://testnet.binance.vision", "ftp://127.0.0.1:1",
     "http://127.0.0.1", "http://10.0.0.1:80", "https://api.binance.com/", "https://api.binance.us"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["BINANCE_API_URL", "BINANCE_MARKET_URL"])
def test_only_binance_and_loopback_are_hosts(name: str, url: str) -> None:
    assert problems({name: url})[0].startswith(f"{name}: {url!r}")


@pytest.mark.parametrize("spelling", ["2026-11-21T09", "2026-11-21T09Z", "2026-11-21T09:00", " 2026-11-21T09:00:00Z "])
def test_an_hour_has_one_spelling_inside(spelling: str) -> None:
    parsed = parse_settings({"ENGINE_SLOT": spelling}, {"at": spelling})
    assert (parsed.slot, parsed.at) == ("2026-11-21T09Z", "2026-11-21T09Z")


@pytest.mark.parametrize("mode", ["live", "dry_run"])
@pytest.mark.parametrize("override", [{"at": "2026-11-21T09"}, {"market": "folder"}, {"pools": "pools"}])
def test_what_is_simulated_exists_in_paper_only(mode: str, override: dict[str, Any]) -> None:
    (problem,) = problems({**LIVE, "ENGINE_MODE": mode}, **override)
    assert problem.startswith(f"--{next(iter(override))}: ")


def test_the_present_market_knows_no_other_hour() -> None:
    assert problems({}, market="binance", at="2026-11-21T09")[0].startswith("--at")


def test_an_argument_wins_over_the_environment() -> None:
    assert parse_settings({"ENGINE_MODE": "live"}, {"mode": "paper"}).mode is RunMode.PAPER


def example() -> dict[str, str]:
    """The variables of `.env.example`, as a shell would read them."""
    lines = Path(ROOT / ".env.example").read_text().splitlines()
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name: "".join(shlex.split(value)) for name, _, value in pairs}


def test_the_example_lists_every_variable_and_no_other() -> None:
    assert sorted(example()) == sorted(NAMES)


def test_the_example_as_it_is_changes_nothing() -> None:
    assert parse_settings(example()) == parse_settings({})


def test_the_example_shows_every_default_but_those_of_the_mode_and_the_unset() -> None:
    empty = {name for name, value in example().items() if not value}
    unset = {name for name, field in VARIABLES.items() if "." not in field and getattr(Settings(), field) is None}
    assert empty == unset | {"ENGINE_STORE", "ENGINE_FIRST_RUN"}
