"""Micro-batch: one bounded pipeline per tick, through the transforms of the batch run, into one transaction.

The pipeline carries names and offsets only; each transform reads its rows where they are, as in the batch run.
"""

import functools
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import apache_beam as beam
import polars as pl

from gridcast.models.tensorflow.serving import Forecaster
from gridcast.pipelines.beam.blocks import Block, concat
from gridcast.pipelines.beam.clean import CHILDREN, COUNTS, PARENTS, CleanAndAggregate
from gridcast.pipelines.beam.runner import run_bounded
from gridcast.quality.summary import totals
from gridcast.store.sqlite import Store
from gridcast.workflows.block_name import BlockName
from gridcast.workflows.issue_forecast import issue_forecast
from gridcast.workflows.known import DAYS_KNOWN
from gridcast.workflows.refresh import Refresh, refresh_at, refresh_time
from gridcast.workflows.stream_readings import CONSUMER, TickJob

CLEAN = "clean"
_Results = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]
"""Clean readings, forecasts, counts."""


def run_tick(job: TickJob) -> None:
    """Clean the job's span, forecast from it and commit readings, forecasts and log offset together."""

    def assemble(pipeline: beam.Pipeline) -> None:
        outputs = (
            pipeline
            | "Span" >> beam.Create([BlockName(*job.span).encode()], reshuffle=False)
            | "Read log" >> beam.Map(_read_log, job=job).with_output_types(Block)
            | "Clean and aggregate" >> CleanAndAggregate(job.rules)
        )
        clean = (outputs[CHILDREN], outputs[PARENTS]) | "All series" >> beam.Flatten()
        gathered = {CLEAN: clean, COUNTS: outputs[COUNTS]}
        _ = (
            {name: each | f"All {name} together" >> beam.Map(_without_name) for name, each in gathered.items()}
            | "Gather series" >> beam.CoGroupByKey()
            | "Forecast" >> beam.Map(_forecast, job=job)
            | "Commit" >> beam.Map(_commit, job=job)
        )

    run_bounded(assemble)


def _read_log(name: str, *, job: TickJob) -> Block:
    return name, job.raw(_store(job.store))


def _without_name(block: Block) -> tuple[None, pl.DataFrame]:
    return None, block[1]


def _forecast(element: tuple[None, dict[str, list[pl.DataFrame]]], *, job: TickJob) -> _Results:
    clean, counts = (concat(element[1][name]) for name in (CLEAN, COUNTS))
    known = job.known(_store(job.store), clean)
    forecasts = issue_forecast(
        _forecaster(job.artefact),
        known,
        issue_time=job.issue_time,
        model_version=job.model_version,
        refresh=_refresh(_Day(job.store, job.artefact, refresh_time(job.issue_time), job, clean)),
    )
    return clean, forecasts, totals(counts.filter(pl.col("series_id").is_in(list(job.rules.hierarchy.leaves))))


def _commit(results: _Results, *, job: TickJob) -> None:
    readings, forecasts, counts = results
    _store(job.store).commit_tick(
        consumer=CONSUMER,
        log_offset=job.log_offset,
        issue_time=job.issue_time,
        readings=readings,
        forecasts=forecasts,
        counts=counts,
    )


@functools.lru_cache(maxsize=2)
def _store(path: Path) -> Store:
    return Store.open(path)


@functools.lru_cache(maxsize=2)
def _forecaster(directory: Path) -> Forecaster:
    return Forecaster.load(directory)


@dataclass(frozen=True, slots=True)
class _Day:
    """A day of ticks; what is known of it by the first of them counts for all."""

    store: Path
    artefact: Path
    start: datetime
    job: TickJob = field(compare=False)
    clean: pl.DataFrame = field(compare=False)


@functools.lru_cache(maxsize=2)
def _refresh(day: _Day) -> Refresh | None:
    """How far bands are stretched on a day."""
    known = day.job.known(_store(day.store), day.clean, days=DAYS_KNOWN)
    return refresh_at(_forecaster(day.artefact), known, issue_time=day.job.issue_time)
