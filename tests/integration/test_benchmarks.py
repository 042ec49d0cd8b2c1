"""Every benchmark runs and ends with its figures; those that measure no time must meet their targets."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EACH = {"name", "ratio", "target", "ok"}


def run(name: str, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


@pytest.mark.parametrize("name", ["vee_quality", "station_mix"])
def test_what_is_measured_on_the_sample_meets_its_target(name: str) -> None:
    figures = run(name)
    assert figures.keys() >= EACH
    assert figures["name"] == name
    assert figures["ok"] is True


@pytest.mark.parametrize(("share", "is_met"), [(0.95, True), (0.94, False)])
def test_estimates_count_only_if_nearly_every_gap_got_one(
    monkeypatch: pytest.MonkeyPatch, share: float, *, is_met: bool
) -> None:
    monkeypatch.syspath_prepend(ROOT)
    benchmark = importlib.import_module("benchmarks.vee_quality")
    rules = {kind: {"recall": 1.0, "precision": 1.0} for kind in benchmark.WITH_TARGET}
    measured = {"rules": rules, "estimate_error": {"ratio": 0.4, "share_estimated": share}}
    assert benchmark.meets_targets(measured) is is_met


def test_contestants_of_the_batch_benchmark_come_to_the_same_readings() -> None:
    figures = run("batch", "--meters", "20")
    assert figures.keys() >= {*EACH, "textbook_duckdb_rows_per_cpu_second", "linearity_1_to_10", "peak_rss_mb"}
    assert figures["rows"] > 200_000


def test_every_benchmark_is_run_here() -> None:
    modules = {each.stem for each in (ROOT / "benchmarks").glob("*.py")} - {"__init__"}
    packages = {each.parent.name for each in (ROOT / "benchmarks").glob("*/__main__.py")}
    assert modules | packages == {"vee_quality", "station_mix", "batch"}
