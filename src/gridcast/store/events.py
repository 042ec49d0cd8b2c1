"""What happened, a page at a time."""

import logging
from collections.abc import Sequence
from datetime import datetime

import polars as pl
import sqlalchemy as sa

from gridcast.store import frames, schema
from gridcast.store.moments import microseconds

_EVENTS = schema.EVENTS.c
_LOG = logging.getLogger(__name__)


def add(connection: sa.Connection, *, at: datetime, kind: str, message: str) -> None:
    """Append one event, and log it."""
    event = pl.DataFrame({"at": [at], "kind": [kind], "message": [message]})
    frames.append(connection, schema.EVENTS, event)
    _LOG.info("event", extra={"fields": {"kind": kind, "message": message}})


def newest(
    connection: sa.Connection,
    *,
    limit: int,
    before_id: int | None = None,
    kinds: Sequence[str] | None = None,
    until: datetime | None = None,
) -> pl.DataFrame:
    """Up to `limit` events, newest first: those before an id, of some kinds, and that happened up to a time."""
    query = sa.select(schema.EVENTS).order_by(_EVENTS.event_id.desc()).limit(limit)
    query = query if before_id is None else query.where(_EVENTS.event_id < before_id)
    query = query if kinds is None else query.where(_EVENTS.kind.in_(list(kinds)))
    query = query if until is None else query.where(_EVENTS.at <= microseconds(until))
    return frames.read_few(connection, schema.EVENTS, query)
