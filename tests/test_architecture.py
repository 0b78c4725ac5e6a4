"""The house rules, executable: where a thing may live, what it may touch, how long it may be.

Each test holds one rule against the files that exist by now; `tests/test_architecture_rules.py` shows that each rule
bites. The rules themselves, with their numbers, are in `tests/support/rules_*.py`.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence

import pytest

from tests.support import rules_imports, rules_purity, rules_shape, rules_tree
from tests.support.sources import ENGINE, ROOT, Finding, Rule, Source, load


@pytest.fixture(scope="module")
def engine() -> list[Source]:
    """What runs in production."""
    return load(*ENGINE)


@pytest.fixture(scope="module")
def tests() -> list[Source]:
    """What checks it."""
    return load("tests")


@pytest.fixture(scope="module")
def tracked() -> list[str]:
    """The paths that git keeps."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: there is no list of tracked files")
    return listed.stdout.splitlines()


def no_findings(found: Iterable[Finding]) -> None:
    """Fail with one line for each finding."""
    lines = [str(finding) for finding in found]
    if lines:
        pytest.fail(f"{len(lines)} finding(s)\n" + "\n".join(lines), pytrace=False)


def keeps(rule: Rule, sources: Sequence[Source]) -> None:
    """Hold one rule against every source."""
    no_findings(finding for source in sources for finding in rule(source))


def test_imports_point_one_way(engine: list[Source]) -> None:
    keeps(rules_imports.project_imports_point_one_way, engine)


def test_the_chain_from_cycle_to_domain_is_never_climbed(engine: list[Source]) -> None:
    no_findings(rules_imports.the_chain_is_never_climbed(engine))


def test_domain_and_strategies_need_no_library(engine: list[Source]) -> None:
    keeps(rules_imports.domain_and_strategies_need_no_library, engine)


def test_only_wiring_imports_adapters_and_strategies(engine: list[Source]) -> None:
    keeps(rules_imports.only_wiring_imports_adapters_and_strategies, engine)


def test_only_entries_import_wiring(engine: list[Source]) -> None:
    keeps(rules_imports.only_entries_import_wiring, engine)


def test_nothing_imports_an_entry(engine: list[Source]) -> None:
    keeps(rules_imports.nothing_imports_an_entry, engine)


def test_domain_and_strategies_touch_nothing(engine: list[Source]) -> None:
    keeps(rules_purity.domain_and_strategies_touch_nothing, engine)


def test_only_config_reads_the_environment(engine: list[Source]) -> None:
    keeps(rules_purity.only_config_reads_the_environment, engine)


def test_money_knows_no_float(engine: list[Source]) -> None:
    keeps(rules_purity.money_knows_no_float, engine)


def test_no_except_is_broad_outside_main(engine: list[Source]) -> None:
    keeps(rules_purity.no_broad_except, engine)


def test_values_of_the_domain_are_frozen(engine: list[Source]) -> None:
    keeps(rules_purity.domain_values_are_frozen, engine)


def test_no_function_is_long(engine: list[Source]) -> None:
    keeps(rules_shape.no_function_is_long, engine)


def test_nine_functions_in_ten_are_short(engine: list[Source]) -> None:
    no_findings(rules_shape.most_functions_are_short(engine))


def test_no_function_takes_many_parameters(engine: list[Source]) -> None:
    keeps(rules_shape.few_parameters, engine)


def test_no_module_is_long(engine: list[Source]) -> None:
    keeps(rules_shape.modules_are_short, engine)


def test_everything_public_is_explained(engine: list[Source]) -> None:
    keeps(rules_shape.everything_public_is_explained, engine)


def test_non_goals_are_absent(engine: list[Source]) -> None:
    keeps(rules_shape.non_goals_are_absent, engine)


def test_nothing_bypasses_the_state_load(engine: list[Source]) -> None:
    keeps(rules_shape.nothing_bypasses_the_state_load, engine)


def test_every_test_says_what_holds(tests: list[Source]) -> None:
    keeps(rules_tree.every_test_says_what_holds, tests)


def test_no_test_mocks_our_own_code(tests: list[Source]) -> None:
    keeps(rules_tree.no_mocks_of_our_own_code, tests)


def test_names_at_the_top_are_fixed(tracked: list[str]) -> None:
    no_findings(rules_tree.names_at_the_top_are_fixed(tracked))


def test_there_is_no_place_for_leftovers(tracked: list[str]) -> None:
    no_findings(rules_tree.no_place_for_leftovers(tracked))
