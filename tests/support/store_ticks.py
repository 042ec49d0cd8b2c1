"""Ticks to commit to a store, what is seen of them afterwards, and processes that do so."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import polars as pl

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import CLEAN_READINGS, FORECASTS, READINGS
from gridcast.store.store import Position, Store

START = datetime(2024, 3, 31, tzinfo=UTC)
ALWAYS = {"start": START, "end": START + timedelta(days=9_999)}
MANY = 6_000
LONG = "-" * 500
"""As many rows of so long a text are more than a small cache holds: they reach the disk before a commit."""


def hours(count: int) -> pl.DataFrame:
    times = pl.datetime_range(START, START + timedelta(hours=count), "1h", closed="left", time_zone="UTC")
    return pl.select(valid_time=times)


def received(count: int, *, series_id: str = "a") -> pl.DataFrame:
    columns = {"series_id": pl.lit(series_id), "load_mw": 1.0, "available_at": "valid_time"}
    return hours(count).with_columns(**columns).select(READINGS.names()).cast(dict(READINGS))


def clean(tick: int, *, count: int = 3) -> pl.DataFrame:
    columns = {"raw_load_mw": pl.lit(float(tick)), "quality": pl.lit("good"), "rule": pl.lit(LONG)}
    return received(count).with_columns(**columns).select(CLEAN_READINGS.names())


def forecast(tick: int, *, version: str | None = "1") -> pl.DataFrame:
    keys = {"series_id": pl.lit("a"), "issue_time": pl.lit(START + timedelta(days=tick)), "layer": pl.lit("model")}
    other = {"model_version": pl.lit(version), "degraded_because": pl.lit("")}
    quantiles = {column: pl.lit(float(tick)) for column in QUANTILE_COLUMNS}
    return hours(3).with_columns(**keys, **other, **quantiles).select(FORECASTS.names()).cast(dict(FORECASTS))


def commit(store: Store, tick: int, *, readings: pl.DataFrame, forecasts: pl.DataFrame) -> None:
    issue_time = START + timedelta(days=tick)
    store.commit_tick(consumer="c", log_offset=tick, issue_time=issue_time, readings=readings, forecasts=forecasts)


def ticks_seen(store: Store) -> tuple[Position, set[float], set[datetime]]:
    """Where the consumer stands, the ticks that the stored readings are of, and the stored issue times."""
    readings, forecasts = store.readings(**ALWAYS), store.forecasts(**ALWAYS)
    return store.position("c"), set(readings["raw_load_mw"]), set(forecasts["issue_time"])


def after(tick: int) -> tuple[Position, set[float], set[datetime]]:
    """What is seen after the ticks 1 … `tick`, each of which replaces all readings."""
    issue_times = [START + timedelta(days=each) for each in range(1, tick + 1)]
    return Position(tick, issue_times[-1]), {float(tick)}, set(issue_times)


def child(script: str, *arguments: object) -> subprocess.Popen[str]:
    """A process that runs a script in this Python."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
