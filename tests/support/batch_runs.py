"""Faulty readings of the sample in a raw folder, the batch run on them, and what it must give."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from polars.testing import assert_frame_equal

from gridcast.domain.series import Hierarchy, zones_to_system
from gridcast.ingestion import raw
from gridcast.ingestion.sample import TIME_ZONE, read_sample
from gridcast.pipelines.beam.batch import run_batch
from gridcast.quality.aggregate import child_counts, combine_sums, partial_sums
from gridcast.quality.limits import Limits
from gridcast.quality.summary import add_counts, quality_counts
from gridcast.workflows.readings.block_name import BlockName
from gridcast.workflows.readings.prepare import Prepared, prepare
from gridcast.workflows.readings.rules import CleaningRules
from gridcast.workflows.readings.workspace import Workspace

HOUR = timedelta(hours=1)
START = datetime(2008, 2, 20, 5, tzinfo=UTC)
END = datetime(2008, 5, 3, 5, tzinfo=UTC)
STUCK = datetime(2008, 3, 31, 5, tzinfo=UTC)
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
    raw.write_source(workspace.raw, source="test", readings=faulty_readings(), weather=weather)
    return workspace


def tree(series_ids: list[str]) -> Hierarchy:
    return zones_to_system(series_ids, time_zone=TIME_ZONE)


def rules(workspace: Workspace, *, limits: Limits = DEFAULT) -> CleaningRules:
    since = raw.first_readings(workspace.raw)
    return CleaningRules(HOUR, limits, tree(sorted(since)), since)


def run(
    workspace: Workspace, *, limits: Limits = DEFAULT, block_rows: int = 4_000, beam_flags: tuple[str, ...] = ()
) -> Prepared:
    return prepare(
        workspace,
        rules=rules(workspace, limits=limits),
        block_rows=block_rows,
        run_batch=run_batch,
        beam_flags=beam_flags,
    )


def assert_equals_pure_functions(prepared: Prepared, workspace: Workspace) -> None:
    """Every row and count is what cleaning and adding up the whole history in one go gives."""
    processed, _, metrics = prepared
    readings, own = raw.read_readings(workspace.raw), rules(workspace)
    whole = BlockName(readings["valid_time"].min(), readings["valid_time"].max() + HOUR)
    children, removed, counts = own.clean(own.place(readings), whole)
    sums = partial_sums(children, hierarchy=own.hierarchy)
    parents = combine_sums(sums)
    mean = pl.read_parquet(processed.directory / "temperature.parquet")
    expected = pl.concat([children, parents]).sort("series_id", "valid_time")
    expected = expected.join(mean, on="valid_time", how="left", maintain_order="left")
    assert_frame_equal(processed.readings(), expected, check_exact=True)
    of_parents = quality_counts(parents, removed.clear(), interval=HOUR)
    all_counts = add_counts(pl.concat([counts, of_parents, child_counts(sums)]))
    assert_frame_equal(processed.quality_counts(), all_counts)
    assert metrics["quality.good"] == (children["quality"] == "good").sum()
    assert metrics["removed.duplicate"] == removed.height
    assert set(expected["quality"]) >= {"good", "estimated"}
    assert removed.height > 50
