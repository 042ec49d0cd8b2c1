from datetime import UTC, datetime
from pathlib import Path

import apache_beam as beam
import polars as pl
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from support.batch_runs import assert_equals_pure_functions, raw_folder, rules, run

from gridcast.domain.errors import GridcastError
from gridcast.ingestion import raw
from gridcast.pipelines.beam.batch import run_batch
from gridcast.pipelines.beam.blocks import ArrowCoder, PlacedBlock
from gridcast.pipelines.beam.clean import CHILDREN, COUNTS, LEFT_OUT, PARENTS, REMOVED, CleanAndAggregate
from gridcast.quality.limits import Limits
from gridcast.workflows.readings.prepare import BatchJob, prepare
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.readings.workspace import Workspace

NO_FLATLINE = Limits(flatline=None)


@pytest.mark.parametrize(
    "block_rows", [pytest.param(1_000_000, id="one block"), pytest.param(4_000, id="two series a block")]
)
def test_the_pipeline_gives_what_the_pure_functions_give_on_the_whole_history(tmp_path: Path, block_rows: int) -> None:
    workspace = raw_folder(tmp_path)
    assert_equals_pure_functions(run(workspace, block_rows=block_rows), workspace)


def test_frames_go_from_worker_to_worker_as_arrow_and_not_as_pickles(tmp_path: Path) -> None:
    blocks = beam.Pipeline(runner=FnApiRunner()) | beam.Create([]).with_output_types(PlacedBlock)
    outputs = blocks | CleanAndAggregate(rules(raw_folder(tmp_path)), leaves_out=True)
    frame = beam.coders.TupleCoder([beam.coders.StrUtf8Coder(), ArrowCoder()])
    assert {name: beam.coders.registry.get_coder(each.element_type) for name, each in outputs.items()} == dict.fromkeys(
        (CHILDREN, PARENTS, REMOVED, COUNTS, LEFT_OUT), frame
    )


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
