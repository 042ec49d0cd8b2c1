"""Micro-batch: one bounded pipeline per tick, through the transforms of the batch run, into one transaction."""

import functools
from collections.abc import Iterable, Iterator
from pathlib import Path

import apache_beam as beam
import polars as pl

from gridcast.models.tensorflow.serving import Forecaster
from gridcast.pipelines.beam.blocks import Block, BlockName, concat, to_bytes, to_frame
from gridcast.pipelines.beam.clean import CLEAN, CleanAndAggregate
from gridcast.pipelines.beam.runner import run_bounded
from gridcast.store.sqlite import Store
from gridcast.workflows.issue_forecast import Known, issue_forecast
from gridcast.workflows.stream_readings import CONSUMER, TickJob


def run_tick(job: TickJob) -> None:
    """Clean the job's span, forecast from it and commit readings, forecasts and log offset together."""
    block: Block = (BlockName(*job.span).encode(), to_bytes(job.raw))

    def assemble(pipeline: beam.Pipeline) -> None:
        outputs = (
            pipeline
            | "New readings" >> beam.Create([block], reshuffle=False)
            | "Clean and aggregate" >> CleanAndAggregate(job.rules)
        )
        (
            outputs[CLEAN]
            | "All series together" >> beam.Map(_without_name)
            | "Gather series" >> beam.GroupByKey()
            | "Forecast" >> beam.ParDo(_Forecast(job))
            | "Commit" >> beam.ParDo(_Commit(job))
        )

    run_bounded(assemble)


class _Forecast(beam.DoFn):
    def __init__(self, job: TickJob) -> None:
        self._directory = job.model.directory
        self._version = job.model.version
        self._issue_time = job.issue_time
        self._hierarchy = job.known.hierarchy
        self._frames = [to_bytes(each) for each in (job.known.readings, job.known.weather, job.known.holidays)]

    def process(self, element: tuple[None, Iterable[bytes]]) -> Iterator[tuple[bytes, bytes]]:
        """Forecast from the clean rows of the tick behind the history before it."""
        clean = concat(element[1])
        history, weather, holidays = (to_frame(each) for each in self._frames)
        known = Known(pl.concat([history, clean]), weather, holidays, self._hierarchy)
        forecasts = issue_forecast(
            _forecaster(self._directory), known, issue_time=self._issue_time, model_version=self._version
        )
        yield to_bytes(clean), to_bytes(forecasts)


class _Commit(beam.DoFn):
    def __init__(self, job: TickJob) -> None:
        self._path = job.store
        self._log_offset = job.log_offset
        self._issue_time = job.issue_time

    def process(self, element: tuple[bytes, bytes]) -> None:
        """Write everything in one transaction; a bundle that is tried again replaces it by the same."""
        readings, forecasts = element
        store = Store.open(self._path)
        try:
            store.commit_tick(
                consumer=CONSUMER,
                log_offset=self._log_offset,
                issue_time=self._issue_time,
                readings=to_frame(readings),
                forecasts=to_frame(forecasts),
            )
        finally:
            store.close()


@functools.lru_cache(maxsize=2)
def _forecaster(directory: Path) -> Forecaster:
    return Forecaster.load(directory)


def _without_name(block: Block) -> tuple[None, bytes]:
    return None, block[1]
