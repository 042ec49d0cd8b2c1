"""The stream takes in what comes late as far back as its log reaches, and picks the readings the batch run picks."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from support.processed_history import HOUR, ZONES, write_history
from support.streams import DAYS, EVER, Running, readings

from gridcast.domain.tables import CLEAN_READINGS, Quality
from gridcast.ingestion import raw
from gridcast.quality.limits import CONTEXT_AFTER, CONTEXT_BEFORE
from gridcast.quality.received import sift
from gridcast.store.store import Store
from gridcast.workflows.readings.archive_log import archive_log, not_archived
from gridcast.workflows.readings.block_name import BlockName
from gridcast.workflows.streaming.replay import replay


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with contextlib.closing(Store.open(tmp_path / "gridcast.db")) as store:
        yield Running(store, write_history(tmp_path / "processed", days=150))


@pytest.fixture
def begun(running: Running) -> Running:
    """Warm-started and replayed to the end of the history."""
    start = running.begin(before_end=timedelta(days=1))
    known = running.received.filter(pl.col("valid_time") >= start - timedelta(days=DAYS))
    list(replay(running.stream, known, start=start, step=timedelta(days=1), pause=lambda: False))
    assert running.issue_time == running.processed.observed_until
    running.jobs.clear()
    return running


@pytest.mark.parametrize(
    "late",
    [
        pytest.param(timedelta(days=31, hours=1), id="an hour more than the log allows"),
        pytest.param(timedelta(days=45), id="45 days"),
        pytest.param(timedelta(days=100), id="100 days"),
        pytest.param(datetime(2024, 5, 30, tzinfo=UTC) - datetime(1990, 1, 1, tzinfo=UTC), id="stamped 1990"),
    ],
)
def test_a_reading_too_late_for_the_log_leaves_the_clean_history_as_it_is(begun: Running, late: timedelta) -> None:
    before, at = begun.clean(), begun.issue_time
    begun.land(("zone_n", at - late, 55.0))

    assert begun.stream.tick() is None
    assert begun.left == [(1, at - timedelta(days=31))]
    assert begun.stream.tick() is None
    assert len(begun.left) == 1

    begun.land(("zone_n", at - late - HOUR, 56.0), ("zone_n", at, 80.0), ("zone_s", at, 80.0))
    assert begun.stream.tick() == at + HOUR
    assert begun.jobs[-1].span == (at - CONTEXT_AFTER, at + HOUR)
    assert begun.left[1:] == [(1, at - timedelta(days=31))]
    assert_frame_equal(begun.clean().filter(pl.col("valid_time") < at), before, check_exact=True)
    assert begun.log().height == begun.received.filter(pl.col("valid_time") >= at - timedelta(days=61)).height + 4


def test_a_reading_31_days_late_is_cleaned_as_the_batch_run_does_it(begun: Running) -> None:
    at = begun.issue_time
    late = ("zone_n", at - timedelta(days=31), 70.0)
    begun.land(late)

    assert begun.stream.tick() == at

    begin, end = begun.jobs[-1].span
    assert begin - CONTEXT_BEFORE == at - timedelta(days=DAYS)
    placed = begun.rules.place(pl.concat([begun.received, readings(late)]))
    batch = begun.rules.clean(placed, BlockName(begin, end)).readings
    assert not begun.left
    streamed = begun.clean().filter(pl.col("valid_time") >= begin, pl.col("series_id").is_in(ZONES))
    assert_frame_equal(streamed, batch.sort("series_id", "valid_time").select(CLEAN_READINGS.names()), check_exact=True)
    assert streamed.filter(series_id="zone_n", valid_time=late[1])["raw_load_mw"].to_list() == [70.0]


def test_a_reading_of_an_unknown_series_brings_no_tick(begun: Running) -> None:
    begun.land(("stranger", begun.issue_time + timedelta(hours=20), 1.0))

    assert begun.stream.tick() is None
    assert begun.stream.tick() is None
    assert not begun.jobs
    assert not begun.left


def test_a_correction_and_its_withdrawal_in_a_replaced_file_reach_the_stream_once_each(begun: Running) -> None:
    at = begun.issue_time - 5 * HOUR
    key = {"series_id": "zone_n", "valid_time": at}
    first = begun.received.filter(**key).item(0, "load_mw")
    for load in (first + 1, first, first + 1):
        file = begun.received.with_columns(
            load_mw=pl.when((pl.col("series_id") == "zone_n") & (pl.col("valid_time") == at))
            .then(load)
            .otherwise("load_mw")
        )
        assert replayed(begun, file) == 1
        assert replayed(begun, file) == 0
        assert begun.clean().filter(**key)["raw_load_mw"].to_list() == [load]


def test_an_old_row_of_a_file_never_lands_behind_a_live_correction(running: Running, tmp_path: Path) -> None:
    start = running.processed.observed_until - timedelta(days=1)
    corrected = ("zone_n", start - 5 * HOUR, 70.0)
    raw.write_source(tmp_path / "raw", source="files", readings=running.received)
    running.land(corrected)

    running.stream.warm_start(as_the_batch_run_will(running, tmp_path), start=start, days=DAYS)

    assert counts(running.log(), corrected) == [70.0]
    archive_log(running.store, tmp_path / "raw")
    assert counts(raw.read_readings(tmp_path / "raw"), corrected) == [70.0]
    assert (
        running.stream.not_landed(as_the_batch_run_will(running, tmp_path))
        .filter(pl.col("valid_time").is_between(start - timedelta(days=DAYS), start, closed="left"))
        .is_empty()
    )


def test_a_reading_received_earlier_than_the_one_in_the_log_does_not_land(begun: Running) -> None:
    at = begun.issue_time - 5 * HOUR
    newer = readings(("zone_n", at, 71.0)).with_columns(pl.col("available_at") + HOUR)
    begun.store.land_batch(newer, source="scada", position="0", at=at)

    assert begun.stream.not_landed(readings(("zone_n", at, 72.0))).is_empty()


@pytest.mark.parametrize("load", [None, float("nan")])
def test_what_is_no_number_lands_only_where_nothing_did(begun: Running, load: float | None) -> None:
    begun.store.land(readings(("zone_n", begun.issue_time, 1.0)).with_columns(load_mw=pl.lit(load, pl.Float64)))
    same, other = (
        readings(("zone_n", begun.issue_time - late, 1.0)).with_columns(load_mw=pl.lit(load, pl.Float64))
        for late in (0 * HOUR, HOUR)
    )

    assert begun.stream.not_landed(pl.concat([same, other])).is_empty()
    assert begun.stream.not_landed(readings(("zone_n", begun.issue_time, 5.0))).height == 1


def test_files_that_a_stream_begins_with_are_cleaned_together_with_newer_readings_in_the_log(running: Running) -> None:
    start = running.begin(before_end=timedelta(days=7))
    end = running.processed.observed_until
    running.land(("zone_n", end, 80.0), ("zone_s", end, 80.0))

    known = running.received.filter(pl.col("valid_time") >= start - timedelta(days=DAYS))
    issued = list(replay(running.stream, known, start=start, step=HOUR, pause=lambda: False))

    assert issued == [end + HOUR]
    week = running.store.readings(start=start, end=end)
    assert Quality.MISSING not in week["quality"].to_list()


def replayed(running: Running, received: pl.DataFrame) -> int:
    at = running.issue_time
    known = received.filter(pl.col("valid_time") >= at - timedelta(days=DAYS))
    return len(list(replay(running.stream, known, start=at, step=HOUR, pause=lambda: False)))


def as_the_batch_run_will(running: Running, tmp_path: Path) -> pl.DataFrame:
    return pl.concat([raw.read_readings(tmp_path / "raw"), not_archived(running.store, tmp_path / "raw", **EVER)])


def counts(received: pl.DataFrame, row: tuple[str, datetime, float]) -> list[float]:
    kept = sift(received, known_series=ZONES).kept
    return kept.filter(series_id=row[0], valid_time=row[1])["load_mw"].to_list()
