"""Every house rule has been seen red, and stays green on code that keeps it."""

from __future__ import annotations

import inspect

import pytest

from tests.support import rules_imports, rules_purity, rules_shape, rules_tree
from tests.support.rules_imports import (
    domain_and_strategies_need_no_library,
    nothing_imports_an_entry,
    only_entries_import_wiring,
    only_wiring_imports_adapters_and_strategies,
    project_imports_point_one_way,
    the_chain_is_never_climbed,
)
from tests.support.rules_purity import (
    domain_and_strategies_touch_nothing,
    domain_values_are_frozen,
    money_knows_no_float,
    no_broad_except,
    only_config_reads_the_environment,
)
from tests.support.rules_shape import (
    everything_public_is_explained,
    few_parameters,
    modules_are_short,
    most_functions_are_short,
    no_function_is_long,
    non_goals_are_absent,
    nothing_bypasses_the_state_load,
)
from tests.support.rules_tree import (
    every_test_says_what_holds,
    names_at_the_top_are_fixed,
    no_mocks_of_our_own_code,
    no_place_for_leftovers,
)
from tests.support.sources import Rule, Source

LONG = "def f():\n" + "    x = 1\n" * 51
LONGISH = "def f():\n" + "    x = 1\n" * 26
MANY = "def f(a, b, c, *, d, e, g): ..."
METHOD = "class C:\n    def f(self, a, b, c, d, e): ..."

