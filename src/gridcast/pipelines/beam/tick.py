"""Micro-batch: one bounded pipeline per tick, through the transforms of the batch run, into one transaction.

The pipeline carries no data from outside: its transforms take the tick in hand, and the rows it is about, from where
the process keeps them.
"""

import uuid
from collections.abc import Iterable
from contextvars import Context, copy_context
from datetime import datetime

import apache_beam as beam
import polars as pl

from gridcast.pipelines.beam.blocks import Block, PlacedBlock, concat
from gridcast.pipelines.beam.clean import CHILDREN, COUNTS, LEFT_OUT, PARENTS, CleanAndAggregate
from gridcast.pipelines.beam.runner import Assembled
from gridcast.quality.summary import totals
from gridcast.workflows.readings.block_name import BlockName
from gridcast.workflows.streaming.tick_job import AtHand, Ticked, TickJob

CLEAN, TICK = "clean", "tick"


class Ticks:
    """The pipeline of a stream's ticks: assembled once, run for each of them."""

    def __init__(self, here: AtHand) -> None:
        self.here = here
        self._name = uuid.uuid4().hex
        self._pipeline = Assembled(self._assemble)

    def __call__(self, job: TickJob) -> datetime:
        """Clean the job's span, forecast from it and commit readings, forecasts and log offset together.

        Returns:
            When the readings had been cleaned and aggregated.
        """
        _in_hand[self._name] = (job, self.here, copy_context())
        try:
            self._pipeline.run()
        except BaseException:
            self.here.forget()
            raise
        finally:
            del _in_hand[self._name]
        return self.here.aggregated_at

    def _assemble(self, pipeline: beam.Pipeline) -> None:
        outputs = (
            pipeline
            | "Tick" >> beam.Impulse()
            | "Read log" >> beam.Map(_read_log, name=self._name).with_output_types(PlacedBlock)
            | "Clean and aggregate" >> CleanAndAggregate(self.here.rules, leaves_out=True)
        )
        gathered = {
            CLEAN: (outputs[CHILDREN], outputs[PARENTS]) | "All series" >> beam.Flatten(),
            COUNTS: outputs[COUNTS],
            LEFT_OUT: outputs[LEFT_OUT],
        }
        _ = (
            [each | f"Of the tick: {kind}" >> beam.Map(_of_tick, kind=kind) for kind, each in gathered.items()]
            | "All of the tick" >> beam.Flatten()
            | "Gather series" >> beam.GroupByKey()
            | "Forecast and commit" >> beam.Map(_forecast_and_commit, name=self._name)
        )


_in_hand: dict[str, tuple[TickJob, AtHand, Context]] = {}
"""By the name of a stream's pipeline, with the context that what it logs belongs to: Beam works in threads."""


def _read_log(_: bytes, *, name: str) -> PlacedBlock:
    job, here, context = _in_hand[name]
    return BlockName(*job.span).encode(), context.run(here.placed, job)


def _of_tick(block: Block, *, kind: str) -> tuple[str, Block]:
    return TICK, (kind, block[1])


def _forecast_and_commit(element: tuple[str, Iterable[Block]], *, name: str) -> None:
    job, here, context = _in_hand[name]
    gathered: dict[str, list[pl.DataFrame]] = {CLEAN: [], COUNTS: [], LEFT_OUT: []}
    for kind, rows in element[1]:
        gathered[kind].append(rows)
    clean, counts, left_out = (concat(each) for each in gathered.values())
    is_measured = pl.col("series_id").is_in(list(here.rules.hierarchy.leaves))
    forecasts = context.run(here.forecasts, job, clean)
    made = Ticked(clean, forecasts, totals(counts.filter(is_measured)), left_out)
    context.run(here.commit, job, made)
