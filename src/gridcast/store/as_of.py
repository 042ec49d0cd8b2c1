"""Forecasts as they were known: the run issued by a time, and the freshest of each interval at some lead."""

from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl
import sqlalchemy as sa

from gridcast.domain.lead_time import LEAD_BUCKETS
from gridcast.domain.tables import Layer
from gridcast.store import frames, schema
from gridcast.store.dialect import dialect_of
from gridcast.store.moments import microseconds, moment_or_none

Connection = sa.Connection
FAR_FUTURE: Final = datetime(2290, 1, 1, tzinfo=UTC)
"""Behind every issue time."""

_FORECASTS = schema.FORECASTS.c
_RUNS = schema.RUNS.c
_MICROSECOND: Final = timedelta(microseconds=1)
_LONGEST_LEAD: Final = LEAD_BUCKETS[-1].end


def issue_time_at(connection: sa.Connection, series_id: str, *, at: datetime, layer: Layer) -> datetime | None:
    """When the newest forecast of a series and layer that was issued by `at` was issued."""
    query = sa.select(_RUNS.issue_time).where(
        _RUNS.series_id == series_id, _RUNS.layer == layer.value, _RUNS.issue_time <= microseconds(at)
    )
    return moment_or_none(connection.scalar(query.order_by(_RUNS.issue_time.desc()).limit(1)))


def issued(connection: sa.Connection, series_id: str, *, issue_time: datetime) -> pl.DataFrame:
    """`FORECASTS` of a series, every layer, that were issued at a time; ordered by layer and valid time."""
    query = (
        sa.select(schema.FORECASTS)
        .where(_FORECASTS.series_id == series_id, _FORECASTS.issue_time == microseconds(issue_time))
        .order_by(_FORECASTS.layer, _FORECASTS.valid_time)
    )
    return frames.read_few(connection, schema.FORECASTS, query)


def between(connection: sa.Connection, series_id: str, *, start: datetime, end: datetime) -> pl.DataFrame:
    """`FORECASTS` of a series, every layer and issue time, with start ≤ valid time < end."""
    query = sa.select(schema.FORECASTS).where(
        _is_of_run(connection, series_id, start=start - _LONGEST_LEAD, end=end, about=start),
        _FORECASTS.valid_time >= microseconds(start),
        _FORECASTS.valid_time < microseconds(end),
    )
    return frames.read_few(connection, schema.FORECASTS, query.order_by(_FORECASTS.issue_time, _FORECASTS.valid_time))


def freshest(
    connection: sa.Connection,
    series_id: str,
    *,
    start: datetime,
    end: datetime,
    as_of: datetime,
    lead_at_least: timedelta,
    layer: Layer,
) -> pl.DataFrame:
    """`FORECASTS` with start ≤ valid time < end, for each the newest issued by `as_of` at least so long before it.

    With a lead of a day this is the view that was known a day ahead.
    """
    first, last = start - _LONGEST_LEAD, min(as_of, end - lead_at_least) + _MICROSECOND
    newest = (
        sa.select(_FORECASTS.valid_time, sa.func.max(_FORECASTS.issue_time).label("issue_time"))
        .where(
            _is_of_run(connection, series_id, start=first, end=last, about=start),
            _FORECASTS.layer == layer.value,
            _FORECASTS.valid_time >= microseconds(start),
            _FORECASTS.valid_time < microseconds(end),
            _FORECASTS.valid_time - _FORECASTS.issue_time >= lead_at_least // _MICROSECOND,
        )
        .group_by(_FORECASTS.valid_time)
        .subquery()
    )
    is_it = sa.and_(_FORECASTS.valid_time == newest.c.valid_time, _FORECASTS.issue_time == newest.c.issue_time)
    query = sa.select(schema.FORECASTS).join(newest, is_it)
    query = query.where(_is_within(series_id, start=first, end=last), _FORECASTS.layer == layer.value)
    return frames.read_few(connection, schema.FORECASTS, query.order_by(_FORECASTS.valid_time))


def _is_of_run(
    connection: sa.Connection, series_id: str, *, start: datetime, end: datetime, about: datetime
) -> sa.ColumnElement[bool]:
    """Whether a forecast of a series was issued in start ≤ time < end and reaches as far as `about`.

    By the times of its runs it is found by key.
    """
    within = (
        _RUNS.issue_time >= microseconds(start),
        _RUNS.issue_time < microseconds(end),
        _RUNS.last_valid_time >= microseconds(about),
    )
    times = connection.scalars(sa.select(_RUNS.issue_time).where(_RUNS.series_id == series_id, *within).distinct())
    is_among = dialect_of(connection).is_among(_FORECASTS.issue_time, times.all())
    return sa.and_(_is_within(series_id, start=start, end=end), is_among)


def _is_within(series_id: str, *, start: datetime, end: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        _FORECASTS.series_id == series_id,
        _FORECASTS.issue_time >= microseconds(start),
        _FORECASTS.issue_time < microseconds(end),
    )
