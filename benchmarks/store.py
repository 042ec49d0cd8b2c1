"""What the store does with PostgreSQL: runs of forecasts written whole, and views of them at millions of points.

A server is started for it, with settings that lose nothing in a power cut. Every hour a run of a thousand series and
48 leads is written until the points are there; then views of random series and times are asked for. The ratio is the
rows written a second to those that are wanted; it counts only if every view is quick enough.
"""

import argparse
import contextlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import FORECASTS, Layer
from gridcast.store import as_of
from gridcast.store.store import Store

sys.path.append(str(Path(__file__).parents[1] / "tests"))

WANTED_ROWS_PER_S = 250_000
LARGEST_P95_MS = 25.0
POINTS, SERIES, LEADS = 50_000_000, 1_000, 48
QUICK_POINTS, QUICK_SERIES = 20_000, 20
START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SETTINGS = (
    "shared_buffers=6GB", "effective_cache_size=12GB", "max_wal_size=8GB", "checkpoint_timeout=15min",
    "maintenance_work_mem=512MB", "random_page_cost=1.1", "wal_writer_delay=10ms",
)  # fmt: skip
"""A quarter of 24 GB of memory; fsync, synchronous_commit and full_page_writes are on, as by default."""
_ASKED, _WARM = 400, 20


def main() -> None:
    """Measure and print."""
    from support.postgres import running_postgres

    parser = argparse.ArgumentParser(prog="python -m benchmarks.store", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few thousand points: does it run?")
    parser.add_argument("--points", type=int, default=POINTS, help="forecast rows that views are asked of")
    asked = parser.parse_args()
    points, series = (QUICK_POINTS, QUICK_SERIES) if asked.quick else (asked.points, SERIES)
    with running_postgres(settings=SETTINGS) as server:
        url = server.new_database()
        with contextlib.closing(Store.open(url)) as store:
            written = _write(store, points=points, series=series)
            server.execute("VACUUM (ANALYZE) forecasts", database=url.rpartition("/")[2])
            views = _views(store, runs=written["runs"], series=series)
    sys.stdout.write(json.dumps(_result(written, views, quick=asked.quick)) + "\n")


def _result(written: Mapping[str, Any], views: Mapping[str, Mapping[str, float]], *, quick: bool) -> dict[str, Any]:
    rate = written["rows_per_s"]
    limits = {f"{rate:,} < {WANTED_ROWS_PER_S:,} rows/s": rate < WANTED_ROWS_PER_S} | {
        f"{name}: p95 of {each['p95_ms']} ms > {LARGEST_P95_MS} ms": each["p95_ms"] > LARGEST_P95_MS
        for name, each in views.items()
    }
    missed = [] if quick else [what for what, is_missed in limits.items() if is_missed]
    return {
        "name": "store",
        "ratio": round(rate / WANTED_ROWS_PER_S, 3),
        "target": 1.0,
        "ok": not missed,
        "missed": missed,
        **written,
        "views": views,
        "settings": SETTINGS,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("psycopg", "polars", "sqlalchemy")},
    }


def _write(store: Store, *, points: int, series: int) -> dict[str, Any]:
    """Save run after run; only the saving is timed."""
    first, seconds = _run(series), []
    runs = -(-points // first.height)
    for number in range(runs):
        shifted = first.with_columns(pl.col("issue_time", "valid_time") + number * HOUR)
        began = time.perf_counter()
        store.save_forecasts(shifted)
        seconds.append(time.perf_counter() - began)
        if number % 100 == 0:
            sys.stderr.write(f"{number * first.height:,} rows, {first.height / seconds[-1]:,.0f} rows/s\n")
    return {
        "runs": runs,
        "points": runs * first.height,
        "rows_per_s": round(runs * first.height / sum(seconds)),
        "rows_per_s_median_run": round(first.height / float(np.median(seconds))),
        "rows_per_s_last_tenth": round(first.height / float(np.mean(seconds[-max(1, runs // 10) :]))),
    }


def _run(series: int) -> pl.DataFrame:
    names = pl.Series("series_id", [f"feeder_{number:05d}" for number in range(series)])
    leads = pl.DataFrame({"valid_time": [START + lead * HOUR for lead in range(LEADS)]})
    loads = np.sort(np.random.default_rng(0).uniform(0.1, 10.0, (series * LEADS, len(QUANTILE_COLUMNS))), axis=1)
    texts = {"layer": pl.lit(Layer.MODEL.value), "model_version": pl.lit("12"), "degraded_because": pl.lit("")}
    frame = names.to_frame().join(leads, how="cross").with_columns(issue_time=pl.lit(START), **texts)
    frame = frame.with_columns(pl.Series(name, loads[:, place]) for place, name in enumerate(QUANTILE_COLUMNS))
    return frame.select(FORECASTS.names()).cast(dict(FORECASTS))


def _views(store: Store, *, runs: int, series: int) -> dict[str, dict[str, float]]:
    """Percentiles of how long each view took, for random series and times."""
    random = np.random.default_rng(1)

    def a_series() -> str:
        return f"feeder_{random.integers(series):05d}"

    def a_moment() -> datetime:
        return START + int(random.integers(runs)) * HOUR

    def freshest() -> pl.DataFrame:
        start = a_moment()
        span = {"start": start, "end": start + 7 * DAY, "as_of": start + 7 * DAY}
        with store.transaction() as connection:
            return as_of.freshest(connection, a_series(), **span, lead_at_least=DAY, layer=Layer.MODEL)

    def newest_as_of() -> pl.DataFrame:
        name, at = a_series(), a_moment()
        with store.transaction() as connection:
            issue_time = as_of.issue_time_at(connection, name, at=at, layer=Layer.MODEL)
            return as_of.issued(connection, name, issue_time=issue_time or START)

    asked = {
        "freshest_a_day_ahead": freshest,
        "newest_as_of": newest_as_of,
        "latest": lambda: store.latest_forecast(a_series()),
    }
    return {name: _timed(ask) for name, ask in asked.items()}


def _timed(ask: Callable[[], pl.DataFrame]) -> dict[str, float]:
    for _ in range(_WARM):
        ask()
    taken, rows = [], 0
    for _ in range(_ASKED):
        began = time.perf_counter()
        rows += ask().height
        taken.append(1_000 * (time.perf_counter() - began))
    p50, p95, p99 = np.percentile(taken, [50, 95, 99])
    return {**{f"p{n}_ms": round(float(v), 2) for n, v in ((50, p50), (95, p95), (99, p99))}, "rows": rows // _ASKED}


if __name__ == "__main__":
    main()
