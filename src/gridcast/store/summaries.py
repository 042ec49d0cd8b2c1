"""What the service tells of many rows at once: data quality."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import polars as pl
import sqlalchemy as sa

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
