"""Forecasts as they were issued, and which of them is the newest of each series and layer."""

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa

from gridcast.domain.tables import FORECASTS, Layer
from gridcast.store import frames, schema
from gridcast.store.moments import microseconds, moment_or_none

_ROWS = schema.FORECASTS.c
_RUNS = schema.LATEST_RUNS.c
_MICROSECOND = timedelta(microseconds=1)


def save(connection: sa.Connection, forecasts: pl.DataFrame) -> None:
    """Write `FORECASTS`; the same series, issue time, valid time and layer replaces."""
    frames.upsert(connection, schema.FORECASTS, forecasts.select(FORECASTS.names()))
    runs = forecasts.group_by("series_id", "layer", "issue_time").agg(
        pl.col("model_version").last(), last_valid_time=pl.col("valid_time").max()
    )
    runs = runs.sort("series_id", "layer", "issue_time")
    frames.upsert(connection, schema.RUNS, runs)
    newest = runs.unique(["series_id", "layer"], keep="last", maintain_order=True)
    frames.upsert(connection, schema.LATEST_RUNS, newest.drop("last_valid_time"))


def replace_run(
    connection: sa.Connection, forecasts: pl.DataFrame, *, series_id: str, issue_time: datetime, layer: Layer
) -> None:
    """Let the run of a series, issue time and layer be `FORECASTS`; with no rows there is no such run any more."""
    for table in (schema.FORECASTS, schema.RUNS, schema.LATEST_RUNS):
        is_it = table.c.series_id == series_id, table.c.layer == layer.value
        connection.execute(sa.delete(table).where(*is_it, table.c.issue_time == microseconds(issue_time)))
    save(connection, forecasts)
    runs = schema.RUNS.c
    columns = (runs[name] for name in schema.LATEST_RUNS.columns.keys())  # noqa: SIM118 - a column collection
    newest = sa.select(*columns).where(runs.series_id == series_id, runs.layer == layer.value)
    newest = newest.order_by(runs.issue_time.desc()).limit(1)
    frames.upsert(connection, schema.LATEST_RUNS, frames.read_few(connection, schema.RUNS, newest))


def latest_runs(connection: sa.Connection) -> pl.DataFrame:
    """The newest issue time of each series and layer, and the model version; by series and layer."""
    return frames.read(
        connection, schema.LATEST_RUNS, sa.select(schema.LATEST_RUNS).order_by(_RUNS.series_id, _RUNS.layer)
    )


def latest(connection: sa.Connection, series_id: str, *, layer: Layer) -> pl.DataFrame:
    """`FORECASTS` of the newest run of a series and layer by valid time; no rows if there is none."""
    run = sa.select(_RUNS.issue_time).where(_RUNS.series_id == series_id, _RUNS.layer == layer.value)
    issue_time = connection.scalar(run)
    if issue_time is None:
        return FORECASTS.to_frame()
    # The time itself, not a subquery: PostgreSQL then looks at one month only when it plans.
    query = sa.select(schema.FORECASTS).where(
        _ROWS.series_id == series_id, _ROWS.issue_time == issue_time, _ROWS.layer == layer.value
    )
    return frames.read_few(connection, schema.FORECASTS, query.order_by(_ROWS.valid_time))


def issued(*, start: datetime, end: datetime) -> sa.Select[Any]:
    """Forecasts with `start` ≤ issue time < `end`, ordered by issue time, series and valid time."""
    is_within = _ROWS.issue_time >= microseconds(start), _ROWS.issue_time < microseconds(end)
    query = sa.select(schema.FORECASTS).where(*is_within)
    return query.order_by(_ROWS.issue_time, _ROWS.series_id, _ROWS.valid_time)


def ahead(*, start: datetime, end: datetime, lead: timedelta, lead_end: timedelta) -> sa.Select[Any]:
    """Those of `issued` with `lead` ≤ valid time − issue time < `lead_end`."""
    between = _ROWS.valid_time - _ROWS.issue_time
    return issued(start=start, end=end).where(between >= lead // _MICROSECOND, between < lead_end // _MICROSECOND)


def newest_issue_time(connection: sa.Connection) -> datetime | None:
    """When the newest forecast of a model in charge was issued."""
    newest = sa.select(sa.func.max(_RUNS.issue_time)).where(_RUNS.layer == Layer.MODEL.value)
    return moment_or_none(connection.scalar(newest))
