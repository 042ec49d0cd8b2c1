from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from gridcast.domain.errors import GridcastError
from gridcast.domain.series import Hierarchy, zones_to_system
from gridcast.domain.tables import HOLIDAYS
from gridcast.ingestion import raw
from gridcast.ingestion.sample import TIME_ZONE, read_sample
from gridcast.pipelines.beam.batch import run_batch
from gridcast.quality.aggregate import aggregate_to_parents
from gridcast.quality.cleaning import clean_block
from gridcast.quality.limits import Limits
from gridcast.quality.summary import add_counts, quality_counts
from gridcast.workflows.prepare import BatchJob, prepare
from gridcast.workflows.processed import Processed
from gridcast.workflows.workspace import Workspace

HOUR = timedelta(hours=1)
START = datetime(2008, 2, 20, 5, tzinfo=UTC)
END = datetime(2008, 5, 3, 5, tzinfo=UTC)
STUCK = datetime(2008, 3, 31, 5, tzinfo=UTC)
NO_FLATLINE = Limits(flatline=None)
DEFAULT = Limits()
ZONES = ("zone_01", "zone_04", "zone_09", "zone_10")


def faulty_readings() -> pl.DataFrame:
    """Ten weeks of four zones with gaps, spikes, stuck meters, doubles and a zone that starts late."""
    rows = read_sample().readings.filter(pl.col("series_id").is_in(ZONES), pl.col("valid_time").is_between(START, END))
    random = np.random.default_rng(20080220)
    draw = pl.Series("draw", random.random(rows.height))
    rows = rows.with_columns(draw).filter(
        pl.col("draw") > 0.01, (pl.col("series_id") != "zone_10") | (pl.col("valid_time") > START + 9 * 24 * HOUR)
    )
    spiked = rows.with_columns(
        pl.when(pl.col("draw") > 0.995).then(pl.col("load_mw") * 6).otherwise("load_mw").alias("load_mw")
    )
    is_stuck = (pl.col("series_id") == "zone_01") & pl.col("valid_time").is_between(STUCK, STUCK + 20 * HOUR)
    stuck = spiked.with_columns(pl.when(is_stuck).then(17.0).otherwise("load_mw").alias("load_mw"))
    doubled = stuck.filter(pl.col("draw") < 0.03).with_columns(
        pl.col("load_mw") * 1.01, pl.col("available_at") + timedelta(hours=5)
    )
    return pl.concat([stuck, doubled]).drop("draw")


def raw_folder(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "data")
    weather = read_sample().weather.filter(pl.col("valid_time").is_between(START, END + 48 * HOUR))
    raw.write_readings(faulty_readings(), directory=workspace.raw, source="test")
    raw.write_weather(weather, directory=workspace.raw, source="test")
    raw.write_holidays(HOLIDAYS.to_frame(), directory=workspace.raw)
    return workspace


def tree(series_ids: list[str]) -> Hierarchy:
    return zones_to_system(series_ids, time_zone=TIME_ZONE)


def run(workspace: Workspace, *, limits: Limits = DEFAULT, months: int = 1, buckets: int = 1) -> tuple[Processed, bool]:
    return prepare(
        workspace, interval=HOUR, limits=limits, hierarchy=tree, months=months, buckets=buckets, run_batch=run_batch
    )


@pytest.mark.parametrize(
    ("months", "buckets"),
    [
        pytest.param(12, 1, id="one block"),
        pytest.param(1, 1, id="a block a month"),
        pytest.param(2, 3, id="six blocks"),
    ],
)
def test_the_pipeline_gives_what_the_pure_functions_give_on_the_whole_history(
    tmp_path: Path, months: int, buckets: int
) -> None:
    workspace = raw_folder(tmp_path)

    processed, _ = run(workspace, months=months, buckets=buckets)

    readings = raw.read_readings(workspace.raw)
    hierarchy = tree(sorted(ZONES))
    children, removed = clean_block(
        readings,
        span=(readings["valid_time"].min(), readings["valid_time"].max() + HOUR),
        interval=HOUR,
        limits=Limits(),
        time_zones=hierarchy.time_zones,
        series_since=raw.first_readings(workspace.raw),
    )
    parents = aggregate_to_parents(children, parents=hierarchy.parents)
    expected = pl.concat([children, parents]).sort("series_id", "valid_time")
    expected = expected.join(processed.weather(), on="valid_time", how="left", maintain_order="left")
    assert_frame_equal(processed.readings(), expected, check_exact=True)
    none_removed = removed.clear()
    counts = pl.concat([quality_counts(children, removed), quality_counts(parents, none_removed)])
    assert_frame_equal(processed.quality_counts(), add_counts(counts))
    assert set(expected["quality"]) >= {"good", "estimated"}
    assert removed.height > 50


def test_months_without_a_reading_are_missing_not_absent(tmp_path: Path) -> None:
    workspace = raw_folder(tmp_path)
    readings = raw.read_readings(workspace.raw)
    hole = pl.col("valid_time").is_between(datetime(2008, 2, 25, tzinfo=UTC), datetime(2008, 4, 20, tzinfo=UTC))
    raw.write_readings(readings.filter(~hole), directory=workspace.raw, source="test")

    processed, _ = run(workspace)

    march = processed.readings().filter(pl.col("valid_time").dt.month() == 3)
    assert set(march["quality"]) == {"missing"}
    assert dict(march.group_by("series_id").len().iter_rows()) == dict.fromkeys(
        ("zone_01", "zone_04", "zone_09", "system"), 31 * 24
    )


def test_unchanged_readings_and_rules_are_not_cleaned_again_and_changed_rules_are(tmp_path: Path) -> None:
    workspace = raw_folder(tmp_path)
    first, was_reused = run(workspace)
    again, is_reused = run(workspace)
    other, other_reused = run(workspace, limits=NO_FLATLINE)

    assert (was_reused, is_reused, other_reused) == (False, True, False)
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert Processed.open(workspace.processed) == other


def test_a_batch_that_fails_leaves_the_earlier_result_as_it_was(tmp_path: Path) -> None:
    workspace = raw_folder(tmp_path)
    before, _ = run(workspace)

    def fails_half_way(job: BatchJob) -> None:
        run_batch(job)
        raise OSError(28, "No space left on device")

    with pytest.raises(GridcastError, match="No space left on device"):
        prepare(
            workspace, interval=HOUR, limits=NO_FLATLINE, hierarchy=tree, months=1, buckets=1, run_batch=fails_half_way
        )

    assert Processed.open(workspace.processed) == before
    assert {each.name for each in workspace.data_dir.iterdir()} == {"raw", "processed"}


def test_preparing_before_ingesting_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(GridcastError, match='run "gridcast ingest" first'):
        run(Workspace(tmp_path))
