"""Metrics: promtool reads the file and the rules, the dashboard asks for what exists, a file is whole."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.cog.runtime import Runtime
from grafana_foundation_sdk.models.dashboard import Dashboard

from main import main
from runtime.adapters.metrics import metrics_text, write_metrics
from runtime.config import parse_settings
from runtime.domain.alerts import Receipt
from runtime.domain.report import CycleStatus, Report
from runtime.errors import Unavailable
from runtime.reporting import short_report
from runtime.wiring_channels import leave_metrics
from tests.support.reports import a_report
from tests.support.sources import ROOT

OPS = ROOT / "ops" / "metrics"
ENDED_MS = 1_795_251_700_000
needs_promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="promtool is not installed; .ci/run installs it"
)
GENERATED = re.compile(r"\bengine_[a-z_]+")


def full() -> Report:
    """An hour in which every metric has a value."""
    return replace(
        a_report(),
        timings_ms={"snapshot": 812, "execute": 1350},
        usage={"calls": 40, "failed": 2, "weight": 312},
        receipts=(Receipt("a", delivered=True, channel="telegram"), Receipt("b", delivered=False, channel="telegram")),
    )


def promtool(*arguments: str, given: bytes = b"") -> None:
    done = subprocess.run(["promtool", *arguments], input=given, capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


def samples(text: bytes) -> dict[str, float]:
    rows = [line.rpartition(" ") for line in text.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in rows}


@needs_promtool
def test_an_hours_file_is_what_promtool_reads_without_complaint() -> None:
    promtool("check", "metrics", given=metrics_text(full(), ENDED_MS))


def test_the_figures_are_the_reports() -> None:
    report, found = full(), samples(metrics_text(full(), ENDED_MS))
    assert report.equity is not None
    of = f'account="{report.account}"'
    assert found[f"engine_equity_usdt{{{of}}}"] == float(report.equity.total)
    assert found[f'engine_step_duration_seconds{{{of},step="snapshot"}}'] == 0.812
    assert found[f'engine_exchange_requests{{{of},kind="failed"}}'] == 2
    assert found[f"engine_exchange_weight{{{of}}}"] == 312
    assert found[f"engine_hour_ended_timestamp_seconds{{{of}}}"] == ENDED_MS / 1000
    assert found[f'engine_alerts_told{{{of},channel="telegram",outcome="waits"}}'] == 1
    gates = sum(value for name, value in found.items() if name.startswith("engine_gates"))
    assert gates == len(report.gates)
    parts = sum(value for name, value in found.items() if name.startswith("engine_equity_part"))
    assert abs(parts - float(report.equity.total)) < 1e-6
    assert all(of in name for name in found), "every sample says whose it is"


def test_what_an_aborted_hour_does_not_know_is_not_there() -> None:
    aborted = short_report(parse_settings({}), "2026-11-21T09Z", CycleStatus.ABORTED, "no answer")
    text = metrics_text(aborted, ENDED_MS)
    assert samples(text)['engine_hour_exit_code{account="main"}'] == 3
    assert b"engine_equity" not in text


def test_hostile_words_stay_inside_their_label() -> None:
    report = replace(a_report(), account='x"} 1\nengine_hour_exit_code{account="main')
    assert not [name for name in samples(metrics_text(report, ENDED_MS)) if name.endswith('{account="main"}')]


def test_the_same_hour_gives_the_same_bytes() -> None:
    assert metrics_text(full(), ENDED_MS) == metrics_text(full(), ENDED_MS)


def test_the_file_is_replaced_whole_and_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "new" / "engine.prom"
    for text in (b"one\n", b"two\n"):
        write_metrics(path, text)
        assert path.read_bytes() == text
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named_and_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "engine.prom").mkdir()
    with pytest.raises(Unavailable, match="ENGINE_METRICS_FILE"):
        write_metrics(tmp_path / "engine.prom", b"text")
    assert [path.name for path in tmp_path.iterdir()] == ["engine.prom"]


def test_a_run_that_left_the_hour_to_another_leaves_its_file_too(tmp_path: Path) -> None:
    settings = parse_settings({"ENGINE_METRICS_FILE": str(tmp_path / "engine.prom")})
    for status in (CycleStatus.SLOT_DONE, CycleStatus.LEASE_HELD):
        assert leave_metrics(settings, short_report(settings, "2026-11-21T09Z", status), ENDED_MS) == ""
    assert list(tmp_path.iterdir()) == []


def test_a_paper_hour_leaves_its_file_and_ends_well_where_it_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ENGINE_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("ENGINE_METRICS_FILE", str(tmp_path / "engine.prom"))
    monkeypatch.delenv("ENGINE_MODE", raising=False)
    assert main([]) == 0
    found = samples((tmp_path / "engine.prom").read_bytes())
    assert found['engine_hour_status{account="main",status="done"}'] == 1
    assert Decimal(str(found['engine_equity_usdt{account="main"}'])) > 9000
    (tmp_path / "engine.prom").unlink()
    (tmp_path / "engine.prom").mkdir()
    monkeypatch.setenv("ENGINE_DATA_DIR", str(tmp_path / "other"))
    capsys.readouterr()
    assert main(["--json"]) == 0
    assert "ENGINE_METRICS_FILE" in capsys.readouterr().err


def rules() -> list[dict[str, Any]]:
    [group] = yaml.safe_load((OPS / "rules.yml").read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def exported() -> set[str]:
    return {name.partition("{")[0] for name in samples(metrics_text(full(), ENDED_MS))}


@needs_promtool
def test_the_rules_are_read_by_promtool_and_name_only_metrics_that_exist() -> None:
    promtool("check", "rules", str(OPS / "rules.yml"))
    for rule in rules():
        assert set(GENERATED.findall(rule["expr"])) <= exported(), rule["alert"]
        assert rule["labels"]["severity"] in {"warning", "critical"}


def test_every_rule_links_a_page_that_exists() -> None:
    for rule in rules():
        page = rule["annotations"]["runbook_url"].partition("/docs/runbook/")[2]
        assert (ROOT / "docs" / "runbook" / page).is_file(), rule["alert"]


@needs_promtool
def test_rules_fire_when_they_should_and_not_before(tmp_path: Path) -> None:
    """Prometheus itself decides: an hour that stays away, an exit code, a drawdown."""
    (tmp_path / "rules.yml").write_text((OPS / "rules.yml").read_text())
    (tmp_path / "test.yml").write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "tests": list(firings())}))
    promtool("test", "rules", str(tmp_path / "test.yml"))


def firings() -> Iterator[dict[str, Any]]:
    for name, value, minute, fires in (
        ("EngineHourMissing", "engine_hour_ended_timestamp_seconds", 60, False),
        ("EngineHourMissing", "engine_hour_ended_timestamp_seconds", 76, True),
        ("EngineHourFailed", "engine_hour_exit_code", 1, True),
        ("EngineDrawdown", "engine_drawdown_ratio", 1, True),
    ):
        series = {"engine_hour_exit_code": "3x200", "engine_drawdown_ratio": "0.25x200"}.get(value, "0x200")
        rule = next(rule for rule in rules() if rule["alert"] == name)
        alert = {"exp_labels": {"account": "main", **rule["labels"]}, "exp_annotations": None}
        test = {"eval_time": f"{minute}m", "alertname": name, "exp_alerts": [alert] if fires else []}
        if fires:
            alert["exp_annotations"] = {**rule["annotations"], "summary": SUMMARIES[name]}
        yield {
            "interval": "1m",
            "input_series": [{"series": f'{value}{{account="main"}}', "values": series}],
            "alert_rule_test": [test],
        }


SUMMARIES = {
    "EngineHourMissing": "No hour of main ended for 1h 16m 0s",
    "EngineHourFailed": "The newest hour of main ended with exit 3",
    "EngineDrawdown": "main is 25% below its highest",
}


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((OPS / "dashboard.json").read_text())
    return found


def expressions() -> list[str]:
    return [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]


def test_the_dashboard_asks_only_for_metrics_that_exist_and_for_all_that_matter() -> None:
    asked = {name for expression in expressions() for name in GENERATED.findall(expression)}
    assert asked <= exported()
    assert exported() - asked <= {
        "engine_hour_slot_timestamp_seconds", "engine_hour_status", "engine_alerts_told", "engine_missed_slots",
        "engine_pool_degraded", "engine_drift_assets",
    }  # fmt: skip


@needs_promtool
def test_every_expression_of_the_dashboard_is_one_that_prometheus_reads(tmp_path: Path) -> None:
    made = [
        {"record": f"panel:{number}", "expr": text.replace("$account", ".*")}
        for number, text in enumerate(expressions())
    ]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": made}]}))
    promtool("check", "rules", str(tmp_path / "rules.yml"))


def test_the_dashboards_panels_have_own_numbers_do_not_overlap_and_name_the_chosen_source() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one, two in combinations([panel["gridPos"] for panel in panels], 2):
        apart = one["x"] + one["w"] <= two["x"] or two["x"] + two["w"] <= one["x"]
        assert apart or one["y"] + one["h"] <= two["y"] or two["y"] + two["h"] <= one["y"]
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
    sources = [panel["datasource"] for panel in panels]
    sources += [target["datasource"] for panel in panels for target in panel["targets"]]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)
    assert {variable["name"] for variable in dashboard()["templating"]["list"]} == {"datasource", "account"}


@pytest.fixture(scope="module")
def grafana() -> Callable[[dict[str, Any]], Any]:
    """A document as Grafana's own types read it, written out again: without what they do not know."""
    register_default_plugins()
    return lambda document: json.loads(JSONEncoder().encode(Dashboard.from_json(document)))


