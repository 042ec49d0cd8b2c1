"""Readings of a stream on Beam's state and timers: late, early, doubled, out of order, and on time."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apache_beam as beam
import polars as pl
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.testing import test_stream
from polars.testing import assert_frame_equal
from support.processed_history import HOUR, ZONES, write_history
from support.streams import readings

from gridcast.domain.tables import CLEAN_READINGS, READINGS
from gridcast.ingestion import raw
from gridcast.ingestion.source import Batch
from gridcast.pipelines.beam.blocks import ArrowCoder, Block
from gridcast.pipelines.beam.live import CleanParts, clean_parts
from gridcast.pipelines.beam.live_source import ReadLive
from gridcast.quality.limits import Limits
from gridcast.workflows.readings.block_name import BlockName
from gridcast.workflows.readings.rules import CleaningRules
from gridcast.workflows.streaming.arrivals import Patience
from gridcast.workflows.streaming.live_job import LiveJob
from gridcast.workflows.streaming.turn import Turn

A_MINUTE = 60
N, S = ZONES


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> LiveJob:
    folder = tmp_path_factory.mktemp("live")
    processed = write_history(folder / "processed", days=100)
    received = processed.readings(series_ids=ZONES).select(READINGS.names())
    raw.write_source(folder / "raw", source="files", readings=received)
    since = dict.fromkeys(processed.hierarchy.leaves, datetime(2024, 1, 1, tzinfo=UTC))
    rules = CleaningRules(interval=HOUR, limits=Limits(), hierarchy=processed.hierarchy, series_since=since)
    return LiveJob(
        source="scada",
        open_source=lambda _: pytest.fail("nothing is read here"),
        raw=folder / "raw",
        processed=processed,
        rules=rules,
        registry=folder / "registry",
        open_store=lambda: pytest.fail("nothing is written here"),
        log_days=60,
        patience=Patience(deadline=timedelta(hours=23)),
        workers=2,
        turn=Turn(folder / "turn", "this"),
    )


def streamed(job: LiveJob, *bundles: list[pl.DataFrame]) -> pl.DataFrame:
    """What the workers' clean rows come to when bundles of blocks arrive one behind the other."""
    source = test_stream.TestStream(coder=beam.coders.TupleCoder((beam.coders.StrUtf8Coder(), ArrowCoder())))
    source = source.advance_processing_time(int(time.time()))
    for bundle in bundles:
        source = source.add_elements([("", rows) for rows in bundle]).advance_processing_time(A_MINUTE)
    source = source.advance_watermark_to_infinity()
    seen.clear()
    options = PipelineOptions([], streaming=True)
    with beam.Pipeline(runner=BundleBasedDirectRunner(), options=options) as pipeline:
        _ = clean_parts(pipeline | source, job) | beam.Map(_see)
    rows = CLEAN_READINGS.to_frame()
    for name, clean in seen:
        _, begin, end = json.loads(name)
        is_replaced = pl.col("valid_time").is_between(datetime.fromisoformat(begin), datetime.fromisoformat(end))
        rows = pl.concat([rows.join(clean.filter(is_replaced), on=["series_id", "valid_time"], how="anti"), clean])
    return rows.sort("series_id", "valid_time")


seen: list[Block] = []


def _see(element: tuple[str, Block]) -> None:
    seen.append(element[1])


def at_once(job: LiveJob, rows: pl.DataFrame, *, until: datetime, start: datetime) -> pl.DataFrame:
    known = raw.read_readings(job.raw, start=job.start - timedelta(days=60))
    cleaned = job.rules.clean(job.rules.place(pl.concat([known, rows])), BlockName(start, until))
    return cleaned.readings.select(CLEAN_READINGS.names()).sort("series_id", "valid_time")


def hours(job: LiveJob, count: int, *, first: int = 0) -> pl.DataFrame:
    at = job.start
    return readings(*((zone, at + hour * HOUR, 60.0 + hour) for hour in range(first, first + count) for zone in ZONES))


def test_what_comes_late_doubled_corrected_and_out_of_order_comes_to_what_is_cleaned_at_once(job: LiveJob) -> None:
    whole = hours(job, 20).with_columns(load_mw=pl.when(pl.int_range(pl.len()) == 11).then(900.0).otherwise("load_mw"))
    corrected = whole[5:7].with_columns(pl.col("load_mw") + 3, pl.col("available_at") + HOUR)
    late, rest = whole[8:10], pl.concat([whole[:8], whole[10:]])
    mixed = rest.sample(fraction=1.0, shuffle=True, seed=2)
    found = streamed(job, [mixed[:20], mixed[20:]], [corrected, late], [whole[:6], corrected])
    end = job.start + 20 * HOUR
    begin = found["valid_time"].min()
    assert isinstance(begin, datetime)
    assert found.filter(quality="good").height < found.height
    assert_frame_equal(found, at_once(job, pl.concat([whole, corrected]), until=end, start=begin), check_exact=True)


