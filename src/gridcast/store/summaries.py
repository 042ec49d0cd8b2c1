"""What the service tells of many rows at once: data quality and how fresh each series is."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import polars as pl
import sqlalchemy as sa

from gridcast.domain.tables import UTC_TIME
from gridcast.store import schema
from gridcast.store.moments import microseconds

_READINGS = schema.READINGS.c
_AT_ONCE: Final = 500


def quality(connection: sa.Connection, series_ids: Sequence[str], *, start: datetime, end: datetime) -> pl.DataFrame:
    """Clean readings of some series with start ≤ valid time < end: `series_id`, `quality`, `n`; found by key."""
    keys = (_READINGS.series_id, _READINGS.quality)
    is_within = _READINGS.valid_time >= microseconds(start), _READINGS.valid_time < microseconds(end)
    query = sa.select(*keys, sa.func.count().label("n")).group_by(*keys).order_by(*keys)
    found = [
        tuple(row)
        for first in range(0, len(series_ids), _AT_ONCE)
        for row in connection.execute(
            query.where(_READINGS.series_id.in_(list(series_ids[first : first + _AT_ONCE])), *is_within)
        )
    ]
    return pl.DataFrame(found, schema={"series_id": pl.String, "quality": pl.String, "n": pl.Int64}, orient="row")


def newest_readings(connection: sa.Connection, series_ids: Sequence[str]) -> pl.DataFrame:
    """The latest interval with a load of each series that has one: `series_id`, `newest_reading`; one lookup each."""
    rows = [(each, connection.scalar(_newest(each))) for each in series_ids]
    frame = pl.DataFrame(rows, schema={"series_id": pl.String, "newest_reading": pl.Int64}, orient="row")
    return frame.with_columns(pl.from_epoch("newest_reading", time_unit="us").cast(UTC_TIME)).drop_nulls()


def _newest(series_id: str) -> sa.Select[Any]:
    query = sa.select(_READINGS.valid_time).where(_READINGS.series_id == series_id, _READINGS.load_mw.is_not(None))
    return query.order_by(_READINGS.valid_time.desc()).limit(1)
