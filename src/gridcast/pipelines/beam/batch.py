"""Batch: spans of data/raw through `CleanAndAggregate` into the Parquet files of data/processed."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import apache_beam as beam
import polars as pl

from gridcast.ingestion.parquet import write_parquet
from gridcast.ingestion.raw import read_readings
from gridcast.pipelines.beam.blocks import Block, BlockName, concat, to_bytes, to_frame
from gridcast.pipelines.beam.clean import CLEAN, COUNTS, REMOVED, CleanAndAggregate
from gridcast.pipelines.beam.runner import run_bounded
from gridcast.quality.limits import CONTEXT_AFTER, CONTEXT_BEFORE, Rule
from gridcast.quality.summary import add_counts
from gridcast.workflows.prepare import BatchJob, Span


def run_batch(job: BatchJob) -> None:
    """Clean every span of `job.raw` and write `job.staging`: readings by month, quality counts, removed rows.

    Counts and removed rows are one Parquet file each, `counts.parquet` and `removed.parquet`.
    """
    weather = to_bytes(pl.read_parquet(job.weather))

    def assemble(pipeline: beam.Pipeline) -> None:
        outputs = (
            pipeline
            | "Spans" >> beam.Create(list(job.spans), reshuffle=False)
            | "Read" >> beam.ParDo(_ReadSpan(job))
            | "Clean and aggregate" >> CleanAndAggregate(job.rules)
        )
        temperatures = beam.pvalue.AsSingleton(pipeline | "Weather" >> beam.Create([weather]))
        (
            outputs[CLEAN]
            | "Join weather" >> beam.Map(_join_weather, weather=temperatures)
            | "Write months" >> beam.Map(_write_months, directory=job.staging / "readings")
        )
        for name, blocks in ((COUNTS, outputs[COUNTS]), (REMOVED, outputs[REMOVED])):
            (
                blocks
                | f"Same key for {name}" >> beam.Map(_without_name)
                | f"Gather {name}" >> beam.GroupByKey()
                | f"Write {name}" >> beam.Map(_write_all, path=job.staging / f"{name}.parquet")
            )

    run_bounded(assemble)


class _ReadSpan(beam.DoFn):
    """Each span with its context, cut into buckets; one without readings is a block too: missing, not absent."""

    def __init__(self, job: BatchJob) -> None:
        self._raw = job.raw
        self._buckets = job.buckets

    def process(self, span: Span) -> Iterator[Block]:
        start, end = span
        rows = read_readings(self._raw, start=start - CONTEXT_BEFORE, end=end + CONTEXT_AFTER)
        series_ids = rows["series_id"].unique().to_list()
        for bucket in range(self._buckets):
            name = BlockName(start, end, bucket, self._buckets)
            owned = [each for each in series_ids if name.owns(each)]
            yield name.encode(), to_bytes(rows.filter(pl.col("series_id").is_in(owned)))


def _join_weather(block: Block, *, weather: bytes) -> Block:
    key, data = block
    joined = to_frame(data).join(to_frame(weather), on="valid_time", how="left", maintain_order="left")
    return key, to_bytes(joined)


def _write_months(block: Block, *, directory: Path) -> None:
    key, data = block
    rows = to_frame(data)
    if rows.is_empty():
        return
    name = BlockName.decode(key)
    kind = "parents" if (rows["rule"] == Rule.SUM_OF_CHILDREN).all() else "children"
    months = rows.with_columns(pl.col("valid_time").dt.strftime("%Y-%m").alias("month"))
    for (month,), part in months.partition_by("month", as_dict=True, include_key=False).items():
        write_parquet(part, directory / f"month={month}" / f"{kind}-{name.bucket}.parquet")


def _without_name(block: Block) -> tuple[None, bytes]:
    return None, block[1]


def _write_all(element: tuple[None, Iterable[bytes]], *, path: Path) -> None:
    rows = concat(element[1])
    write_parquet(add_counts(rows) if path.stem == COUNTS else rows.sort(rows.columns), path)
