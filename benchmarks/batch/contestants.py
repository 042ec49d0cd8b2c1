"""`python -m benchmarks.batch.contestants NAME FOLDER` runs one contestant and prints rows, CPU time and peak memory.

`pipeline` is the product. `polars` is the very same rules called in a plain loop over the same blocks, so it shows what
Beam costs. The `textbook` ones are what one would write by hand, in polars expressions and in SQL: the last received
wins, range, stuck, spike against like days, short gaps interpolated, summed up; fewer rules than the product has.
"""

import json
import logging
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

from benchmarks.batch.made import INTERVAL, LARGEST_MW, PER_METER, START, TIME_ZONE
from benchmarks.batch.textbook import textbook_duckdb, textbook_polars
from gridcast.domain.series import zones_to_system
from gridcast.ingestion import raw
from gridcast.ingestion.parquet import write_parquet
from gridcast.pipelines.beam.batch import run_batch
from gridcast.pipelines.beam.blocks import months_of
from gridcast.quality.aggregate import combine_sums, partial_sums
from gridcast.quality.limits import Limits
from gridcast.quality.summary import add_counts, quality_counts
from gridcast.workflows.readings.block_name import cut_into_blocks
from gridcast.workflows.readings.prepare import BatchJob
from gridcast.workflows.readings.rules import CleaningRules


def main() -> None:
    """Run one contestant; imports and the look at what there is to do are not measured."""
    logging.disable(logging.WARNING)
    name, folder = sys.argv[1], Path(sys.argv[2])
    job, rows = _job(folder, name), sum(raw.reading_counts(folder / "raw").values())
    began, wall = time.process_time(), time.monotonic()
    _CONTESTANTS[name](job)
    figures = {
        "rows": rows,
        "cpu_seconds": time.process_time() - began,
        "wall_seconds": time.monotonic() - wall,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    sys.stdout.write(json.dumps(figures) + "\n")


def _job(folder: Path, name: str) -> BatchJob:
    since = raw.first_readings(folder / "raw")
    blocks = cut_into_blocks(
        raw.reading_counts(folder / "raw"),
        start=START,
        end=START + PER_METER * INTERVAL,
        block_rows=1_000_000,
    )
    rules = CleaningRules(
        INTERVAL, Limits(max_load_mw=LARGEST_MW), zones_to_system(sorted(since), time_zone=TIME_ZONE), since
    )
    staging = folder / name
    staging.mkdir(exist_ok=True)
    return BatchJob(folder / "raw", staging, folder / "temperature.parquet", blocks, rules)


def _pipeline(job: BatchJob) -> None:
    run_batch(job)


def _polars(job: BatchJob) -> None:
    temperature = pl.read_parquet(job.temperature)
    sums, counts, dead = [], [], []
    for block in job.blocks:
        cleaned = job.rules.clean(job.rules.place(raw.read_readings(job.raw, series=(block.first, block.last))), block)
        _write_months(cleaned.readings, job, temperature, name=f"children-{block.number}")
        sums.append(partial_sums(cleaned.readings, hierarchy=job.rules.hierarchy))
        counts.append(cleaned.counts)
        dead.append(cleaned.dead)
    parents = combine_sums(pl.concat(sums))
    _write_months(parents, job, temperature, name="parents")
    counts.append(quality_counts(parents, dead[0].clear(), interval=INTERVAL))
    write_parquet(add_counts(pl.concat(counts)), job.staging / "counts.parquet")
    removed = pl.concat(dead)
    write_parquet(removed.sort(removed.columns), job.staging / "removed.parquet")


def _write_months(rows: pl.DataFrame, job: BatchJob, temperature: pl.DataFrame, *, name: str) -> None:
    for month, part in months_of(rows):
        joined = part.join(temperature, on="valid_time", how="left", maintain_order="left")
        write_parquet(joined, job.staging / "readings" / f"month={month}" / f"{name}.parquet")


_CONTESTANTS: dict[str, Callable[[BatchJob], None]] = {
    "pipeline": _pipeline,
    "polars": _polars,
    "textbook_polars": lambda job: textbook_polars(job.raw, job.staging),
    "textbook_duckdb": lambda job: textbook_duckdb(job.raw, job.staging),
}

if __name__ == "__main__":
    main()
