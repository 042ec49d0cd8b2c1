"""Somebody else's forecast is kept beside ours and scored by the same actuals, without what one number cannot say."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from support.processed_history import HOUR, write_history

from gridcast.domain.errors import GridcastError
from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import CLEAN_READINGS, FORECASTS, READINGS, Layer
from gridcast.store.monitored_forecasts import live_scores
from gridcast.store.store import Store
from gridcast.workflows.forecasts.external_forecasts import TakenOver, take_over
from gridcast.workflows.forecasts.live_scores import scores_due
from gridcast.workflows.readings.processed import Processed

OFF_MW = 3.0


@dataclass
class Here:
    store: Store
    processed: Processed

    @property
    def end(self) -> datetime:
        return self.processed.observed_until

    def actual(self, series_id: str = "zone_n") -> pl.DataFrame:
        rows = self.processed.readings(series_ids=[series_id], start=self.end - timedelta(days=3))
        return rows.select("series_id", "valid_time", "load_mw").drop_nulls()

    def said(self, issue_time: datetime, *, hours: int = 24, off_mw: float = OFF_MW) -> pl.DataFrame:
        """A forecast that is off by some MW at every hour, as far as the history reaches, and one number behind."""
        times = pl.DataFrame({"valid_time": [issue_time + hour * HOUR for hour in range(hours)]})
        rows = times.join(self.actual(), on="valid_time", how="left")
        return rows.select(
            series_id=pl.lit("zone_n"),
            valid_time="valid_time",
            load_mw=pl.col("load_mw").fill_null(50.0) + off_mw,
            available_at=pl.lit(issue_time, READINGS["valid_time"]),
        ).cast(READINGS)

    def kept(self) -> pl.DataFrame:
        return self.store.forecasts(start=self.end - timedelta(days=9), end=self.end + timedelta(days=9))


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    processed = write_history(tmp_path / "processed", days=60)
    with contextlib.closing(Store.open(tmp_path / "gridcast.db")) as store:
        clean = processed.readings(start=processed.observed_until - timedelta(days=45))
        store.save_clean(clean.select(CLEAN_READINGS.names()))
        yield Here(store, processed)


def test_a_forecast_is_kept_as_a_layer_of_its_own_with_its_median_only(here: Here) -> None:
    done = take_over(here.store, here.processed, here.said(here.end - 12 * HOUR), source="TSO")
    assert done == TakenOver(rows=24, issues=1, scored=1, left_out=0)
    kept = here.kept()
    assert kept.schema == FORECASTS
    assert kept.select("layer", "model_version").unique().rows() == [("external", "TSO")]
    assert kept["p50"].null_count() == 0
    assert all(kept[column].null_count() == 24 for column in QUANTILE_COLUMNS if column != "p50")
    assert here.store.latest_forecast("zone_n", layer=Layer.EXTERNAL).height == 24


def test_it_is_scored_by_its_errors_beside_the_weekly_naive_and_has_no_bands(here: Here) -> None:
    take_over(here.store, here.processed, here.said(here.end - 12 * HOUR), source="TSO")
    with here.store.transaction() as connection:
        scores = live_scores(connection, None, start=here.end - timedelta(days=2), end=here.end)
    assert scores.select("series_id", "layer", "lead_bucket", "n").rows() == [
        ("zone_n", "external", "0–6 h", 6),
        ("zone_n", "external", "6–12 h", 6),
    ]
    assert scores["mae_mw"].to_list() == pytest.approx([OFF_MW, OFF_MW])
    assert scores["bias_mw"].to_list() == pytest.approx([OFF_MW, OFF_MW])
    nothing = ("pinball_mw", "coverage_80", "coverage_90", "naive_pinball_mw", "skill_pinball_vs_naive")
    assert all(scores[name].null_count() == 2 for name in nothing)
    naive = scores["naive_mae_mw"]
    assert naive.null_count() == 0
    assert scores["skill_mae_vs_naive"].to_list() == pytest.approx((1 - OFF_MW / naive).to_list())


def test_the_stream_scores_it_as_its_actuals_come_in_beside_our_own(here: Here) -> None:
    issued = here.end - 6 * HOUR
    take_over(here.store, here.processed, here.said(issued, off_mw=-2.0), source="TSO")
    ours = here.kept().with_columns(pl.col("p50").alias(column) for column in QUANTILE_COLUMNS)
    here.store.save_forecasts(ours.with_columns(layer=pl.lit("model"), model_version=pl.lit("1")))
    clean = here.processed.readings(start=here.end - timedelta(days=45)).select(CLEAN_READINGS.names())
    zones = here.processed.hierarchy.time_zones
    scores = scores_due(here.store, clean, after=here.end - HOUR, until=here.end, time_zones=zones)
    assert scores is not None
    by_layer = {row["layer"]: row for row in scores.iter_rows(named=True)}
    assert by_layer.keys() == {"model", "external"}
    assert by_layer["external"]["bias_mw"] == pytest.approx(-2.0)
    assert by_layer["external"]["mae_mw"] == by_layer["model"]["mae_mw"]
    assert by_layer["external"]["naive_mae_mw"] == by_layer["model"]["naive_mae_mw"]
    assert (by_layer["external"]["pinball_mw"], by_layer["model"]["pinball_mw"]) == (None, pytest.approx(1.0))


@pytest.mark.parametrize(
    ("shift", "means"),
    [
        pytest.param(timedelta(0), [15.0, 55.0], id="hours that begin on the hour"),
        pytest.param(timedelta(minutes=30), [35.0, 75.0], id="hours that begin at half past"),
    ],
)
def test_quarters_of_an_hour_become_means_of_whole_hours(here: Here, shift: timedelta, means: list[float]) -> None:
    issued = here.end - 4 * HOUR
    times = [issued + number * timedelta(minutes=15) for number in range(10)]
    quarters = pl.DataFrame(
        {
            "series_id": "zone_n",
            "valid_time": times,
            "load_mw": [10.0 * number for number in range(10)],
            "available_at": issued,
        },
        schema=READINGS,
    )
    processed = replace(here.processed, observed_until=here.end + shift)
    done = take_over(here.store, processed, quarters, source="TSO")
    assert done.rows == 2
    assert here.kept()["p50"].to_list() == means


def test_what_was_issued_too_late_or_reaches_too_far_is_left_out(here: Here) -> None:
    rows = here.said(here.end - 12 * HOUR, hours=180)
    late = rows.head(3).with_columns(available_at=pl.col("valid_time") + HOUR)
    done = take_over(here.store, here.processed, pl.concat([rows, late]), source="TSO")
    assert (done.rows, done.left_out) == (168, 15)


def test_taken_over_again_it_replaces_what_was(here: Here) -> None:
    for off_mw in (5.0, 1.0):
        take_over(here.store, here.processed, here.said(here.end - 12 * HOUR, off_mw=off_mw), source="TSO")
    assert here.kept().height == 24
    assert set(here.store.scores()["mae_mw"].round(6)) == {1.0}


def test_a_dry_run_keeps_nothing(here: Here) -> None:
    done = take_over(here.store, here.processed, here.said(here.end - 12 * HOUR), source="TSO", dry_run=True)
    assert (done.rows, done.scored) == (24, 0)
    assert here.kept().is_empty()


def test_a_series_that_is_none_of_ours_is_refused(here: Here) -> None:
    rows = here.said(here.end - 12 * HOUR).with_columns(series_id=pl.lit("atlantis"))
    with pytest.raises(GridcastError, match="series 'atlantis' is not known; expected ids of the hierarchy"):
        take_over(here.store, here.processed, rows, source="TSO")


def test_intervals_longer_than_the_readings_are_refused(here: Here) -> None:
    rows = here.said(here.end - 12 * HOUR).gather_every(2)
    with pytest.raises(GridcastError, match="a row every 2:00:00; expected one every 1:00:00"):
        take_over(here.store, here.processed, rows, source="TSO")
