"""Every benchmark runs and ends with its figures; those that measure no time must meet their targets."""

import importlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from numpy.testing import assert_array_equal
from support.services import require_programs

from gridcast.features.windows import window_inputs

ROOT = Path(__file__).parents[2]
LITTLE = datetime(2004, 4, 1, tzinfo=UTC)
EACH = {"name", "ratio", "target", "ok"}
NEEDED = {"api": ("wrk",), "stream.runner": ("java", "mvn")}


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


@pytest.mark.parametrize("name", ["train", "inference", "stream", "stream.runner", "store", "api"])
def test_what_is_timed_runs_and_ends_with_its_figures(name: str) -> None:
    require_programs(*NEEDED.get(name, ()))
    figures = run(name, "--quick")
    assert figures.keys() >= {*EACH, "missed"}
    assert figures["name"] == name
    assert figures["ok"] is True


def test_a_member_learns_two_years_of_the_sample_where_victoria_is_not_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDCAST_VICTORIA", "absent.parquet")
    figures = run("train", "--part", "member", "--quick")
    assert figures["series"] == 1
    assert 731 * 24 <= figures["rows"] <= 800 * 24


def test_changes_that_are_injected_are_looked_for_in_the_sample() -> None:
    figures = run("drift", "--quick")
    assert figures.keys() >= {*EACH, "false_alarms_per_quarter", "days"}
    assert figures["data"] == "sample"
    assert figures["days"]["dead"]["most"] == 1


def test_weeks_without_anybody_looking_end_with_a_model_that_is_whole_and_every_day_forecast() -> None:
    figures = run("year", "--quick")
    assert figures.keys() >= {*EACH, "steps", "missed"}
    assert figures["days_without_forecast"] == 0
    assert figures["forecasts_of_the_bad_model"] <= 2
    assert {"promotion_refused", "rolled_back", "trained"} <= figures["steps"].keys()


def test_a_zone_left_out_is_forecast_beside_one_that_was_learned() -> None:
    figures = run("cold_series", "--quick")
    assert figures.keys() >= {*EACH, "pinball", "width_80", "cold_coverage_80", "learned_coverage_80"}
    assert figures["by_zone"] == {"zone_02": figures["ratio"]}
    assert 0.5 < figures["ratio"] < 2.0


def test_models_are_compared_on_the_same_days_of_the_sample() -> None:
    figures = run("accuracy", "--quick")
    assert figures["data"] == "sample"
    scored = {name for name, row in figures["contestants"].items() if "skipped" not in row}
    assert scored >= {"gridcast", "weekly_naive", "linear"}
    for name, row in figures["contestants"].items():
        assert row.get("skipped") or row["pinball_mw"] > 0, name


def test_without_its_file_a_data_set_is_skipped_with_the_reason(tmp_path: Path) -> None:
    figures = run("accuracy", "--victoria", str(tmp_path / "none.parquet"))
    assert figures["ok"] is True
    assert "none.parquet" in figures["skipped"]


def test_the_competition_is_solved_from_training_to_score() -> None:
    figures = run("accuracy", "--dataset", "gefcom2012", "--quick")
    assert figures["contestants"]["gridcast"]["wrmse_kw"] > 0
    assert figures["contestants"]["organisers_benchmark"]["wrmse_kw"] == 100_385


def test_ways_to_do_without_the_weather_of_a_week_are_compared_on_another_one() -> None:
    figures = run("accuracy.week_weather", "--quick")
    assert figures.keys() == {"climatology", "none", "mean", "observed"}
    assert min(figures.values()) > 0


def test_a_week_amid_the_history_is_forecast_from_both_its_sides() -> None:
    figures = run("accuracy.week_sides", "--quick")
    assert figures.keys() > {"ahead", "back", "both, 0.0", "both, 0.5"}
    assert min(figures.values()) > 0
    assert figures["both, 0.5"] < max(figures["ahead"], figures["back"])


def test_the_competition_is_scored_as_its_organisers_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    competition = importlib.import_module("benchmarks.accuracy.competition")
    benchmark = importlib.import_module("gridcast.ingestion.sample").read_withheld().benchmark
    assert competition.errors(benchmark) == {"wrmse_kw": 100_385, "backcast_kw": 69_557, "forecast_kw": 123_758}


def test_a_history_turned_backwards_keeps_every_hour_with_its_own_weather(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    weeks = importlib.import_module("benchmarks.accuracy.weeks")
    panel = importlib.import_module("benchmarks.accuracy.tasks").sample_panel(zones=1, until=LITTLE)
    back = weeks.mirror(panel, until=1_000)
    assert_array_equal(back.load_mw[0, ::-1], panel.load_mw[0, :1_000])
    ahead = window_inputs(panel, series=[0], origin=[700], leads=48)
    turned = window_inputs(back, series=[0], origin=[1_000 - 748], leads=48)
    for name in ("hour_of_day", "weekday", "temperature_c", "holiday"):
        assert_array_equal(turned[name][:, ::-1], ahead[name])
    assert_array_equal(turned["recent_load_mw"][0, ::-1][:200], panel.load_mw[0, 748:948])


def test_every_benchmark_is_run_here() -> None:
    modules = {each.stem for each in (ROOT / "benchmarks").glob("*.py")} - {"__init__"}
    packages = {each.parent.name for each in (ROOT / "benchmarks").glob("*/__main__.py")}
    timed = {"train", "inference", "stream", "store", "api"}
    run_here = timed | {"vee_quality", "station_mix", "batch", "accuracy", "cold_series", "drift", "year"}
    assert modules | packages == run_here
