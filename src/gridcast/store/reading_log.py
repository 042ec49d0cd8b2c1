"""The append-only log of readings: what landed, from where, and how far each source was read."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import polars as pl
import sqlalchemy as sa

from gridcast.domain.tables import READINGS
from gridcast.store import frames, schema

_LOG = schema.READING_LOG.c


class SourcePosition(NamedTuple):
    """How far a source was read: its own JSON text (None: not at all) and how many batches of it were kept."""

    position: str | None
    batches: int


def land_batch(connection: sa.Connection, readings: pl.DataFrame, *, source: str, position: str, at: datetime) -> int:
    """Append what is not a repetition and move the source's position; the number of readings appended."""
    # The first statement writes: SQLite waits for a lock then, but fails at once where a read comes first.
    mark = pl.DataFrame({"source": [source], "position": [position], "batches": [1], "rows": [0], "committed_at": [at]})
    frames.upsert(connection, schema.SOURCES, mark, added=("batches", "rows"))
    if readings.is_empty():
        return 0
    given = frames.parameters(schema.READING_LOG, readings.select(READINGS.names()))
    landed = connection.execute(_append_new(source), given).rowcount
    is_source = schema.SOURCES.c.source == source
    connection.execute(sa.update(schema.SOURCES).where(is_source).values(rows=schema.SOURCES.c.rows + landed))
    return landed


def source_position(connection: sa.Connection, source: str) -> SourcePosition:
    """Where the next batch of `source` starts."""
    sources = schema.SOURCES.c
    query = sa.select(sources.position, sources.batches).where(sources.source == source)
    row = connection.execute(query).one_or_none()
    return SourcePosition(None, 0) if row is None else SourcePosition(str(row[0]), int(row[1]))


def landed_from(source: str, *, after_offset: int, limit: int | None) -> sa.Select[Any]:
    """Readings of one source behind a log offset, with their offset, in order of arrival; limit None: all."""
    return (
        sa.select(_LOG.log_offset, *(_LOG[name] for name in READINGS.names()))
        .where(_LOG.source == source, _LOG.log_offset > after_offset)
        .order_by(_LOG.log_offset)
        .limit(limit)
    )


def _append_new(source: str) -> sa.Insert:
    """Appends a reading unless the newest landed one of its series and time has the same load."""
    given: Sequence[sa.BindParameter[Any]] = [
        sa.bindparam(name, type_=schema.READING_LOG.c[name].type) for name in READINGS.names()
    ]
    series_id, valid_time, load_mw, _ = given
    newest = (
        sa.select(_LOG.load_mw)
        .where(_LOG.series_id == series_id, _LOG.valid_time == valid_time)
        .order_by(_LOG.log_offset.desc())
        .limit(1)
        .subquery()
    )
    is_repeated = sa.exists().where(newest.c.load_mw.is_not_distinct_from(load_mw))
    new = sa.select(*given, sa.literal(source)).where(~is_repeated)
    return sa.insert(schema.READING_LOG).from_select([*READINGS.names(), "source"], new)
