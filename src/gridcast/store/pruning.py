"""What a store may forget: old forecasts, and of the log what every reader has read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from gridcast.store import schema
from gridcast.store.dialect import dialect_of
from gridcast.store.moments import moment

_FORECASTS = schema.FORECASTS.c
_LOG = schema.READING_LOG.c
_LANDINGS = schema.LANDINGS.c
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How much is kept, counted back from the newest row of each table; None: all."""

    forecasts: timedelta | None = None
    readings_log: timedelta | None = None
    landings: timedelta | None = None


class Pruned(NamedTuple):
    """What went of one table: rows from before a time."""

    table: str
    before: datetime
    rows: int


def prune(connection: sa.Connection, kept: Kept, *, archived: Mapping[str, int]) -> Iterator[Pruned]:
    """Remove what need not be kept, and tell it table by table.

    Args:
        connection: at the start of a transaction; rolled back, nothing has gone.
        kept: how much stays.
        archived: of each source whose log rows are yet to be copied elsewhere, the last offset that was.
    """
    dialect_of(connection).lock_schema(connection)
    if kept.forecasts is not None:
        yield from _prune_forecasts(connection, kept.forecasts)
    read = _read_by_all(connection)
    if kept.readings_log is not None:
        cut = _cut(connection, _LOG.valid_time, kept.readings_log)
        if cut is not None:
            head = sa.select(sa.func.max(_LOG.log_offset)).scalar_subquery()
            waits = [sa.and_(_LOG.source == source, _LOG.log_offset > last) for source, last in archived.items()]
            goes = sa.delete(schema.READING_LOG).where(
                _LOG.valid_time < cut, _LOG.log_offset <= read, _LOG.log_offset < head, ~sa.or_(sa.false(), *waits)
            )
            yield Pruned("reading_log", moment(cut), connection.execute(goes).rowcount)
    if kept.landings is not None:
        cut = _cut(connection, _LANDINGS.landed_at, kept.landings)
        if cut is not None:
            goes = sa.delete(schema.LANDINGS).where(_LANDINGS.landed_at < cut, _LANDINGS.last_offset <= read)
            yield Pruned("landings", moment(cut), connection.execute(goes).rowcount)


def _prune_forecasts(connection: sa.Connection, age: timedelta) -> Iterator[Pruned]:
    """Forecasts, and the runs that are no longer there."""
    cut = _cut(connection, _FORECASTS.issue_time, age)
    if cut is None:
        return
    rows = dialect_of(connection).drop_forecasts(connection, before=cut)
    oldest = connection.scalar(sa.select(sa.func.min(_FORECASTS.issue_time)))
    for runs in (schema.RUNS, schema.LATEST_RUNS):
        connection.execute(sa.delete(runs).where(runs.c.issue_time < oldest))
    yield Pruned("forecasts", moment(cut), rows)


def _cut(connection: sa.Connection, time: sa.ColumnElement[int], age: timedelta) -> int | None:
    """The moment that lies an age before the newest, microseconds."""
    newest: int | None = connection.scalar(sa.select(sa.func.max(time)))
    return None if newest is None else newest - age // _MICROSECOND


def _read_by_all(connection: sa.Connection) -> int:
    """The last offset of the log that every reader has read, 0 before the first reader."""
    return int(connection.scalar(sa.select(sa.func.min(schema.CONSUMERS.c.log_offset))) or 0)
