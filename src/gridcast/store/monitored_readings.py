"""What monitoring reads of readings, sources and events: by keys, a few milliseconds, however long the history is."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl
import sqlalchemy as sa

from gridcast.store import frames, schema
from gridcast.store.each_series import each_in
from gridcast.store.moments import microseconds

_READINGS = schema.READINGS.c


def flags(connection: sa.Connection, *, start: datetime, end: datetime) -> dict[str, int]:
    """Clean readings of start ≤ valid time < end by quality flag."""
    query = sa.select(_READINGS.quality, sa.func.count()).select_from(each_in(schema.READINGS))
    query = query.where(_READINGS.valid_time >= microseconds(start), _READINGS.valid_time < microseconds(end))
    return {str(flag): int(count) for flag, count in connection.execute(query.group_by(_READINGS.quality))}


def loads(connection: sa.Connection, series_ids: Sequence[str], *, start: datetime, end: datetime) -> pl.DataFrame:
    """`series_id`, `valid_time`, `load_mw`, `quality` of some series, start ≤ valid time < end."""
    query = sa.select(_READINGS.series_id, _READINGS.valid_time, _READINGS.load_mw, _READINGS.quality).where(
        _READINGS.series_id.in_(list(series_ids)),
        _READINGS.valid_time >= microseconds(start),
        _READINGS.valid_time < microseconds(end),
    )
    return frames.read_few(connection, schema.READINGS, query)


def log_lag(connection: sa.Connection, consumer: str) -> int | None:
    """Readings in the log that a consumer has not taken yet; None before its first commit."""
    mark = schema.CONSUMERS.c
    offset = connection.scalar(sa.select(mark.log_offset).where(mark.consumer == consumer))
    head = connection.scalar(sa.select(sa.func.max(schema.READING_LOG.c.log_offset)))
    return None if offset is None else max(0, int(head or 0) - int(offset))


def live_sources(connection: sa.Connection) -> pl.DataFrame:
    """Every live source: `source`, `rows`, `committed_at`."""
    sources = schema.SOURCES.c
    return frames.read_few(connection, schema.SOURCES, sa.select(sources.source, sources.rows, sources.committed_at))


def latency_counts(connection: sa.Connection) -> pl.DataFrame:
    """`stage`, `upper_s` (the last is `schema.NO_BOUND_S`) and `n`, ascending."""
    table = schema.LATENCIES
    return frames.read_few(connection, table, sa.select(table).order_by(table.c.stage, table.c.upper_s))


def event_counts(connection: sa.Connection) -> dict[str, int]:
    """How many events of each kind there are."""
    kind = schema.EVENTS.c.kind
    return {str(name): int(n) for name, n in connection.execute(sa.select(kind, sa.func.count()).group_by(kind))}
