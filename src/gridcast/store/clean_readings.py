"""Clean readings as they are, and as they were known at an earlier moment."""

from datetime import datetime
from typing import Any

import polars as pl
import sqlalchemy as sa

from gridcast.domain.tables import CLEAN_READINGS
from gridcast.store import frames, schema
from gridcast.store.moments import microseconds, moment_or_none

_READINGS = schema.READINGS.c
_SUPERSEDED = schema.READINGS_SUPERSEDED.c


def save(connection: sa.Connection, readings: pl.DataFrame, *, known_from: datetime) -> None:
    """Write `CLEAN_READINGS` as known from a moment on; one that it replaces is set aside."""
    rows = readings.select(*CLEAN_READINGS.names(), known_from=pl.lit(known_from))
    frames.upsert(connection, schema.READINGS, rows)


def between(*, start: datetime, end: datetime) -> sa.Select[Any]:
    """Readings with `start` ≤ valid time < `end`, ordered by series and time."""
    return _columns(_READINGS, start=start, end=end).order_by(_READINGS.series_id, _READINGS.valid_time)


def as_of(at: datetime, *, start: datetime, end: datetime, series_id: str | None) -> sa.Select[Any]:
    """Those of `between`, of one series or all, as they were known at a moment."""
    known = microseconds(at)
    now = _columns(_READINGS, start=start, end=end).where(_READINGS.known_from <= known)
    then = _columns(_SUPERSEDED, start=start, end=end).where(
        _SUPERSEDED.known_from <= known, _SUPERSEDED.known_until > known
    )
    if series_id is not None:
        now, then = now.where(_READINGS.series_id == series_id), then.where(_SUPERSEDED.series_id == series_id)
    both = now.union_all(then).subquery()
    return sa.select(both).order_by(both.c.series_id, both.c.valid_time)


def newest(connection: sa.Connection) -> datetime | None:
    """The latest interval with a load, measured or estimated."""
    query = sa.select(sa.func.max(_READINGS.valid_time)).where(_READINGS.load_mw.is_not(None))
    return moment_or_none(connection.scalar(query))


def _columns(table: Any, *, start: datetime, end: datetime) -> sa.Select[Any]:
    query = sa.select(*(table[name] for name in CLEAN_READINGS.names()))
    return query.where(table.valid_time >= microseconds(start), table.valid_time < microseconds(end))
