"""The append-only log of readings: what landed, from where, and how far each source was read."""

from datetime import datetime
from typing import Any, NamedTuple

import polars as pl
import sqlalchemy as sa

from gridcast.domain.tables import READINGS
from gridcast.store import frames, schema
from gridcast.store.dialect import dialect_of
from gridcast.store.moments import microseconds, moment

_LOG = schema.READING_LOG.c
_LANDINGS = schema.LANDINGS.c


class SourcePosition(NamedTuple):
    """How far a source was read: its own JSON text (None: not at all) and how many batches of it were kept."""

    position: str | None
    batches: int


class Landing(NamedTuple):
    """When a batch of a live source was received and when it landed."""

    received_at: datetime
    landed_at: datetime


def land(connection: sa.Connection, readings: pl.DataFrame) -> None:
    """Append readings as received, in the order of their rows."""
    dialect_of(connection).lock_log(connection)
    frames.append(connection, schema.READING_LOG, readings)


def land_batch(
    connection: sa.Connection,
    readings: pl.DataFrame,
    *,
    source: str,
    position: str,
    at: datetime,
    received_at: datetime,
) -> int:
    """Append what is not a repetition, move the source's position and note the landing; how many were appended."""
    # The first statement writes: SQLite waits for a lock then, but fails at once where a read comes first.
    mark = pl.DataFrame({"source": [source], "position": [position], "batches": [1], "rows": [0], "committed_at": [at]})
    frames.upsert(connection, schema.SOURCES, mark, added=("batches", "rows"))
    if readings.is_empty():
        return 0
    dialect = dialect_of(connection)
    dialect.lock_log(connection)
    given = frames.stored(schema.READING_LOG, readings.select(READINGS.names()))
    landed = dialect.append_new(connection, given, source=source)
    if landed:
        is_source = schema.SOURCES.c.source == source
        connection.execute(sa.update(schema.SOURCES).where(is_source).values(rows=schema.SOURCES.c.rows + landed))
        _note_landing(connection, landed, received_at=received_at, landed_at=at)
    return landed


def source_position(connection: sa.Connection, source: str) -> SourcePosition:
    """Where the next batch of `source` starts."""
    sources = schema.SOURCES.c
    query = sa.select(sources.position, sources.batches).where(sources.source == source)
    row = connection.execute(query).one_or_none()
    return SourcePosition(None, 0) if row is None else SourcePosition(str(row[0]), int(row[1]))


def head(connection: sa.Connection) -> int:
    """Offset of the newest reading, 0 when there is none."""
    return int(connection.scalar(sa.select(sa.func.max(_LOG.log_offset))) or 0)


def landed_from(source: str, *, after_offset: int, limit: int | None) -> sa.Select[Any]:
    """Readings of one source behind a log offset, with their offset, in order of arrival; limit None: all."""
    return _numbered().where(_LOG.source == source, _LOG.log_offset > after_offset).limit(limit)


def landed_after(*, after_offset: int, up_to_offset: int) -> sa.Select[Any]:
    """Readings between two log offsets, with their offset, in order of arrival."""
    return _numbered().where(_LOG.log_offset > after_offset, _LOG.log_offset <= up_to_offset)


def landed(*, start: datetime, end: datetime, up_to_offset: int) -> sa.Select[Any]:
    """Readings with `start` ≤ valid time < `end` up to a log offset, in order of arrival."""
    is_within = _LOG.valid_time >= microseconds(start), _LOG.valid_time < microseconds(end)
    query = sa.select(*(_LOG[name] for name in READINGS.names()))
    return query.where(*is_within, _unindexed(_LOG.log_offset) <= up_to_offset).order_by(_LOG.log_offset)


def newest_offset_before(
    connection: sa.Connection, *, end: datetime, after_offset: int, up_to_offset: int
) -> int | None:
    """The largest offset of a row between two log offsets whose valid time is before `end`."""
    is_before = _unindexed(_LOG.valid_time) < microseconds(end)
    query = sa.select(_LOG.log_offset).where(_LOG.log_offset > after_offset, _LOG.log_offset <= up_to_offset, is_before)
    return connection.scalar(query.order_by(_LOG.log_offset.desc()).limit(1))


def landing_of(connection: sa.Connection, log_offset: int) -> Landing | None:
    """The landing that a row of the log came with; None: it came with none, or its landing is forgotten."""
    query = (
        sa.select(_LANDINGS.first_offset, _LANDINGS.received_at, _LANDINGS.landed_at)
        .where(_LANDINGS.last_offset >= log_offset)
        .order_by(_LANDINGS.last_offset)
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None or row[0] > log_offset else Landing(moment(row[1]), moment(row[2]))


def _numbered() -> sa.Select[Any]:
    return sa.select(_LOG.log_offset, *(_LOG[name] for name in READINGS.names())).order_by(_LOG.log_offset)


def _unindexed(column: sa.Column[int]) -> sa.ColumnElement[int]:
    """The column's value, found without the column's index where another one is narrower."""
    return column + 0


def _note_landing(connection: sa.Connection, landed: int, *, received_at: datetime, landed_at: datetime) -> None:
    last = head(connection)
    times = {"received_at": [received_at], "landed_at": [landed_at]}
    offsets = {"last_offset": [last], "first_offset": [last - landed + 1]}
    frames.upsert(connection, schema.LANDINGS, pl.DataFrame({**offsets, **times}))
