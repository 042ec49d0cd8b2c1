"""Micro-batch: one bounded pipeline per tick, through the transforms of the batch run, into one transaction.

The pipeline carries names and offsets only; each transform reads its rows where they are, as in the batch run.
"""

import functools
from collections.abc import Iterable
from pathlib import Path

import apache_beam as beam

from gridcast.models.tensorflow.serving import Forecaster
from gridcast.pipelines.beam.blocks import Block, BlockName, concat, to_bytes, to_frame
from gridcast.pipelines.beam.clean import CLEAN, CleanAndAggregate
from gridcast.pipelines.beam.runner import run_bounded
from gridcast.store.sqlite import Store
from gridcast.workflows.issue_forecast import issue_forecast
from gridcast.workflows.stream_readings import CONSUMER, TickJob


def run_tick(job: TickJob) -> None:
    """Clean the job's span, forecast from it and commit readings, forecasts and log offset together."""

    def assemble(pipeline: beam.Pipeline) -> None:
        outputs = (
            pipeline
            | "Span" >> beam.Create([BlockName(*job.span).encode()], reshuffle=False)
            | "Read log" >> beam.Map(_read_log, job=job)
            | "Clean and aggregate" >> CleanAndAggregate(job.rules)
        )
        (
            outputs[CLEAN]
            | "All series together" >> beam.Map(_without_name)
            | "Gather series" >> beam.GroupByKey()
            | "Forecast" >> beam.Map(_forecast, job=job)
            | "Commit" >> beam.Map(_commit, job=job)
        )

    run_bounded(assemble)


def _read_log(name: str, *, job: TickJob) -> Block:
    return name, to_bytes(job.raw(_store(job.store)))


def _without_name(block: Block) -> tuple[None, bytes]:
    return None, block[1]


def _forecast(element: tuple[None, Iterable[bytes]], *, job: TickJob) -> tuple[bytes, bytes]:
    clean = concat(element[1])
    known = job.known(_store(job.store), clean)
    forecaster = _forecaster(job.artefact)
    forecasts = issue_forecast(forecaster, known, issue_time=job.issue_time, model_version=job.model_version)
    return to_bytes(clean), to_bytes(forecasts)


def _commit(element: tuple[bytes, bytes], *, job: TickJob) -> None:
    readings, forecasts = element
    _store(job.store).commit_tick(
        consumer=CONSUMER,
        log_offset=job.log_offset,
        issue_time=job.issue_time,
        readings=to_frame(readings),
        forecasts=to_frame(forecasts),
    )


@functools.lru_cache(maxsize=2)
def _store(path: Path) -> Store:
    return Store.open(path)


@functools.lru_cache(maxsize=2)
def _forecaster(directory: Path) -> Forecaster:
    return Forecaster.load(directory)
