"""What Beam costs: rows per CPU-second of the batch pipeline against the same rules called directly, on the sample."""

import json
import logging
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import polars as pl

from gridcast.domain.series import zones_to_system
from gridcast.ingestion import raw
from gridcast.ingestion.sample import INTERVAL, SOURCE, TIME_ZONE, read_sample
from gridcast.pipelines.beam.batch import run_batch
from gridcast.quality.aggregate import aggregate_to_parents
from gridcast.quality.cleaning import clean_block
from gridcast.quality.limits import Limits
from gridcast.workflows.prepare import BatchJob, spans_of_months
from gridcast.workflows.rules import CleaningRules

ROUNDS = 3
TARGET = 0.5
"""On this small sample the pipeline's fixed cost of about half a second weighs more than it will on larger data."""


def main() -> None:
    """Measure both in turn, `ROUNDS` times, and print the median ratio."""
    logging.disable(logging.WARNING)
    sample = read_sample()
    with tempfile.TemporaryDirectory() as folder:
        job = _job(Path(folder))
        pipeline, direct = [], []
        for _ in range(ROUNDS):
            pipeline.append(_cpu_seconds(lambda: run_batch(job)))
            direct.append(_cpu_seconds(lambda: _direct(job)))
    rows = sample.readings.height
    ratios = [each / other for each, other in zip(direct, pipeline, strict=True)]
    ratio = statistics.median(ratios)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result = {
        "name": "prepare",
        "ratio": round(ratio, 3),
        "target": TARGET,
        "ok": ratio >= TARGET,
        "rows": rows,
        "pipeline_rows_per_cpu_second": round(rows / statistics.median(pipeline)),
        "direct_rows_per_cpu_second": round(rows / statistics.median(direct)),
        "peak_rss_mb": round(peak_mb),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "apache_beam": version("apache-beam"),
        "polars": version("polars"),
    }
    sys.stdout.write(json.dumps(result) + "\n")


def _job(folder: Path) -> BatchJob:
    """The sample as raw files, and what to do with them."""
    sample = read_sample()
    raw_folder, staging, weather = folder / "raw", folder / "staging", folder / "weather.parquet"
    raw.write_readings(sample.readings, directory=raw_folder, source=SOURCE)
    sample.weather.group_by("valid_time").agg(pl.col("temperature_c").mean()).write_parquet(weather)
    staging.mkdir()
    since = raw.first_readings(raw_folder)
    until = sample.readings["valid_time"].to_list()[-1] + timedelta(hours=1)
    rules = CleaningRules(INTERVAL, Limits(), zones_to_system(sorted(since), time_zone=TIME_ZONE), since)
    return BatchJob(
        raw_folder, staging, weather, tuple(spans_of_months(min(since.values()), until, months=12)), 1, rules
    )


def _direct(job: BatchJob) -> None:
    """The same readings through the same functions, whole and in one call each."""
    rules = job.rules
    clean, _ = clean_block(
        raw.read_readings(job.raw),
        span=(job.spans[0][0], job.spans[-1][1]),
        interval=rules.interval,
        limits=rules.limits,
        time_zones=rules.hierarchy.time_zones,
        series_since=rules.series_since,
    )
    parents = aggregate_to_parents(clean, parents=rules.hierarchy.parents)
    joined = pl.concat([clean, parents]).join(pl.read_parquet(job.weather), on="valid_time", how="left")
    joined.write_parquet(job.staging / "direct.parquet")


def _cpu_seconds(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