RED: list[tuple[Rule, str, str]] = [
    (project_imports_point_one_way, "runtime/domain/a.py", "from runtime.ports import Clock"),
    (project_imports_point_one_way, "runtime/domain/a.py", "def f():\n    import strategies.dca"),
    (project_imports_point_one_way, "runtime/ports.py", "from runtime import cycle"),
    (project_imports_point_one_way, "runtime/errors.py", "from .domain import money"),
    (project_imports_point_one_way, "runtime/__init__.py", "from . import cycle"),
    (project_imports_point_one_way, "runtime/config.py", "from runtime.wiring import wire"),
    (project_imports_point_one_way, "runtime/adapters/sqlite.py", "from runtime.adapters.clock import SystemClock"),
    (project_imports_point_one_way, "runtime/adapters/sqlite.py", "from . import clock"),
    (project_imports_point_one_way, "runtime/adapters/binance/a.py", "from ..simulated.b import c"),
    (project_imports_point_one_way, "runtime/adapters/sqlite.py", "import runtime.config"),
    (project_imports_point_one_way, "strategies/dca.py", "from runtime.cycle import run_cycle"),
    (domain_and_strategies_need_no_library, "runtime/domain/a.py", "import requests"),
    (domain_and_strategies_need_no_library, "strategies/a.py", "from pydantic import BaseModel"),
    (only_wiring_imports_adapters_and_strategies, "runtime/cycle.py", "from runtime.adapters import sqlite"),
    (only_wiring_imports_adapters_and_strategies, "runtime/backtest.py", "import strategies"),
    (only_wiring_imports_adapters_and_strategies, "main.py", "from runtime.adapters.clock import SystemClock"),
    (only_entries_import_wiring, "runtime/cycle.py", "from runtime.wiring import wire"),
    (only_entries_import_wiring, "runtime/cycle.py", "from runtime import wiring"),
    (only_entries_import_wiring, "runtime/backtest.py", "from runtime.wiring_past import simulate"),
    (only_entries_import_wiring, "runtime/backup.py", "from runtime.wiring_stores import wired_store"),
    (nothing_imports_an_entry, "runtime/cycle.py", "import main"),
    (nothing_imports_an_entry, "main.py", "from run_cycle_replay import replay"),
    (domain_and_strategies_touch_nothing, "runtime/domain/a.py", "import random"),
    (domain_and_strategies_touch_nothing, "runtime/domain/a.py", "from time import time"),
    (domain_and_strategies_touch_nothing, "strategies/a.py", "import os"),
    (domain_and_strategies_touch_nothing, "strategies/a.py", "open('x')"),
    (domain_and_strategies_touch_nothing, "strategies/a.py", "print('x')"),
    (domain_and_strategies_touch_nothing, "runtime/domain/a.py", "datetime.now(UTC)"),
    (domain_and_strategies_touch_nothing, "runtime/domain/a.py", "datetime.date.today()"),
    (domain_and_strategies_touch_nothing, "runtime/domain/a.py", "path.read_text()"),
    (only_config_reads_the_environment, "runtime/cycle.py", "import os\nos.environ['A']"),
    (only_config_reads_the_environment, "main.py", "import os\nos.getenv('A')"),
    (only_config_reads_the_environment, "runtime/adapters/a.py", "from os import environ"),
    (money_knows_no_float, "runtime/domain/money.py", "float('1')"),
    (money_knows_no_float, "runtime/domain/ledger.py", "x: float"),
    (money_knows_no_float, "runtime/domain/orders.py", "x = 0.5"),
    (no_broad_except, "runtime/cycle.py", "try: ...\nexcept Exception: ..."),
    (no_broad_except, "runtime/cycle.py", "try: ...\nexcept: ..."),
    (no_broad_except, "runtime/cycle.py", "try: ...\nexcept (KeyError, BaseException): ..."),
    (no_broad_except, "runtime/cycle.py", "with contextlib.suppress(Exception): ..."),
    (domain_values_are_frozen, "runtime/domain/a.py", "@dataclass\nclass A: ..."),
    (domain_values_are_frozen, "runtime/domain/a.py", "@dataclasses.dataclass(frozen=True)\nclass A: ..."),
    (domain_values_are_frozen, "strategies/a.py", "@dataclass(frozen=False, slots=True)\nclass A: ..."),
    (no_function_is_long, "runtime/cycle.py", LONG),
    (few_parameters, "runtime/cycle.py", MANY),
    (few_parameters, "runtime/cycle.py", METHOD.replace("e)", "e, g)")),
    (few_parameters, "runtime/cycle.py", "def f(a, b, c, d, *e, **g): ..."),
    (modules_are_short, "runtime/cycle.py", "x = 1\n" * 301),
    (modules_are_short, "main.py", "x = 1\n" * 61),
    (everything_public_is_explained, "runtime/cycle.py", "x = 1"),
    (everything_public_is_explained, "runtime/cycle.py", "'''M.'''\nclass A: ..."),
    (everything_public_is_explained, "runtime/cycle.py", "'''M.'''\ndef f(): ..."),
    (everything_public_is_explained, "runtime/cycle.py", "'''M.'''\nclass A:\n  '''A.'''\n  def f(self): ..."),
    (
        everything_public_is_explained,
        "runtime/adapters/a.py",
        "'''M.'''\nclass A:\n  '''A.'''\n  def no_port_has(self): ...",
    ),
    (non_goals_are_absent, "runtime/domain/pool.py", "def rank_pool(): ..."),
    (non_goals_are_absent, "runtime/domain/pool.py", "class MonthlyReport: ..."),
    (non_goals_are_absent, "runtime/release_summary.py", ""),
    (nothing_bypasses_the_state_load, "main.py", "parser.add_argument('--force')"),
    (nothing_bypasses_the_state_load, "main.py", "'--skip-state-load'"),
    (nothing_bypasses_the_state_load, "runtime/config.py", "'CYCLE_FORCE_RUN'"),
    (every_test_says_what_holds, "tests/test_a.py", "def test_it_works(): ..."),
    (every_test_says_what_holds, "tests/domain/test_a.py", "class TestA:\n    def test_three_word_name(self): ..."),
    (no_mocks_of_our_own_code, "tests/test_a.py", "from unittest import mock"),
    (no_mocks_of_our_own_code, "tests/test_a.py", "from unittest.mock import MagicMock"),
    (no_mocks_of_our_own_code, "tests/test_a.py", "def test_a(mocker): ..."),
    (no_mocks_of_our_own_code, "tests/test_a.py", "monkeypatch.setattr('runtime.cycle.decide', 1)"),
    (no_mocks_of_our_own_code, "tests/test_a.py", "from runtime import cycle\nmonkeypatch.setattr(cycle, 'decide', 1)"),
    (no_mocks_of_our_own_code, "tests/test_a.py", "import runtime.cycle as c\nsetattr(c.Cycle, 'decide', 1)"),
]

