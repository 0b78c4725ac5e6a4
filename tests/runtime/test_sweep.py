"""Sweeps: nothing is run twice or lost, whoever is killed when; the same rows however many hands there are."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.domain.overfitting import deflated
from runtime.domain.slots import DAY_MS
from runtime.domain.sweep_space import Parameters, Space
from runtime.domain.trials import TEST, TRAIN, Outcome, Row, Task, digest_of
from runtime.domain.walk_forward import Windows, splits_of
from runtime.errors import BadInput, Unavailable
from runtime.sweep import Equipment, Sweep, Swept
from tests.support.sources import ROOT
from tests.support.sweeps import FACTS, PARAMETERS, SMALL, Hands, a_folder, a_ground, a_space, a_sweep, search_of


def swept(path: Path, hands: Hands, **search: object) -> Swept:
    """A sweep from its beginning to its end."""
    folder = a_folder(path)
    with folder.opened(FACTS):
        made = a_sweep(folder, hands, a_space(PARAMETERS, **search))
        found = made.sweep()
        made.finish()
    return found


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_the_order_in_which_trials_come_back_changes_nothing(tmp_path: Path, sampler: str) -> None:
    plain, mixed = Hands(), Hands(random.Random(1).randrange, wanted=9)
    first = swept(tmp_path / "a", plain, sampler=sampler, trials=24)
    second = swept(tmp_path / "b", mixed, sampler=sampler, trials=24)
    assert first == second
    assert plain.ran != mixed.ran
    assert len(first.rows) > 12


@pytest.mark.parametrize("cut", [1, 3, 4, 5, 11])
def test_a_sweep_that_was_broken_off_goes_on_and_ends_the_same(tmp_path: Path, cut: int) -> None:
    whole = Hands()
    unbroken = swept(tmp_path / "whole", whole, trials=16)

    class Gone(Exception):
        pass

    kept: list[Row] = []

    def leave(row: Row) -> None:
        kept.append(row)
        if len(kept) == cut:
            raise Gone

    first, second, folder = Hands(), Hands(), a_folder(tmp_path / "cut")
    with pytest.raises(Gone), folder.opened(FACTS):
        a_sweep(folder, first, a_space(trials=16), leave).sweep()
    assert swept(tmp_path / "cut", second, trials=16) == unbroken
    assert set(first.ran[:cut]).isdisjoint(second.ran)
    assert sorted({*first.ran, *second.ran}) == sorted(whole.ran)


def test_a_sweep_that_is_done_runs_nothing_again_and_may_be_made_longer(tmp_path: Path) -> None:
    first = swept(tmp_path / "one", Hands(), trials=10)
    again = Hands()
    assert swept(tmp_path / "one", again, trials=10) == first
    assert again.ran == []
    longer = swept(tmp_path / "one", again, trials=24)
    assert longer == swept(tmp_path / "other", Hands(), trials=24)
    assert longer.rows[: len(first.rows)] == first.rows
    assert not {row.key for row in first.rows} & set(again.ran)


def test_a_trial_that_is_asked_for_twice_is_run_once(tmp_path: Path) -> None:
    hands, folder = Hands(), a_folder(tmp_path)
    few = {name: PARAMETERS[name] for name in PARAMETERS if name != "STRATEGY_PARAM_ATR_MULTIPLE"}
    few["STRATEGY_PARAM_TOP_N"] = few["STRATEGY_PARAM_BTC_RATIO_BASE"] = {"values": ["1"]}
    with folder.opened(FACTS):
        found = Sweep(
            a_space(few, trials=30), a_ground(), Equipment(folder, hands, search_of, lambda _: None)
        ).sweep()  # fmt: skip
    assert found.asked == 30
    assert len(found.rows) == len(hands.ran) == len(set(hands.ran)) == 6


def test_settings_that_cannot_be_used_together_are_kept_as_refused_and_never_run(tmp_path: Path) -> None:
    hands = Hands()
    found = swept(tmp_path, hands, trials=40)
    refused = [row for row in found.rows if row.refused]
    assert refused
    for row in refused:
        assert "exit_rank" in row.refused.lower()
        assert int(row.parameters["STRATEGY_PARAM_EXIT_RANK"]) < int(row.parameters["STRATEGY_PARAM_TOP_N"])
    assert len(hands.ran) == len(found.rows) - len(refused)
    assert found.deflated is not None
    assert found.deflated.trials == len(hands.ran)
    tried = [row.outcome.returns for row in found.rows if not row.refused]
    assert found.deflated == deflated(found.best.outcome.returns, tried)


def test_the_best_is_best_by_its_objective_and_direction(tmp_path: Path) -> None:
    for minimize, best in (("maximize", max), ("minimize", min)):
        found = swept(tmp_path / minimize, Hands(), objective="total", direction=minimize, trials=20)
        values = [row.value("total") for row in found.rows if not row.refused]
        assert found.best.value("total") == best(values)  # type: ignore[type-var]


def test_an_objective_without_a_value_ends_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"search\.objective.*sortino.*take a longer range"):
        swept(tmp_path, Hands(), objective="sortino")


def test_tpe_learns_where_random_does_not(tmp_path: Path) -> None:
    """What is told changes what is asked next: the first trials differ in nothing, the later ones do."""
    up = swept(tmp_path / "up", Hands(), objective="total", trials=16)
    down = swept(tmp_path / "down", Hands(), objective="total", direction="minimize", trials=16)
    assert [row.parameters for row in up.rows[:4]] == [row.parameters for row in down.rows[:4]]
    assert [row.parameters for row in up.rows] != [row.parameters for row in down.rows]
    ways = ("maximize", "minimize")
    one, other = (
        swept(tmp_path / f"r{way}", Hands(), objective="total", direction=way, sampler="random", trials=16)
        for way in ways
    )
    assert [row.parameters for row in one.rows] == [row.parameters for row in other.rows]


def test_a_worker_that_failed_ends_the_sweep_and_keeps_what_was_found(tmp_path: Path) -> None:
    class Failing(Hands):
        def next_done(self) -> Outcome:
            outcome = super().next_done()
            return replace(outcome, failed="no candles here") if len(self.ran) == 3 else outcome

    folder = a_folder(tmp_path)
    with pytest.raises(Unavailable, match="no candles here"), folder.opened(FACTS):
        a_sweep(folder, Failing()).sweep()
    rest = Hands()
    assert swept(tmp_path, rest) == swept(tmp_path / "other", Hands())


def test_an_outcome_that_comes_twice_is_one_row(tmp_path: Path) -> None:
    class Twice(Hands):
        again: Outcome | None = None

        def next_done(self) -> Outcome:
            found, self.again = (self.again, None) if self.again else (super().next_done(),) * 2
            return found

    assert swept(tmp_path / "twice", Twice()) == swept(tmp_path / "once", Hands())


def test_a_walk_searches_each_train_window_and_judges_its_best_in_the_next(tmp_path: Path) -> None:
    folder, hands = a_folder(tmp_path), Hands()
    splits = splits_of(Windows(10, 5), a_ground().plan.start_ms, a_ground().plan.end_ms)
    with folder.opened(FACTS):
        walked = a_sweep(folder, hands).walk(splits)
    assert len(walked.folds) == 4
    for split, fold in zip(splits, walked.folds, strict=True):
        assert {(row.start_ms, row.end_ms) for row in fold.trained} == {split.train_ms}
        assert (fold.test.start_ms, fold.test.end_ms) == split.test_ms
        assert fold.test.parameters == fold.best.parameters
        assert fold.best.value("sharpe") == max(row.value("sharpe") for row in fold.trained if not row.refused)  # type: ignore[type-var]
        assert (fold.trained[0].asked.part, fold.test.asked.part) == (TRAIN, TEST)
    assert len({tuple(fold.trained[0].parameters.items()) for fold in walked.folds}) == 4
    assert walked.stitched.days == sum(len(fold.test.outcome.returns) for fold in walked.folds)
    with folder.opened(FACTS):
        assert a_sweep(folder, again := Hands()).walk(splits) == walked
    assert again.ran == []


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"STRATEGY_PARAM_TOPN": {"low": 1, "high": 2}}, ("STRATEGY_PARAM_TOPN", "did you mean STRATEGY_PARAM_TOP_N?")),
        ({"TOP_N": {"low": 1, "high": 2}}, ("TOP_N", "did you mean STRATEGY_PARAM_TOP_N?")),
        ({"strategy_param_top_n": {"low": 1, "high": 2}}, ("strategy_param_top_n", "no setting that a sweep can try")),
        ({"BINANCE_API_KEY": {"values": ["secret"]}}, ("BINANCE_API_KEY", "no setting that a sweep can try")),
        ({"ENGINE_ACCOUNT": {"values": ["main"]}}, ("ENGINE_ACCOUNT", "no setting that a sweep can try")),
        ({"STRATEGY_PARAM_TOP_N": {"low": 0, "high": 2}}, ("STRATEGY_PARAM_TOP_N", "'0'", "refused by the settings")),
        ({"STRATEGY_PARAM_TOP_N": {"values": [1, "x"]}}, ("STRATEGY_PARAM_TOP_N", "'x'", "refused by the settings")),
        ({"STRATEGY_PARAM_TOP_N": {"low": 1, "high": 9}}, ("STRATEGY_PARAM_", "refused by the settings", "top_n")),
    ],
)
def test_a_space_that_the_settings_refuse_is_refused_before_anything_runs(
    tmp_path: Path, parameters: dict[str, object], named: tuple[str, ...]
) -> None:
    hands, folder = Hands(), a_folder(tmp_path)
    with pytest.raises(BadInput) as caught, folder.opened(FACTS):
        a_sweep(folder, hands, a_space(parameters))
    for part in named:
        assert part in str(caught.value)
    assert "secret" not in str(caught.value)


def test_every_setting_of_strategy_and_ladder_can_be_tried(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    space = {"STRATEGY_ARTIFACT_MAX_AGE_DAYS": {"low": 10, "high": 60}, "STRATEGY_PARAM_SCORE_WEIGHTS": {
        "values": [[1, 0, 0], ["0.2", "0.3", "0.5"]]}}  # fmt: skip
    with folder.opened(FACTS):
        a_sweep(folder, Hands(), a_space(space))


def test_a_kill_at_any_file_operation_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """A real SIGKILL before each write, flush, rename and removal; the second run ends as one that was never killed."""
    command = [sys.executable, "-m", "tests.support.sweeps", str(tmp_path / "killed")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    folder = a_folder(tmp_path / "whole", SMALL)
    with folder.opened(FACTS):
        unbroken = a_sweep(folder, Hands(), a_space(SMALL, sampler="grid", trials=None)).sweep()
    assert len(lines) > 20
    assert {line[0] for line in lines} == {digest_of(unbroken.rows)}
    assert {line[1] for line in lines} == {str(len(unbroken.rows))}
    assert {line[2] for line in lines} == {"0"}, "a row that was kept is kept once"
    assert {line[3] for line in lines} == {"0"}, "what a kill left is cleared away"


def test_the_range_of_a_trial_is_that_of_its_window(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    class Looking(Hands):
        def begin(self, task: Task) -> None:
            seen.append((task.plan.start_ms, task.plan.end_ms))
            super().begin(task)

    folder, start_ms = a_folder(tmp_path), a_ground().plan.start_ms
    with folder.opened(FACTS):
        a_sweep(folder, Looking()).walk(splits_of(Windows(20, 10), start_ms, a_ground().plan.end_ms))
    assert set(seen) == {(start_ms, start_ms + 20 * DAY_MS), (start_ms + 20 * DAY_MS, start_ms + 30 * DAY_MS)}
    assert Outcome("k", {}).failed == ""


def test_a_search_that_learns_is_told_in_the_order_of_asking_and_of_all_but_the_last_few(tmp_path: Path) -> None:
    """Also where workers answer backwards, a trial was known before, and one is refused."""
    asked, told, behind = list[Parameters](), list[float | None](), list[int]()

    class Heard:
        learns = True

        def __init__(self, space: Space, seed: int) -> None:
            self._search = search_of(space, seed)

        def ask(self) -> Parameters:
            behind.append(len(asked) - len(told))
            asked.append(self._search.ask())
            return asked[-1]

        def tell(self, value: float | None) -> None:
            told.append(value)
            self._search.tell(value)

    folder, hands = a_folder(tmp_path), Hands(lambda count: count - 1, wanted=20)
    with folder.opened(FACTS):
        found = Sweep(a_space(trials=24), a_ground(), Equipment(folder, hands, Heard, lambda _: None)).sweep()
    values = {tuple(row.parameters.items()): row.value("sharpe") for row in found.rows}
    assert told == [values[tuple(parameters.items())] for parameters in asked]
    assert None in values.values()
    assert behind == [0, 1, 2, *[3] * 21]


FREE = {"STRATEGY_PARAM_ATR_MULTIPLE": PARAMETERS["STRATEGY_PARAM_ATR_MULTIPLE"]}
"""Any two trials differ, and none is refused."""


@pytest.mark.parametrize(("sampler", "open_"), [("tpe", 4), ("random", 6)])
def test_nobody_waits_for_the_slowest_of_a_batch(tmp_path: Path, sampler: str, open_: int) -> None:
    """To the last trial as many are under way as may be chosen ahead; where nothing is learnt, as there are hands."""
    hands, folder = Hands(wanted=6), a_folder(tmp_path, FREE)
    with folder.opened(FACTS):
        a_sweep(folder, hands, a_space(FREE, trials=12, sampler=sampler)).sweep()
    assert hands.open == [open_] * (12 - open_) + list(range(open_, 0, -1))


def test_the_folds_of_a_walk_keep_every_hand_busy_and_find_the_same_as_one_after_the_other(tmp_path: Path) -> None:
    """Where a test window is the next train window, who asked for a trial first does not hang on who ran it first."""
    splits = splits_of(Windows(10, 10), a_ground().plan.start_ms, a_ground().plan.end_ms)
    kept = []
    newest, oldest = Hands(lambda count: count - 1, wanted=7), Hands(wanted=7)
    for name, hands in (("one", Hands()), ("newest", newest), ("oldest", oldest)):
        folder = a_folder(tmp_path / name, SMALL)
        with folder.opened(FACTS):
            walked = a_sweep(folder, hands, a_space(SMALL, sampler="grid", trials=None)).walk(splits)
            kept.append((walked, dict(folder.known())))
        with (again := a_folder(tmp_path / name, SMALL)).opened(FACTS):
            assert again.known() == kept[-1][1]
    assert kept[0] == kept[1] == kept[2]
    assert TEST in {row.asked.part for row in kept[0][1].values()}
    assert len(kept[0][1]) < sum(len(fold.trained) + 1 for fold in kept[0][0].folds), "some are asked for twice"


def test_a_walk_begins_the_next_search_before_hands_are_idle(tmp_path: Path) -> None:
    splits = splits_of(Windows(10, 5), a_ground().plan.start_ms, a_ground().plan.end_ms)
    hands, folder = Hands(wanted=3), a_folder(tmp_path, FREE)
    with folder.opened(FACTS):
        a_sweep(folder, hands, a_space(FREE)).walk(splits)
    assert min(hands.open[:-3]) >= 3