def test_readings_stamped_far_ahead_move_nothing(job: LiveJob) -> None:
    early = readings((N, job.start + 40 * HOUR, 60.0)).with_columns(available_at=pl.lit(job.start))
    found = streamed(job, [hours(job, 2), early.cast(READINGS)])
    assert found["valid_time"].max() == job.start + HOUR


def test_an_interval_that_is_not_whole_waits(job: LiveJob) -> None:
    quarter = HOUR / 4
    steps = [(zone, job.start + step * quarter, 60.0) for step in range(7) for zone in ZONES]
    found = streamed(job, [readings(*steps)])
    assert found["valid_time"].max() == job.start


def test_many_blocks_are_put_together_and_nothing_of_them_is_lost(
    job: LiveJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gridcast.pipelines.beam.kept_state.MANY_BLOCKS", 3)
    bundles = [[hours(job, 1, first=hour)] for hour in range(12)]
    found = streamed(job, *bundles)
    begin, end = found["valid_time"].min(), job.start + 12 * HOUR
    assert isinstance(begin, datetime)
    assert_frame_equal(found, at_once(job, hours(job, 12), until=end, start=begin), check_exact=True)


class Cell:
    """A state of one value, as a runner that can take a bundle back keeps it."""

    def __init__(self) -> None:
        self.value: object = None

    def read(self) -> object:
        return self.value

    def write(self, value: object) -> None:
        self.value = value


class Bag(list[Block]):
    def read(self) -> list[Block]:
        return list(self)

    def add(self, block: Block) -> None:
        self.append(block)


class Timer:
    def set(self, _: object) -> None:
        """The runner would wake the key."""


def test_what_a_failed_bundle_had_worked_off_is_worked_off_again(job: LiveJob) -> None:
    keeping, blocks, mark = CleanParts(job), Bag(), Cell()
    keeping.process(("0", ("", hours(job, 2).filter(series_id=N))), blocks, mark, Timer())
    before = mark.value
    failing = keeping.work_off("0", blocks, mark, Timer())
    first = next(failing)
    failing.close()
    assert mark.value == before
    (again,) = keeping.work_off("0", blocks, mark, Timer())
    assert mark.value != before
    assert again[1][0] == first[1][0]
    assert_frame_equal(again[1][1], first[1][1], check_exact=True)


class Numbered:
    """A source of numbered batches."""

    def batches(self, position: str | None) -> Iterator[Batch]:
        first = 0 if position is None else int(position)
        for number in range(first, 5):
            yield Batch.of(
                position=str(number + 1), readings=readings((N, datetime(2024, 1, 1, number, tzinfo=UTC), 1.0))
            )

    def done(self, position: str) -> None:
        """Nothing."""


def test_a_source_is_read_on_from_where_a_checkpoint_was_taken(tmp_path: Path) -> None:
    read = ReadLive("scada", lambda _: Numbered(), Turn(tmp_path / "turn", "this"))
    provider = read.get_function_arguments("process")[1][0].restriction_provider
    first = provider.create_tracker("")
    reading = read.process("scada", tracker=Deferring(first))
    taken = [next(reading)[0], next(reading)[0]]
    _, residual = first.try_split(0)
    assert list(reading) == []
    second = provider.create_tracker(residual)
    taken += [name for name, _ in read.process("scada", tracker=Deferring(second))]
    read.teardown()
    assert taken == ["1", "2", "3", "4", "5"]
    assert not first.try_claim("3")


def test_a_source_is_read_no_further_once_another_job_has_its_turn(tmp_path: Path) -> None:
    turn = Turn(tmp_path / "turn", "this")
    turn.take()
    read = ReadLive("scada", lambda _: Numbered(), turn)
    provider = read.get_function_arguments("process")[1][0].restriction_provider
    tracker = Deferring(provider.create_tracker(""))
    assert len(list(read.process("scada", tracker=tracker))) == 5
    assert tracker.is_deferred

    Turn(tmp_path / "turn", "another").take()
    tracker = Deferring(provider.create_tracker("2"))
    assert list(read.process("scada", tracker=tracker)) == []
    assert not tracker.is_deferred


class Deferring:
    """A tracker as a bundle sees it."""

    def __init__(self, tracker: object) -> None:
        self._tracker = tracker
        self.is_deferred = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._tracker, name)

    def defer_remainder(self, _: object) -> None:
        """The runner would come back later."""
        self.is_deferred = True