GREEN: list[tuple[Rule, str, str]] = [
    (
        project_imports_point_one_way,
        "runtime/domain/a.py",
        "from runtime.domain.money import Dec\nimport runtime.errors",
    ),
    (project_imports_point_one_way, "runtime/adapters/binance/a.py", "from .errors import translate"),
    (project_imports_point_one_way, "runtime/adapters/binance/a.py", "from runtime.adapters.binance import errors"),
    (project_imports_point_one_way, "runtime/adapters/sqlite.py", "from runtime.ports import Store"),
    (project_imports_point_one_way, "strategies/dca.py", "from strategies.indicators import sma"),
    (project_imports_point_one_way, "runtime/wiring.py", "import runtime.adapters.sqlite, strategies"),
    (domain_and_strategies_need_no_library, "runtime/domain/a.py", "import json\nfrom pydantic import BaseModel"),
    (only_wiring_imports_adapters_and_strategies, "runtime/wiring.py", "import strategies, runtime.adapters.clock"),
    (only_wiring_imports_adapters_and_strategies, "runtime/wiring_past.py", "from runtime.adapters import clock"),
    (only_wiring_imports_adapters_and_strategies, "runtime/wiring_stores.py", "from runtime.adapters import clock"),
    (only_entries_import_wiring, "main.py", "from runtime.wiring import wire"),
    (domain_and_strategies_touch_nothing, "runtime/domain/a.py", "import re\nre.compile('x')\ncandle.open"),
    (domain_and_strategies_touch_nothing, "runtime/adapters/a.py", "import random\nprint(1)"),
    (only_config_reads_the_environment, "runtime/config.py", "import os\nos.environ"),
    (money_knows_no_float, "runtime/domain/market.py", "x: float = 0.5"),
    (money_knows_no_float, "runtime/domain/money.py", "x = Decimal('0.5') * 2"),
    (no_broad_except, "main.py", "try: ...\nexcept Exception: ..."),
    (no_broad_except, "runtime/cycle.py", "try: ...\nexcept (KeyError, EngineError): ..."),
    (domain_values_are_frozen, "runtime/domain/a.py", "@dataclass(frozen=True, slots=True)\nclass A: ..."),
    (no_function_is_long, "runtime/cycle.py", "def f():\n    '''" + "long\n" * 60 + "'''\n    return 1"),
    (few_parameters, "runtime/cycle.py", METHOD),
    (everything_public_is_explained, "runtime/cycle.py", "'''M.'''\ndef _f(): ...\nclass _A:\n    def g(self): ..."),
    (nothing_bypasses_the_state_load, "main.py", "'--mode', 'timeInForce', 'reinforced'"),
    (every_test_says_what_holds, "tests/test_a.py", "def test_a_fill_is_booked(): ..."),
    (every_test_says_what_holds, "tests/test_a.py", "def test_it():\n    '''A fill is booked once.'''"),
    (no_mocks_of_our_own_code, "tests/test_a.py", "monkeypatch.setenv('A', '1')\nmonkeypatch.setattr(socket, 'x', 1)"),
]

