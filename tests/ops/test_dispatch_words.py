"""Every alert of the dispatcher: both languages, the page that tells what to do, and nothing that is not listed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import pytest

from tests.support import telegram_server
from tests.support.dispatcher import SCRIPT, Dispatcher, page_of
from tests.support.github_server import GitHub
from tests.support.http_stub import Reply
from tests.support.sources import ROOT

RUNBOOK = ROOT / "docs" / "runbook"
PAGES = {page.stem for page in (RUNBOOK / "outside").glob("*.md")}
NOT_THE_DISPATCHERS = {"backup", "channel", "job_died", "refused_public", "watchdog"}
CHINESE = re.compile(r"[\u4e00-\u9fff]{2}")
Scene = Callable[[Dispatcher, GitHub], None]


def refused(dispatch: Dispatcher, github: GitHub) -> None:
    github.dispatch(Reply(401))


def unreachable(dispatch: Dispatcher, github: GitHub) -> None:
    github.dispatch(Reply(503))


def not_started(dispatch: Dispatcher, github: GitHub) -> None:
    dispatch.settings["DISPATCH_START_LIMIT_S"] = "60"
    github.run(github.state("queued"))


def not_finished(dispatch: Dispatcher, github: GitHub) -> None:
    dispatch.settings["DISPATCH_RUN_LIMIT_S"] = "60"
    github.run(github.state("in_progress"))


def failed(dispatch: Dispatcher, github: GitHub) -> None:
    github.run(github.state("completed", "startup_failure"))


def cancelled(dispatch: Dispatcher, github: GitHub) -> None:
    github.run(github.state("completed", "cancelled"))


def timed_out(dispatch: Dispatcher, github: GitHub) -> None:
    github.run(github.state("completed", "timed_out"))


def settings(dispatch: Dispatcher, github: GitHub) -> None:
    dispatch.settings["DISPATCH_MODE"] = "life"


def heartbeat(dispatch: Dispatcher, github: GitHub) -> None:
    dispatch.state.mkdir()
    (dispatch.state / "last_success").write_text("1000000000")


def recovered(dispatch: Dispatcher, github: GitHub) -> None:
    heartbeat(dispatch, github)
    (dispatch.state / "heartbeat_told").write_text("1000000000")


def token(dispatch: Dispatcher, github: GitHub) -> None:
    reply = github.accepted()
    github.dispatch(Reply(200, reply.body, {"GitHub-Authentication-Token-Expiration": "2020-01-01 00:00:00 UTC"}))


def disk(dispatch: Dispatcher, github: GitHub) -> None:
    dispatch.disk_full = True


SCENES: Mapping[str, Scene] = {
    scene.__name__: scene
    for scene in (refused, unreachable, not_started, not_finished, failed, cancelled, timed_out, settings, heartbeat,
                  recovered, token, disk)
}  # fmt: skip
ELSEWHERE = {"overlap", "inbox"}
"""Told in tests of their own: the first needs two starts, the second an engine."""


def test_every_alert_of_the_script_is_told_here_and_has_its_page() -> None:
    told = set(re.findall(r"(?:^ +|\) |&& )alert ([a-z_]+) ", SCRIPT.read_text(encoding="utf-8"), re.MULTILINE))
    assert told == SCENES.keys() | ELSEWHERE
    assert told == PAGES - NOT_THE_DISPATCHERS


@pytest.mark.parametrize("kind", sorted(PAGES))
def test_a_page_says_what_it_means_what_to_check_and_what_to_do(kind: str) -> None:
    text = (RUNBOOK / "outside" / f"{kind}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {kind}: ")
    assert all(part in text for part in ("**Means.**", "**Check**", "**Do**"))


def test_the_runbooks_index_and_the_dispatchers_own_page_name_every_page() -> None:
    linked = set(re.findall(r"\]\(outside/([\w-]+)\.md\)", (RUNBOOK / "README.md").read_text(encoding="utf-8")))
    assert linked == PAGES
    listed = (SCRIPT.parent / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"runbook/outside/([\w-]+)\.md", listed)) == PAGES - NOT_THE_DISPATCHERS


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", SCENES)
def test_every_alert_speaks_the_operators_language_and_links_its_page(
    dispatch: Dispatcher, github: GitHub, kind: str, language: str
) -> None:
    """The names of states and settings are GitHub's and ours, in any language."""
    SCENES[kind](dispatch, github)
    dispatch.settings["NOTIFY_LANG"] = language
    ended = dispatch()
    (alert,) = (alert for alert in ended.alerts if alert.splitlines()[0].endswith(f": {kind}"))
    head, _, text, *_ = alert.splitlines()
    assert head == f"{'引擎调度' if language == 'zh' else 'engine dispatch'}: {kind}"
    assert bool(CHINESE.search(text)) is (language == "zh"), text
    assert page_of(alert) == RUNBOOK / "outside" / f"{kind}.md"
    assert alert.splitlines()[-1].startswith(f"{github.origin}/owner/engine/blob/main/docs/runbook/")


@pytest.mark.parametrize(
    ("api", "link"),
    [
        ("https://api.github.com", "https://github.com/owner/engine/blob/main/docs/runbook/"),
        ("https://ghe.example.org/api/v3", "https://ghe.example.org/owner/engine/blob/main/docs/runbook/"),
    ],
)
def test_the_link_leads_to_the_site_that_serves_the_api(dispatch: Dispatcher, api: str, link: str) -> None:
    """Told by settings that are wrong elsewhere, so that nobody is asked."""
    dispatch.settings |= {"DISPATCH_API_URL": api, "DISPATCH_MODE": "life"}
    (alert,) = dispatch().alerts
    assert alert.splitlines()[-1].startswith(link)


def test_another_language_is_a_problem_of_the_settings(dispatch: Dispatcher, github: GitHub) -> None:
    dispatch.settings["NOTIFY_LANG"] = "fr"
    ended = dispatch()
    assert (ended.code, github.seen) == (2, [])
    assert "NOTIFY_LANG: 'fr': en or zh" in ended.alerts[0]


def test_an_alert_that_was_kept_is_told_without_half_a_character(
    dispatch: Dispatcher, telegram: telegram_server.TelegramServer
) -> None:
    """What is kept is cut to its last 3000 bytes, which may begin inside a character of three."""
    dispatch.state.mkdir()
    (dispatch.state / "unsent").write_text("停" * 1500 + "\ndocs/runbook/outside/failed.md\n", encoding="utf-8")
    dispatch.settings["NOTIFY_LANG"] = "zh"
    dispatch()
    (message,) = telegram.messages
    assert str(message["seen"]).startswith("之前未能送达：\n停停")  # noqa: RUF001 - Chinese punctuation
    assert "\ufffd" not in str(message["seen"])
