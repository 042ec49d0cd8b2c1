"""The committed alert rules are those of the code, have a runbook, and fire when they should and only then."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from support.services import require_programs

from gridcast.monitoring.alert_rules import render_rules
from gridcast.monitoring.alerts import ALERTS, Alert, Severity
from gridcast.monitoring.metric_names import METRICS, Kind

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "config/prometheus"
CASES = ROOT / "tests/fixtures/prometheus/alert_tests.yml"
RUNBOOK = (ROOT / "docs/operations.md").read_text(encoding="utf-8")

each_alert = pytest.mark.parametrize("alert", [pytest.param(each, id=each.name) for each in ALERTS])


def test_the_committed_rules_are_those_of_the_code() -> None:
    assert (FOLDER / "gridcast_alerts.yml").read_text(encoding="utf-8") == render_rules()


def test_every_rule_fires_when_it_should_and_only_then() -> None:
    (promtool,) = require_programs("promtool")
    done = subprocess.run([promtool, "test", "rules", CASES], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@each_alert
def test_an_alert_is_tested_both_firing_and_quiet(alert: Alert) -> None:
    tests = yaml.safe_load(CASES.read_text(encoding="utf-8"))["tests"]
    seen = {
        bool(each["exp_alerts"]) for test in tests if test["name"] == alert.name for each in test["alert_rule_test"]
    }
    assert seen == ({True} if alert.severity is Severity.NONE else {True, False})


@each_alert
def test_an_alert_asks_only_for_metrics_that_there_are(alert: Alert) -> None:
    known = {f"{each.name}_bucket" if each.kind is Kind.HISTOGRAM else each.name for each in METRICS}
    assert set(re.findall(r"\bgridcast_\w+", alert.expression)) <= known


@each_alert
def test_an_alert_has_a_section_that_says_what_it_means_and_what_to_do(alert: Alert) -> None:
    section = RUNBOOK.split(f"### {alert.name}\n")[1].split("\n#")[0]
    told = re.findall(r"^\*\*(.+?)\.\*\*", section, flags=re.MULTILINE)
    assert told == ["It means", "Look at", "Do"]


def test_there_is_no_section_without_an_alert() -> None:
    assert re.findall(r"^### (Gridcast\w+)$", RUNBOOK, flags=re.MULTILINE) == [each.name for each in ALERTS]


def test_the_table_of_metrics_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| `(gridcast_\w+)` \| (\w+) \| (.*?) \| (.+?) \|$", RUNBOOK, flags=re.MULTILINE)
    told = [(name, kind, re.findall(r"`(\w+)`", labels), text) for name, kind, labels, text in rows]
    assert told == [(each.name, each.kind.value, list(each.labels), each.help) for each in METRICS]


def test_names_end_with_their_unit_and_counters_with_total() -> None:
    for each in METRICS:
        assert re.fullmatch(r"gridcast_[a-z_]+", each.name)
        assert each.name.endswith("_total") == (each.kind is Kind.COUNTER)
        assert not re.search(r"_(ms|mw|pct|percent|min)$", each.name)


def test_the_settings_of_prometheus_and_alertmanager_are_accepted(tmp_path: Path) -> None:
    promtool, amtool = require_programs("promtool", "amtool")
    key = tmp_path / "key"
    key.write_text("gck_x")
    (tmp_path / "gridcast_alerts.yml").write_text(render_rules())
    settings = (FOLDER / "prometheus.yml").read_text().replace("/etc/gridcast/metrics_key", str(key))
    (tmp_path / "prometheus.yml").write_text(settings)
    subprocess.run([promtool, "check", "config", tmp_path / "prometheus.yml"], check=True, timeout=60)
    subprocess.run([amtool, "check-config", FOLDER / "alertmanager.yml"], check=True, timeout=60)


def test_for_a_drill_all_times_shrink_alike() -> None:
    rules = yaml.safe_load(render_rules(time_scale=1 / 60))["groups"][0]["rules"]
    by_name = {each["alert"]: each for each in rules}
    assert by_name["GridcastForecastOld"]["for"] == "5s"
    assert by_name["GridcastErrorAboveBacktest"]["for"] == "1m"
    assert "[1m]" in by_name["GridcastPromotionRefused"]["expr"]
    assert json.dumps(rules)