CHAINS: list[tuple[dict[str, str], str]] = [
    ({"runtime.recovery": "import runtime.execution", "runtime.execution": ""}, "runtime.execution"),
    ({"runtime.execution": "from runtime import cycle", "runtime.cycle": ""}, "runtime.cycle"),
    (
        {
            "runtime.recovery": "from runtime.snapshot import take",
            "runtime.snapshot": "from runtime.cycle import run_cycle",
            "runtime.cycle": "",
        },
        "runtime.recovery -> runtime.snapshot -> runtime.cycle",
    ),
]


def _snippet(path: str, text: str) -> Source:
    return Source.parse(path, text)


def _modules(texts: dict[str, str]) -> list[Source]:
    return [_snippet(name.replace(".", "/") + ".py", text) for name, text in texts.items()]


@pytest.mark.parametrize(("rule", "path", "text"), RED)
def test_a_breach_is_found_with_its_file_and_line(rule: Rule, path: str, text: str) -> None:
    found = list(rule(_snippet(path, text)))
    assert found
    assert all(str(finding).startswith(f"{path}:{finding.line}: ") and finding.line >= 1 for finding in found)


@pytest.mark.parametrize(("rule", "path", "text"), GREEN)
def test_what_keeps_the_rule_is_left_alone(rule: Rule, path: str, text: str) -> None:
    assert not list(rule(_snippet(path, text)))


@pytest.mark.parametrize(("texts", "shown"), CHAINS)
def test_climbing_the_chain_is_found_even_by_a_detour(texts: dict[str, str], shown: str) -> None:
    found = list(the_chain_is_never_climbed(_modules(texts)))
    assert shown in str(found)


def test_going_down_the_chain_is_left_alone() -> None:
    texts = {"runtime.cycle": "import runtime.execution", "runtime.execution": "import runtime.recovery"}
    assert not list(the_chain_is_never_climbed(_modules({**texts, "runtime.recovery": "import runtime.ports"})))


def test_the_longest_tenth_is_named_when_too_many_functions_are_long() -> None:
    short = [_snippet(f"runtime/a{number}.py", "def f(): ...") for number in range(8)]
    longish = [_snippet(f"runtime/b{number}.py", LONGISH) for number in range(2)]
    assert not list(most_functions_are_short([*short, short[0], longish[0]]))
    assert [finding.path for finding in most_functions_are_short([*short, *longish])] == [
        "runtime/b1.py",
        "runtime/b0.py",
    ]


@pytest.mark.parametrize("path", ["setup.py", "services/a.py", "ops/other/a.sh", ".github/dependabot.yml"])
def test_an_unknown_top_level_name_is_found(path: str) -> None:
    assert list(names_at_the_top_are_fixed([path]))


@pytest.mark.parametrize("path", ["main.py", "runtime/a.py", ".github/workflows/cycle.yml", "ops/vps-dispatch/a.sh"])
def test_an_agreed_top_level_name_is_left_alone(path: str) -> None:
    assert not list(names_at_the_top_are_fixed([path]))


@pytest.mark.parametrize("path", ["runtime/core/a.py", "runtime/utils.py", "tests/helpers/a.py"])
def test_a_place_for_leftovers_is_found(path: str) -> None:
    assert list(no_place_for_leftovers([path]))


def test_an_empty_tree_keeps_every_rule_for_trees() -> None:
    assert not [*the_chain_is_never_climbed([]), *most_functions_are_short([]), *names_at_the_top_are_fixed([])]


def test_every_rule_of_the_house_has_been_seen_red() -> None:
    """A new rule needs a breach here. Those on whole trees have tests of their own above."""
    trees = {
        the_chain_is_never_climbed,
        most_functions_are_short,
        names_at_the_top_are_fixed,
        no_place_for_leftovers,
    }
    every = {
        rule
        for module in (rules_imports, rules_purity, rules_shape, rules_tree)
        for name, rule in inspect.getmembers(module, inspect.isgeneratorfunction)
        if not name.startswith("_") and rule.__module__ == module.__name__
    }
    assert {rule for rule, _, _ in RED} | trees == every
