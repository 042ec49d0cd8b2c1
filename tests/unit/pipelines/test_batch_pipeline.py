import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import watchfiles
from polars.testing import assert_frame_equal

from gridcast.domain.errors import GridcastError
from gridcast.domain.series import Hierarchy, zones_to_system
from gridcast.ingestion import raw
from gridcast.ingestion.sample import TIME_ZONE, read_sample
from gridcast.pipelines.beam.batch import run_batch
from gridcast.quality.aggregate import child_counts, combine_sums, partial_sums
from gridcast.quality.limits import Limits
from gridcast.quality.summary import add_counts, quality_counts
from gridcast.workflows.block_name import BlockName
from gridcast.workflows.prepare import BatchJob, Prepared, prepare
from gridcast.workflows.processed import Processed
from gridcast.workflows.rules import CleaningRules
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


@contextlib.contextmanager
def job_service(tmp_path: Path) -> Iterator[int]:
    """A job service in a process of its own, as a cluster has one; gives its port."""
    command = [sys.executable, "-m", "apache_beam.runners.portability.local_job_service_main"]
    port_file = tmp_path / "port"
    service = subprocess.Popen([*command, "--port_file", str(port_file)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        for changes in watchfiles.watch(tmp_path, recursive=False, yield_on_timeout=True, rust_timeout=200):
            assert service.poll() is None, changes
            assert time.monotonic() < deadline
            if port_file.exists() and port_file.read_text():
                break
        yield int(port_file.read_text())
    finally:
        service.kill()
        service.wait()


@pytest.mark.parametrize(
    ("block_rows", "through_service"),
    [
        pytest.param(1_000_000, False, id="one block"),
        pytest.param(4_000, False, id="two series a block"),
        pytest.param(1_000, True, id="a block a series, on another runner"),
    ],
)
def test_the_pipeline_gives_what_the_pure_functions_give_on_the_whole_history(
    tmp_path: Path, block_rows: int, through_service: bool
) -> None:
    workspace = raw_folder(tmp_path)

    if through_service:
        with job_service(tmp_path) as port:
            flags = ("--runner=PortableRunner", f"--job_endpoint=localhost:{port}", "--environment_type=LOOPBACK")
            processed, _, metrics = run(workspace, block_rows=block_rows, beam_flags=flags)
    else:
        processed, _, metrics = run(workspace, block_rows=block_rows)

    readings, own = raw.read_readings(workspace.raw), rules(workspace)
    whole = BlockName(readings["valid_time"].min(), readings["valid_time"].max() + HOUR)
    children, removed, counts = own.clean(readings, whole)
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


def test_months_without_a_reading_are_missing_not_absent(tmp_path: Path) -> None:
    workspace = raw_folder(tmp_path)
    readings = raw.read_readings(workspace.raw)
    hole = pl.col("valid_time").is_between(datetime(2008, 2, 25, tzinfo=UTC), datetime(2008, 4, 20, tzinfo=UTC))
    weather = raw.read_weather(workspace.raw)
    raw.write_source(workspace.raw, source="test", readings=readings.filter(~hole), weather=weather)

    processed = run(workspace).processed

    march = processed.readings().filter(pl.col("valid_time").dt.month() == 3)
    assert set(march["quality"]) == {"missing"}
    assert dict(march.group_by("series_id").len().iter_rows()) == dict.fromkeys(
        ("zone_01", "zone_04", "zone_09", "system"), 31 * 24
    )


def test_unchanged_readings_and_rules_are_not_cleaned_again_and_changed_rules_are(tmp_path: Path) -> None:
    workspace = raw_folder(tmp_path)
    first = run(workspace)
    again = run(workspace)
    other = run(workspace, limits=NO_FLATLINE)

    assert [each.was_reused for each in (first, again, other)] == [False, True, False]
    assert first.processed.fingerprint == again.processed.fingerprint != other.processed.fingerprint
    assert first.metrics == again.metrics != other.metrics
    assert Processed.open(workspace.processed) == other.processed


def test_a_batch_that_fails_leaves_the_earlier_result_as_it_was(tmp_path: Path) -> None:
    workspace = raw_folder(tmp_path)
    before = run(workspace).processed

    def fails_half_way(job: BatchJob) -> dict[str, int]:
        run_batch(job)
        raise OSError(28, "No space left on device")

    with pytest.raises(GridcastError, match="No space left on device"):
        prepare(workspace, rules=rules(workspace, limits=NO_FLATLINE), block_rows=4_000, run_batch=fails_half_way)

    assert Processed.open(workspace.processed) == before
    assert {each.name for each in workspace.data_dir.iterdir()} == {"raw", "processed"}


def test_preparing_before_ingesting_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(GridcastError, match='run "gridcast ingest" first'):
        run(Workspace(tmp_path))


def test_a_runner_that_cannot_be_reached_is_told_by_its_options(tmp_path: Path) -> None:
    workspace = raw_folder(tmp_path)
    flags = ("--runner=PortableRunner", "--job_endpoint=localhost:1", "--environment_type=LOOPBACK")

    with pytest.raises(GridcastError, match=r"did not end well with --runner=PortableRunner .*localhost:1"):
        run(workspace, beam_flags=(*flags, "--job_server_timeout=1"))

    assert not workspace.processed.exists()
