"""Rows of a table for other tools, as they were known at a time."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import polars as pl
import sqlalchemy as sa

from gridcast.store import clean_readings, frames, schema
from gridcast.store.each_series import each_in
from gridcast.store.moments import microseconds

Query = sa.Select[Any]


def rows(
    connection: sa.Connection,
    table: str,
    *,
    start: datetime,
    end: datetime,
    series_id: str | None,
    as_of: datetime,
    limit: int,
) -> pl.DataFrame:
    """Up to `limit` rows of `readings`, `forecasts`, `scores`, `events` or `overrides` of start ≤ time < end.

    The time is the valid time of readings, the issue time of forecasts and scores, when an event happened, and when an
    override was made. What became known after `as_of` is left out; scores have no such time, their issue time counts.
    """
    source, ask = _ASK[table]
    return frames.read(connection, source, ask(start, end, series_id, as_of).limit(limit))


def _readings(start: datetime, end: datetime, series_id: str | None, as_of: datetime) -> Query:
    return clean_readings.as_of(as_of, start=start, end=end, series_id=series_id)


def _forecasts(start: datetime, end: datetime, series_id: str | None, as_of: datetime) -> Query:
    table = schema.FORECASTS
    query = _between(table, table.c.issue_time, start, end, series_id)
    if series_id is not None:
        runs = schema.RUNS.c
        times = sa.select(runs.issue_time).where(runs.series_id == series_id)
        is_within = runs.issue_time >= microseconds(start), runs.issue_time < microseconds(end)
        query = query.where(table.c.issue_time.in_(times.where(*is_within)))
    return query.where(table.c.issue_time <= microseconds(as_of)).order_by(
        table.c.issue_time, table.c.series_id, table.c.valid_time, table.c.layer
    )


def _scores(start: datetime, end: datetime, series_id: str | None, as_of: datetime) -> Query:
    table = schema.SCORES
    query = _between(table, table.c.issue_time, start, end, series_id)
    query = query.select_from(each_in(table)) if series_id is None else query
    return query.where(table.c.issue_time <= microseconds(as_of)).order_by(
        table.c.issue_time, table.c.series_id, table.c.layer, table.c.lead_bucket
    )


def _events(start: datetime, end: datetime, _series_id: str | None, as_of: datetime) -> Query:
    table = schema.EVENTS
    query = _between(table, table.c.at, start, end, None)
    return query.where(table.c.at <= microseconds(as_of)).order_by(table.c.event_id)


def _overrides(start: datetime, end: datetime, series_id: str | None, as_of: datetime) -> Query:
    table = schema.OVERRIDES
    query = _between(table, table.c.created_at, start, end, series_id)
    return query.where(table.c.created_at <= microseconds(as_of)).order_by(table.c.created_at, table.c.override_id)


def _between(
    table: sa.Table, time: sa.ColumnElement[int], start: datetime, end: datetime, series_id: str | None
) -> Query:
    query = sa.select(table).where(time >= microseconds(start), time < microseconds(end))
    return query if series_id is None else query.where(table.c.series_id == series_id)


_ASK: Final[Mapping[str, tuple[sa.Table, Callable[[datetime, datetime, str | None, datetime], Query]]]] = {
    "readings": (schema.READINGS, _readings),
    "forecasts": (schema.FORECASTS, _forecasts),
    "scores": (schema.SCORES, _scores),
    "events": (schema.EVENTS, _events),
    "overrides": (schema.OVERRIDES, _overrides),
}
