"""The job summary of the real command: written after the hour, never in its way."""

from __future__ import annotations

import html
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.domain.summary_markdown import BYTES_MAX
from runtime.domain.texts import Language
from runtime.job_summary import JobSummary
from runtime.ports import World
from tests.support.engine import Engine, live
from tests.support.hours import Mishap, fail_store
from tests.support.worlds import KEY, ORDER, SECRET, scene


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """The command, in an empty folder."""
    return Engine(tmp_path)


def summary(engine: Engine) -> str:
    return (engine.folder / "summary.md").read_text("utf-8")


def test_hours_add_up_in_one_file_and_the_second_one_has_a_picture(engine: Engine) -> None:
    engine("--summary", "summary.md", "--summary-figures")
    first = summary(engine)
    assert first.startswith("### 2026-03-15T09Z · paper · main · done (exit 0)\n")
    assert "mermaid" not in first
    engine("--summary", "summary.md", "--summary-figures", "--at", "2026-03-15T10")
    second = summary(engine).removeprefix(first)
    assert "### 2026-03-15T10Z" in second
    assert '    x-axis "hours before 2026-03-15T10Z" -1 --> 0' in second
    assert "| total | 10," in second


def test_amounts_are_hidden_unless_asked_for(engine: Engine) -> None:
    engine("--summary", "summary.md", NOTIFY_LANG="zh")
    assert "金额已隐藏" in summary(engine)
    assert "| 合计 | 100.0 % |" in summary(engine)


def test_without_the_flag_nothing_is_written(engine: Engine) -> None:
    engine()
    assert [path.name for path in engine.folder.iterdir()] == ["paper"]


def test_wrong_settings_are_in_it(engine: Engine) -> None:
    run = engine("--summary", "summary.md", "--summary-figures", ENGINE_MODE="life")
    assert run.code == 2
    assert summary(engine).startswith("### bad settings (exit 2)\n\n- <code>ENGINE&#95;MODE")


def test_what_the_doctor_found_is_in_it_and_figures_are_hidden_unless_asked_for(engine: Engine) -> None:
    assert engine("--validate-only", "--summary", "summary.md").code == 0
    first = summary(engine)
    assert first.startswith("### doctor · validated (exit 0)\n\n|  | check | seen | fix |\n")
    assert "| ok | location | served | – |" in first
    assert "at most … days" in html.unescape(first)
    engine("--validate-only", "--json", "--summary", "summary.md", "--summary-figures", ENGINE_MODE="life")
    second = summary(engine).removeprefix(first)
    assert second.startswith("### doctor · bad_settings (exit 2)")
    assert "| failed | settings | <code>ENGINE&#95;MODE" in second


def test_an_error_that_nobody_foresaw_is_in_it_by_kind_and_place_alone(engine: Engine) -> None:
    script = (
        "import sys, main\n"
        "def broken(*arguments):\n    raise KeyError('hunter2-hunter2')\n"
        "main.run_cycle = broken\n"
        "sys.exit(main.main(['--summary', 'summary.md']))\n"
    )
    assert engine(script=script).code == 1
    assert summary(engine).startswith("### unexpected error (exit 1)\n\n- <code>KeyError &#40;broken")
    assert "hunter2" not in summary(engine)


def test_a_live_hour_shows_its_order_and_no_secret(engine: Engine) -> None:
    with live() as (settings, exchange):
        run = engine("--summary", "summary.md", "--summary-figures", **settings)
        assert (run.code, exchange.calls[ORDER]) == (0, 1), run.out
    assert "| BNBUSDT | buy |" in summary(engine)
    assert not [secret for secret in (KEY, SECRET, "planted-token", "1007654321") if secret in summary(engine)]


@pytest.mark.parametrize("where", ["missing/summary.md", "."])
def test_a_file_that_cannot_be_written_changes_no_hour(engine: Engine, where: str) -> None:
    run = engine("--summary", where)
    assert run.code == 0
    assert run.err.startswith(f"--summary: {where} cannot be written: ")


# --- in process -------------------------------------------------------------------------------------------------------


def told(path: Path, mishap: Mishap, **more: Any) -> str:
    """The summary of an hour that was done, in a world that something happens to."""
    worlds: list[World] = []

    def kept(world: World) -> World:
        worlds.append(world)
        return world

    with scene() as s:
        s.hour()
        s.wrap = kept
        report = s.next()
        world = replace(mishap.around(worlds[0]), **more)
        JobSummary(path, figures=True).tell_hour(report, Language.EN, world)
    return path.read_text("utf-8") if path.exists() else ""


def test_a_store_that_does_not_answer_costs_the_picture_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = told(tmp_path / "s.md", Mishap(1, fail_store, only=frozenset({"cycles"})))
    assert "#### Holdings" in text
    assert "mermaid" not in text
    assert capsys.readouterr().err == "--summary: no picture of the last hours: store: no answer to cycles\n"


def test_the_store_is_asked_once(tmp_path: Path) -> None:
    mishap = Mishap(0, fail_store)
    assert "mermaid" in told(tmp_path / "s.md", mishap)
    assert mishap.calls == ["cycles"]


def test_a_process_that_was_told_to_stop_does_not_ask_the_store(tmp_path: Path) -> None:
    mishap = Mishap(0, fail_store)
    text = told(tmp_path / "s.md", mishap, stop=lambda: "told to stop by SIGTERM")
    assert "#### Holdings" in text
    assert mishap.calls == []


@pytest.mark.parametrize("left", [0, 900])
def test_a_file_that_is_nearly_full_takes_what_fits(tmp_path: Path, left: int) -> None:
    path = tmp_path / "s.md"
    path.write_bytes(b"x" * (BYTES_MAX - left))
    added = told(path, Mishap(0, fail_store)).lstrip("x")
    assert path.stat().st_size <= BYTES_MAX
    assert ("Left out" in added) is (left > 0)
