"""Batch: blocks of data/raw through `CleanAndAggregate` into the Parquet files of data/processed."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import apache_beam as beam
import polars as pl

from gridcast.ingestion.parquet import write_parquet
from gridcast.ingestion.raw import read_readings
from gridcast.pipelines.beam.blocks import Block, PlacedBlock, concat, months_of
from gridcast.pipelines.beam.clean import CHILDREN, COUNTS, PARENTS, REMOVED, CleanAndAggregate
from gridcast.pipelines.beam.runner import run_bounded
from gridcast.quality.limits import CONTEXT_AFTER, CONTEXT_BEFORE
from gridcast.quality.summary import add_counts
from gridcast.workflows.readings.block_name import BlockName
from gridcast.workflows.readings.prepare import BatchJob
from gridcast.workflows.readings.rules import CleaningRules


def run_batch(job: BatchJob) -> dict[str, int]:
    """Clean every block of `job.raw` into `job.staging`: readings by month, quality counts, removed rows.

    Counts and removed rows are one Parquet file each, `counts.parquet` and `removed.parquet`. No step but the gathering
    of sums, counts and removed rows moves data between workers: memory holds one block, and these.

    Returns:
        What the transforms counted.
    """
    return run_bounded(lambda pipeline: _assemble(pipeline, job), flags=job.beam_flags)


def _assemble(pipeline: beam.Pipeline, job: BatchJob) -> None:
    outputs = (
        pipeline
        | "Blocks" >> beam.Create([each.encode() for each in job.blocks], reshuffle=False)
        | "Spread over workers" >> beam.Reshuffle()
        | "Read and place" >> beam.ParDo(_ReadBlock(job.raw, job.rules))
        | "Clean and aggregate" >> CleanAndAggregate(job.rules)
    )
    for kind in (CHILDREN, PARENTS):
        _ = outputs[kind] | f"Join weather to and write {kind}" >> beam.ParDo(_WriteMonths(job, kind))
    for name in (COUNTS, REMOVED):
        _ = (
            outputs[name]
            | f"Same key for {name}" >> beam.Map(_without_name).with_output_types(tuple[None, pl.DataFrame])
            | f"Gather {name}" >> beam.GroupByKey()
            | f"Write {name}" >> beam.Map(_write_all, path=job.staging / f"{name}.parquet")
        )


class _ReadBlock(beam.DoFn):
    """The readings of each block and of the time around it; a block without any is a block too: missing, not absent."""

    def __init__(self, raw: Path, rules: CleaningRules) -> None:
        self._raw, self._rules = raw, rules

    def process(self, key: str) -> Iterator[PlacedBlock]:
        name = BlockName.decode(key)
        start, end = name.start - CONTEXT_BEFORE, name.end + CONTEXT_AFTER
        readings = read_readings(self._raw, start=start, end=end, series=(name.first, name.last))
        yield key, self._rules.place(readings)


class _WriteMonths(beam.DoFn):
    """Clean rows with their temperature into one file a month and block; written again, they are the same files."""

    def __init__(self, job: BatchJob, kind: str) -> None:
        self._temperature_file = job.temperature
        self._directory = job.staging / "readings"
        self._kind = kind

    def setup(self) -> None:
        self._temperature = pl.read_parquet(self._temperature_file)

    def process(self, block: Block) -> None:
        key, clean = block
        name = self._kind if self._kind == PARENTS else f"{self._kind}-{BlockName.decode(key).number:05d}"
        for month, rows in months_of(clean):
            joined = rows.join(self._temperature, on="valid_time", how="left", maintain_order="left")
            write_parquet(joined, self._directory / f"month={month}" / f"{name}.parquet")


def _without_name(block: Block) -> tuple[None, pl.DataFrame]:
    return None, block[1]


def _write_all(element: tuple[None, Iterable[pl.DataFrame]], *, path: Path) -> None:
    rows = concat(element[1])
    write_parquet(add_counts(rows) if path.stem == COUNTS else rows.sort(rows.columns), path)
