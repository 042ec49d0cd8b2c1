"""Clean readings as they are, and as they were known at an earlier moment."""

from datetime import datetime
from typing import Any

import polars as pl
import sqlalchemy as sa

from gridcast.domain.tables import CLEAN_READINGS, latest
from gridcast.store import frames, schema
from gridcast.store.each_series import each_in, ids_in
from gridcast.store.moments import microseconds

_READINGS = schema.READINGS.c
_SUPERSEDED = schema.READINGS_SUPERSEDED.c


def save(connection: sa.Connection, readings: pl.DataFrame, *, known_from: datetime) -> None:
    """Write `CLEAN_READINGS` as known from a moment on; one that it replaces is set aside."""
    rows = readings.select(*CLEAN_READINGS.names(), known_from=pl.lit(known_from))
    frames.upsert(connection, schema.READINGS, rows)


def between(*, start: datetime, end: datetime) -> sa.Select[Any]:
    """Readings with `start` ≤ valid time < `end`, ordered by series and time."""
    return _columns(schema.READINGS, start=start, end=end).order_by(_READINGS.series_id, _READINGS.valid_time)


def as_of(at: datetime, *, start: datetime, end: datetime, series_id: str | None) -> sa.Select[Any]:
    """Those of `between`, of one series or all, as they were known at a moment."""
    known = microseconds(at)
    now, then = (
        _columns(table, start=start, end=end, series_id=series_id)
        for table in (schema.READINGS, schema.READINGS_SUPERSEDED)
    )
    now = now.where(_READINGS.known_from <= known)
    then = then.where(_SUPERSEDED.known_from <= known, _SUPERSEDED.known_until > known)
    both = now.union_all(then).subquery()
    return sa.select(both).order_by(both.c.series_id, both.c.valid_time)


def newest(connection: sa.Connection) -> datetime | None:
    """The latest interval with a load, measured or estimated."""
    found = newest_of_each(connection)
    return None if found.is_empty() else latest(found["newest_reading"])


def newest_of_each(connection: sa.Connection) -> pl.DataFrame:
    """The latest interval with a load of each series that has one: `series_id`, `newest_reading`; found by key."""
    ids, readings = ids_in(schema.READINGS), schema.READINGS.alias()
    newest = sa.select(readings.c.valid_time).where(readings.c.series_id == ids.c.series_id)
    newest = newest.where(readings.c.load_mw.is_not(None)).order_by(readings.c.valid_time.desc()).limit(1)
    query = sa.select(ids.c.series_id, newest.scalar_subquery().label("valid_time")).where(ids.c.series_id.is_not(None))
    found = frames.read_few(connection, schema.READINGS, query).drop_nulls()
    return found.rename({"valid_time": "newest_reading"})


def _columns(table: sa.Table, *, start: datetime, end: datetime, series_id: str | None = None) -> sa.Select[Any]:
    query = sa.select(*(table.c[name] for name in CLEAN_READINGS.names()))
    query = query.where(table.c.valid_time >= microseconds(start), table.c.valid_time < microseconds(end))
    return query.select_from(each_in(table)) if series_id is None else query.where(table.c.series_id == series_id)
