"""Real time on many machines: a live source in, clean readings and forecasts out, all in between in Beam's state.

The runner keeps how far the source was read and what each key has gathered, together, in its checkpoints; the store is
written to again after a restart, row by row the same.
"""

import hashlib
import json
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import apache_beam as beam
import polars as pl
import tenacity
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions
from apache_beam.runners.runner import PipelineState

from gridcast.domain.errors import GridcastError
from gridcast.features.windows import DAYS_OF_HISTORY
from gridcast.ingestion import raw_layout
from gridcast.ingestion.atomic import write_files
from gridcast.pipelines.beam import flink
from gridcast.pipelines.beam.blocks import Block
from gridcast.pipelines.beam.kept_state import Gathered, KeepInState
from gridcast.pipelines.beam.live_source import DEAD, ReadLive
from gridcast.pipelines.beam.runner import NAMESPACE
from gridcast.store.errors import StoreError
from gridcast.workflows.forecasts.known import Known
from gridcast.workflows.forecasts.operators import with_operators
from gridcast.workflows.streaming.bucket import Bucket, Worked, shared_out
from gridcast.workflows.streaming.live_job import LiveJob
from gridcast.workflows.streaming.whole_system import WholeSystem

READINGS: Final = "readings"
FORECASTS: Final = "forecasts"
_LOG: Final = logging.getLogger(__name__)
_ALL: Final = "all"
_LOOK_SECONDS: Final = 0.5
_PATIENCE_SECONDS: Final = 300


def assemble(pipeline: beam.Pipeline, job: LiveJob) -> None:
    """Read, clean in as many parts as there are buckets, sum and forecast, write."""
    read = (
        pipeline
        | "Source" >> beam.Create([job.source], reshuffle=False)
        | "Read" >> beam.ParDo(ReadLive(job.source, job.open_source, job.turn)).with_outputs(DEAD, main=READINGS)
    )
    _ = read[DEAD] | "Write dead letters" >> beam.Map(_write_dead, job=job)
    write(clean_and_forecast(read[READINGS], job), job)


def clean_and_forecast(readings: Any, job: LiveJob) -> Any:
    """From blocks of `READINGS` under any name: `READINGS` → clean ones, `FORECASTS` → forecasts, as they change."""
    return clean_parts(readings, job) | "Sum and forecast" >> beam.ParDo(_Forecast(job)).with_outputs(
        FORECASTS, main=READINGS
    )


def clean_parts(readings: Any, job: LiveJob) -> Any:
    """From blocks of `READINGS` under any name: clean rows of the measured series, as far as each part is ready."""
    keyed = tuple[str, Block]
    return (
        readings
        | "Share out" >> beam.ParDo(_ShareOut(job)).with_output_types(keyed)
        | "Clean" >> beam.ParDo(CleanParts(job)).with_output_types(keyed)
    )


def write(made: Any, job: LiveJob) -> None:
    """Put what was made into the store."""
    for kind in (READINGS, FORECASTS):
        _ = made[kind] | f"Write {kind}" >> beam.ParDo(_Write(job, kind))


def run_live(job: LiveJob, *, flags: tuple[str, ...], stop: threading.Event) -> None:
    """Run until `stop` is set.

    On a Flink cluster that `flags` name, a job of the same name that is still there ends first.

    Args:
        job: what to do.
        flags: options for Beam, which name a runner that streams.
        stop: set to end; what is under way is given up, and made again by the next run.

    Raises:
        GridcastError: the runner failed or could not be reached.
    """
    options = PipelineOptions([f"--job_name={job.name}", *flags, "--streaming"], save_main_session=False)
    name = options.view_as(GoogleCloudOptions).job_name
    cluster = flink.address_of(options)
    pipeline = beam.Pipeline(options=options)
    assemble(pipeline, job)
    job.turn.take()
    if cluster is not None:
        flink.end_jobs(cluster, name=name)
    try:
        result = pipeline.run()
        while not stop.wait(_LOOK_SECONDS):
            if PipelineState.is_terminal(result.state):
                result.wait_until_finish()
                raise GridcastError(f"the runner ended the job: {result.state}")  # noqa: TRY301 - told below
        result.cancel()
    except Exception as error:
        if not stop.is_set():
            raise _failed(flags, error) from error
    if cluster is not None:
        flink.end_jobs(cluster, name=name)


def _failed(flags: tuple[str, ...], error: Exception) -> GridcastError:
    return GridcastError(
        f"the stream did not go well with {' '.join(flags)}: {error}; expected a runner that streams, can be "
        "reached, and has workers with this version of gridcast that see the data folder under the same path."
    )


