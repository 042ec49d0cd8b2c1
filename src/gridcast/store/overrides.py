"""What operators set in place of a forecast: kept with author and reason, withdrawn but never deleted."""

from datetime import datetime

import polars as pl
import sqlalchemy as sa

from gridcast.domain.tables import Layer
from gridcast.store import forecasts, frames, schema
from gridcast.store.moments import microseconds

_OVERRIDES = schema.OVERRIDES.c


def add(connection: sa.Connection, override: pl.DataFrame) -> None:
    """Keep an override (`OVERRIDES`)."""
    frames.upsert(connection, schema.OVERRIDES, override)


def withdraw(connection: sa.Connection, override_id: str, *, at: datetime, by: str) -> bool:
    """Withdraw an override; whether it was there and in force."""
    is_in_force = (_OVERRIDES.override_id == override_id, _OVERRIDES.withdrawn_at.is_(None))
    change = sa.update(schema.OVERRIDES).where(*is_in_force).values(withdrawn_at=microseconds(at), withdrawn_by=by)
    return bool(connection.execute(change).rowcount)


def kept(
    connection: sa.Connection,
    *,
    series_id: str | None = None,
    override_id: str | None = None,
    in_force_at: datetime | None = None,
) -> pl.DataFrame:
    """`OVERRIDES` in the order they were made: of a series, one by its id, or those that change forecasts of a time.

    An override changes the forecasts issued before it expires, unless it has been withdrawn.
    """
    query = sa.select(schema.OVERRIDES).order_by(_OVERRIDES.created_at, _OVERRIDES.override_id)
    if series_id is not None:
        query = query.where(_OVERRIDES.series_id == series_id)
    if override_id is not None:
        query = query.where(_OVERRIDES.override_id == override_id)
    if in_force_at is not None:
        query = query.where(_OVERRIDES.withdrawn_at.is_(None), _OVERRIDES.expires_at > microseconds(in_force_at))
    return frames.read_few(connection, schema.OVERRIDES, query)


def replace_layer(connection: sa.Connection, rows: pl.DataFrame, *, series_id: str, issue_time: datetime) -> None:
    """Let the operators' layer of one run of a series be `rows` (`FORECASTS`)."""
    forecasts.replace_run(connection, rows, series_id=series_id, issue_time=issue_time, layer=Layer.OPERATOR)
