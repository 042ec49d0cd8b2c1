import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from support.installation import GRIDCAST, ZONES, Place

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import CLEAN_READINGS
from gridcast.features.day_calendar import DAY_TERMS
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.registry.mlflow_registry import Registry
from gridcast.store.store import Store
from gridcast.workflows.judging.backtest import model_quantiles
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.training.history import history_panel

Copy = Callable[[Place], Place]
LAST = datetime(2008, 6, 30, 10, tzinfo=UTC)
"""The newest reading."""
EVER = {"start": datetime(1990, 1, 1, tzinfo=UTC), "end": datetime(2090, 1, 1, tzinfo=UTC)}


def stored(place: Place) -> tuple[pl.DataFrame, pl.DataFrame]:
    store = Store.open(place.directory / "data" / "gridcast.db")
    readings, forecasts = store.readings(**EVER), store.forecasts(**EVER)
    store.close()
    return readings, forecasts


@pytest.fixture(scope="module")
def replayed(promoted: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Twelve hours replayed without a break."""

    place = Place(shutil.copytree(promoted.directory, tmp_path_factory.mktemp("replayed") / "copy"))
    place.run("stream", "--last", "PT12H")
    return place


def test_ingest_counts_what_it_rejects_and_keeps_it(promoted: Place, copy_of: Copy) -> None:
    place = copy_of(promoted)

    result = place.json("ingest")

    assert result["rejected"] == {"load_not_a_number": 1, "nonexistent_local_time": 1, "unparsable_time": 1}
    letter = pl.read_csv(place.directory / result["sources"][0]["dead_letter"])
    assert letter.height == 3
    assert "a lot" in "\n".join(letter["raw"])
    assert result["series"] == len(ZONES)


def test_a_day_of_the_clock_change_has_23_hours_and_none_is_made_up(promoted: Place) -> None:
    processed = Processed.open(promoted.directory / "data" / "processed")
    local = pl.col("valid_time").dt.convert_time_zone("Europe/London")
    day = processed.readings().filter(local.dt.date() == datetime(2008, 3, 30, tzinfo=UTC).date())

    assert day.group_by("series_id").len()["len"].unique().to_list() == [23]
    assert day["raw_load_mw"].null_count() == 0


def test_each_zone_has_its_own_holidays_bridge_days_and_events(promoted: Place) -> None:
    panel = history_panel(Processed.open(promoted.directory / "data" / "processed"))
    hours = {
        name: dict(zip(DAY_TERMS, panel.calendar.holiday[row].sum(axis=0), strict=True))
        for name, row in zip(panel.series_ids, panel.zone_of_series, strict=True)
    }

    assert len(panel.calendar.holiday) == 3
    assert hours["zone_01"] == hours["zone_02"]
    assert hours["zone_01"]["event"] == 24 + 12
    assert hours["zone_10"]["event"] == hours["system"]["event"] == 0
    assert hours["zone_10"]["holiday"] == hours["system"]["holiday"] + 24, "2 January in Scotland"


def test_backtest_prints_the_headline_as_json(promoted: Place, copy_of: Copy) -> None:
    result = copy_of(promoted).json("backtest")

    named = {"skill_pinball_vs_naive", "skill_pinball_vs_linear", "coverage_80", "mape_system", "n"}
    assert named <= result.keys()
    assert result["n"] == 13 * 48 * 4
    assert 0 < result["skill_pinball_vs_naive"] < 1


def test_every_tick_commits_clean_readings_and_a_forecast_of_every_series(replayed: Place) -> None:
    _, forecasts = stored(replayed)

    issues = forecasts.group_by("issue_time").agg(pl.len(), pl.col("series_id").n_unique())
    assert issues.height == 12
    assert issues["len"].unique().to_list() == [48 * (len(ZONES) + 1)]
    ordered = forecasts.select(QUANTILE_COLUMNS).to_numpy()
    assert (np.diff(ordered, axis=1) >= 0).all()


def test_the_stream_cleans_exactly_as_the_batch_run_does(replayed: Place) -> None:
    readings, _ = stored(replayed)
    processed = Processed.open(replayed.directory / "data" / "processed")

    batch = processed.readings(start=readings["valid_time"].min()).select(CLEAN_READINGS.names())

    assert_frame_equal(readings, batch, check_exact=True)
    replayed_hours = readings.filter(pl.col("valid_time") >= LAST - timedelta(hours=11))
    assert {"gap+interpolated", "spike+interpolated"} <= set(replayed_hours["rule"])


def test_readings_that_come_late_are_taken_in_by_the_next_run(promoted: Place, replayed: Place, copy_of: Copy) -> None:
    place = copy_of(promoted)
    complete = (place.directory / "readings.csv").read_text()
    late = ("zone_02,2008-06-30 09:00", "zone_02,2008-06-30 10:00", "zone_02,2008-06-30 11:00")
    kept = [line for line in complete.splitlines(keepends=True) if not line.startswith(late)]
    (place.directory / "readings.csv").write_text("".join(kept))
    for command in ("ingest", "prepare"):
        place.run(command)
    place.run("stream", "--last", "PT12H")
    assert stored(place)[0].filter(quality="missing").height == 6, "the zone and the system lack three hours"

    (place.directory / "readings.csv").write_text(complete)
    for command in ("ingest", "prepare"):
        place.run(command)
    rest = place.json("stream")

    assert rest["ticks"] == 1
    assert_frame_equal(stored(place)[0], stored(replayed)[0], check_exact=True)


def test_a_forecast_of_the_stream_equals_one_made_from_the_whole_history_at_once(replayed: Place) -> None:
    _, forecasts = stored(replayed)
    processed = Processed.open(replayed.directory / "data" / "processed")
    champion = Registry.open(replayed.directory / "data" / "registry").champion()
    assert champion is not None
    issue_time = forecasts["issue_time"].min()
    forecaster = Forecaster.load(champion.directory)
    until = issue_time + timedelta(hours=48)
    panel = history_panel(processed, until=until, station_mix=forecaster.station_mix)

    series = np.arange(len(panel.series_ids))
    origin = np.full(len(series), panel.index_of(issue_time))
    bulk = model_quantiles(forecaster, panel, series=series, origin=origin)

    known = forecasts.filter(pl.col("issue_time") == issue_time, pl.col("degraded_because") == "")
    leads = known.filter(series_id="system").height
    assert leads == 11, "as far as the weather is known"
    streamed = np.stack([known.filter(series_id=each).select(QUANTILE_COLUMNS).to_numpy() for each in panel.series_ids])
    np.testing.assert_allclose(streamed, bulk[:, :leads], rtol=1e-5)


def test_a_replay_killed_in_the_middle_and_started_again_ends_in_the_same_store(
    promoted: Place, replayed: Place, copy_of: Copy
) -> None:
    place = copy_of(promoted)
    command = [GRIDCAST, "stream", "--last", "PT12H"]
    with subprocess.Popen(
        command, cwd=place.directory, env=place.environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        ticks = 0
        for line in process.stderr:
            ticks += line.startswith("replaying:")
            if ticks == 4:
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL

    rest = place.json("stream", "--last", "PT12H")

    assert 0 < rest["ticks"] < 12
    for ended, uninterrupted in zip(stored(place), stored(replayed), strict=True):
        assert_frame_equal(ended, uninterrupted, check_exact=True)


def test_sigterm_finishes_the_tick_in_hand_and_the_next_run_misses_nothing(
    promoted: Place, replayed: Place, copy_of: Copy
) -> None:
    place = copy_of(promoted)
    command = [GRIDCAST, "stream", "--last", "PT12H", "--speed", "60", "--format", "json"]
    with subprocess.Popen(
        command, cwd=place.directory, env=place.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if line.startswith("replaying:"))
        process.terminate()
        output, _ = process.communicate(timeout=60)

    assert process.returncode == 0
    assert json.loads(output)["ticks"] == 1

    place.run("stream", "--last", "PT2H")

    for ended, uninterrupted in zip(stored(place), stored(replayed), strict=True):
        assert_frame_equal(ended, uninterrupted, check_exact=True)


def test_scoring_report_status_and_forecast_follow_the_replay(replayed: Place, copy_of: Copy) -> None:
    place = copy_of(replayed)

    scored = place.json("score")
    report = place.json("report", "--picture", "picture.png")
    status = place.json("status")
    rows = place.json("forecast", "--series", "system", "--as-of", "2008-06-29T06:00Z", "--to", "rows.csv")

    assert scored["issues"] == 11
    page = (place.directory / report["report"]).read_text()
    assert all(zone in page for zone in (*ZONES, "system"))
    assert (place.directory / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert status["champion"] == "1"
    assert status["late_series"] == []
    assert len(rows["forecasts"]) == 48
    assert pl.read_csv(place.directory / "rows.csv").height == 48


def test_an_explanation_adds_up_to_the_forecasts_that_were_stored(replayed: Place, copy_of: Copy) -> None:
    place = copy_of(replayed)
    forecasts = stored(place)[1].filter(series_id="system")
    issues = forecasts["issue_time"].unique().sort()
    newest, earlier = (f"{each:%Y-%m-%dT%H:%MZ}" for each in (issues[-1], issues[-7]))

    against = place.json("explain", "--as-of", newest, "--to", "why.parquet")
    since = place.json("explain", "--as-of", newest, "--since", earlier)

    last = forecasts.filter(issue_time=issues[-1])
    first = forecasts.filter(issue_time=issues[-7])
    np.testing.assert_allclose([hour["forecast_mw"] for hour in against["intervals"]], last["p50"], rtol=1e-5)
    widths = np.array([hour["width_80_forecast_mw"] for hour in against["intervals"]])
    stretched = (last["p90"] - last["p10"]).to_numpy() / widths
    assert ((stretched > 0.5) & (stretched < 2.0)).all(), "bands as the network gives them, before they are refreshed"
    np.testing.assert_allclose([hour["reference_mw"] for hour in since["intervals"]], first["p50"][6:], rtol=1e-5)
    for result in (against, since):
        for hour in result["intervals"]:
            contributions = [hour[f"{group}_mw"] for group in result["input_groups"]]
            assert sum(contributions) == pytest.approx(hour["forecast_mw"] - hour["reference_mw"], abs=1e-9)
        assert (place.directory / result["file"]).is_file()
    assert pl.read_parquet(place.directory / "why.parquet").equals(pl.read_parquet(place.directory / against["file"]))
    assert against["told"][0]["forecast_mw"] == max(hour["forecast_mw"] for hour in against["intervals"])
    assert any(hour["weather_mw"] for hour in against["intervals"])


def test_what_cannot_be_explained_is_refused(promoted: Place) -> None:
    both = promoted.run("explain", "--since", "2008-06-30T00:00Z", "--against", "P1D", code=2)
    assert "expected neither --against nor --last beside it" in both.stderr
    outside = promoted.run("explain", "--at", "2008-07-09T00:00Z", "--dry-run", code=2)
    assert "expected a time from 2008-06-30 11:00Z to 2008-07-02 10:00Z" in outside.stderr


def test_peaks_ahead_and_judged_are_those_of_the_store_and_the_backtest(replayed: Place, copy_of: Copy) -> None:
    place = copy_of(replayed)
    newest = stored(place)[1].filter(pl.col("issue_time") == pl.col("issue_time").max())
    tomorrow = pl.col("valid_time").dt.convert_time_zone("Europe/London").dt.date() == datetime(2008, 7, 1).date()  # noqa: DTZ001

    ahead = place.json("peaks", "--limit", "1e9", "--to", "peaks.csv")
    shutil.rmtree(place.directory / "data" / "backtest")
    place.run("peaks", "--backtest", code=1)
    place.run("backtest", "--model", "champion")
    judged = place.json("peaks", "--backtest", "--threshold", "0.3")

    medians = newest.filter(tomorrow).group_by("series_id").agg(pl.col("p50").max()).sort("series_id")
    assert [each["date"] for each in ahead["days"]] == ["2008-07-01"] * (len(ZONES) + 1)
    assert [each["medians_peak_mw"] for each in ahead["days"]] == medians["p50"].to_list()
    assert {each["p_exceed"] for each in ahead["days"]} == {0.0}
    assert pl.read_csv(place.directory / "peaks.csv").height == len(ZONES) + 1
    (kept,) = (place.directory / "data" / "backtest").rglob("peaks.parquet")
    days = pl.read_parquet(kept)
    assert judged["n"] == days["actual_peak_mw"].is_not_null().sum() > 13 * len(ZONES)
    assert judged["tp"] + judged["fp"] + judged["fn"] + judged["tn"] == judged["n"]
    assert (days["p50"] > days["medians_peak_mw"]).mean() > 0.95, "the largest of the medians is too low a forecast"
    sizes = days["actual_peak_mw"].mean()
    assert abs(judged["size_bias_mw"]) < 0.1 * sizes
    assert 0.5 < judged["coverage_80"] < 0.98


def test_running_the_stages_again_reuses_what_has_not_changed(promoted: Place, copy_of: Copy) -> None:
    place = copy_of(promoted)

    assert place.json("prepare")["reused"]
    assert place.json("train")["reused"]
    assert not place.json("promote")["changed"]


def test_a_refused_model_leaves_the_champion_in_charge_and_exits_with_3(promoted: Place, copy_of: Copy) -> None:
    place = copy_of(promoted)
    place.run("train", env={"GRIDCAST_MODEL__TRAINING__EPOCHS": "1", "GRIDCAST_MODEL__TRAINING__SEED": "1"})

    refused = place.run("promote", env={"GRIDCAST_MODEL__GATE__MIN_SKILL_VS_NAIVE": "0.99"}, code=3)

    assert "is not promoted: its skill against the weekly naive is" in refused.stderr
    status = place.json("status")
    assert status["champion"] == "1"
    assert status["events"][-1]["kind"] == "promotion_refused"


def test_a_damaged_artefact_is_refused(promoted: Place, copy_of: Copy) -> None:
    place = copy_of(promoted)
    (artefact,) = Path(place.directory / "data" / "registry").rglob("model.tflite")
    artefact.write_bytes(artefact.read_bytes()[:-100] + bytes(100))

    failed = place.run("forecast", code=1)

    assert failed.stderr.count("error:") == 1
    assert "model.tflite" in failed.stderr