class _ShareOut(beam.DoFn):  # type: ignore[misc]
    def __init__(self, job: LiveJob) -> None:
        self._buckets = job.buckets

    def process(self, block: Block) -> Iterator[tuple[str, Block]]:
        name, readings = block
        for number, part in shared_out(readings, self._buckets):
            yield str(number), (name, part)


class CleanParts(KeepInState):
    """Readings of each bucket, cleaned as far as they are ready."""

    def __init__(self, job: LiveJob) -> None:
        super().__init__()
        self._job = job

    def begin(self, key: str, mark: str | None) -> Gathered:
        """The readings of a bucket from before the stream."""
        until, rows = (self._job.start.isoformat(), 0) if mark is None else json.loads(mark)
        bucket = self._job.bucket(int(key), until=datetime.fromisoformat(until), rows=rows, clock=_now)
        return _GatheredReadings(key, bucket)


class _GatheredReadings(Gathered):
    def __init__(self, key: str, bucket: Bucket) -> None:
        self._key, self._bucket = key, bucket

    def take(self, block: Block) -> None:
        self._bucket.take(block[1])

    def work_off(self) -> Iterator[tuple[str, Block]]:
        worked = self._bucket.work_off()
        if worked is not None:
            for reason in worked.left_out.values():
                Metrics.counter(NAMESPACE, "series_left_out").inc()
                _LOG.warning("%s", reason)
            yield _ALL, _named(int(self._key), worked)

    def mark(self) -> str:
        return json.dumps([self._bucket.worked_until.isoformat(), self._bucket.worked_rows])

    def look_again_in(self) -> timedelta | None:
        return self._bucket.look_again_in()

    def together(self) -> Iterator[Block]:
        yield "", self._bucket.shortened()


class _Forecast(KeepInState):
    """Clean rows of all buckets, summed and forecast as far as all have come."""

    def __init__(self, job: LiveJob) -> None:
        super().__init__()
        self._job = job

    def begin(self, key: str, mark: str | None) -> Gathered:  # noqa: ARG002 - there is one key
        issued = self._job.start if mark is None else datetime.fromisoformat(mark)
        return _GatheredCleanRows(self._job, self._job.system(issued_until=issued))


class _GatheredCleanRows(Gathered):
    def __init__(self, job: LiveJob, system: WholeSystem) -> None:
        self._system = system
        self._speakers = job.speakers(self._known)

    def take(self, block: Block) -> None:
        number, begin, end = json.loads(block[0])
        span = (datetime.fromisoformat(begin), datetime.fromisoformat(end))
        self._system.take(number, Worked(span, block[1], {}))

    def work_off(self) -> Iterator[Any]:
        issued = self._system.work_off(self._speakers())
        if issued is not None:
            yield issued.readings
            yield beam.pvalue.TaggedOutput(FORECASTS, issued.forecasts)

    def mark(self) -> str:
        return self._system.issued_until.isoformat()

    def look_again_in(self) -> timedelta | None:
        return None

    def together(self) -> Iterator[Block]:
        for number, worked in self._system.taken():
            yield _named(number, worked)

    def _known(self) -> tuple[Known, datetime]:
        at, days = self._system.issued_until, timedelta(days=DAYS_OF_HISTORY)
        readings = self._system.readings(start=at - days, end=at)
        return self._system.live.known(readings, issue_time=at, days=DAYS_OF_HISTORY), at


class _Write(beam.DoFn):  # type: ignore[misc]
    """Rows into the store, in place of those of the same key; a store that fails is tried again for some minutes."""

    def __init__(self, job: LiveJob, kind: str) -> None:
        self._open, self._kind = job.open_store, kind

    def setup(self) -> None:
        self._store = self._open()

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(StoreError),
        wait=tenacity.wait_random_exponential(multiplier=0.5, max=30),
        stop=tenacity.stop_after_delay(_PATIENCE_SECONDS),
        reraise=True,
    )
    def process(self, rows: pl.DataFrame) -> None:
        if self._kind == READINGS:
            self._store.save_clean(rows)
        else:
            self._store.save_forecasts(with_operators(self._store, rows))

    def teardown(self) -> None:
        self._store.close()


def _named(number: int, worked: Worked) -> Block:
    return json.dumps([number, *(each.isoformat() for each in worked.span)]), worked.clean


def _write_dead(block: Block, *, job: LiveJob) -> None:
    """A file that is named after its content: written again, it is the same."""
    content, name = block[1].write_csv().encode(), f"{job.source}.live"
    Metrics.counter(NAMESPACE, "dead").inc(block[1].height)
    number = int.from_bytes(hashlib.blake2b(content, digest_size=6).digest())
    letter = raw_layout.dead_letter(job.raw, source=name, batch=number)
    write_files({letter: content}, scratch=raw_layout.scratch(job.raw, source=name))


def _now() -> datetime:
    return datetime.now(UTC)