def lost(here: Any, there: Any, path: str = "") -> list[str]:
    """What stands here and not there, by its path; `there` may hold more."""
    if isinstance(here, dict) and isinstance(there, dict):
        pairs = [(f"{path}.{name}", value, there.get(name)) for name, value in here.items()]
    elif isinstance(here, list) and isinstance(there, list) and len(here) == len(there):
        pairs = [(f"{path}[{number}]", *pair) for number, pair in enumerate(zip(here, there, strict=True))]
    else:
        return [] if here == there else [path]
    return [name for where, one, other in pairs for name in lost(one, other, where)]


def test_grafana_reads_all_of_the_dashboard(grafana: Callable[[dict[str, Any]], Any]) -> None:
    document = dashboard()
    read = grafana(document)
    assert lost(document, read) == []
    assert [panel["type"] for panel in read["panels"]] == [panel["type"] for panel in document["panels"]]


@pytest.mark.parametrize("field", ["title", "gridPos", "targets", "fieldConfig", "options"])
def test_a_field_that_grafana_does_not_know_is_found(grafana: Callable[[dict[str, Any]], Any], field: str) -> None:
    """The check itself: a misspelt field of a panel is one that Grafana would drop without a word."""
    document = dashboard()
    panel = document["panels"][0]
    panel[f"{field}s"] = panel.pop(field)
    assert lost(document, grafana(document)) == [f".panels[0].{field}s"]


@pytest.mark.parametrize(
    ("path", "name"),
    [(("targets", 0), "exprs"), (("options",), "texts"), (("fieldConfig", "defaults"), "units"), (("gridPos",), "hh")],
)
def test_one_deeper_in_a_panel_is_found_too(
    grafana: Callable[[dict[str, Any]], Any], path: tuple[str | int, ...], name: str
) -> None:
    document = dashboard()
    inner: Any = document["panels"][0]
    for step in path:
        inner = inner[step]
    inner[name] = "x"
    (found,) = lost(document, grafana(document))
    assert found.endswith(f".{name}")


def test_every_type_of_panel_is_one_that_the_types_know() -> None:
    register_default_plugins()
    known = Runtime().panelcfg_variants
    assert {panel["type"] for panel in dashboard()["panels"]} <= known.keys()
