"""The newest forecast of each series."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from gridcast.domain.tables import Layer
from gridcast.store import schema
from gridcast.store.moments import moment

_RUNS = schema.LATEST_RUNS.c
_AT_ONCE = 500


def newest_issues(connection: sa.Connection, series_ids: Sequence[str]) -> dict[str, datetime]:
    """When the newest model forecast of each series was issued, of those that have one."""
    found: dict[str, datetime] = {}
    for first in range(0, len(series_ids), _AT_ONCE):
        some = list(series_ids[first : first + _AT_ONCE])
        query = sa.select(_RUNS.series_id, _RUNS.issue_time)
        rows = connection.execute(query.where(_RUNS.layer == Layer.MODEL.value, _RUNS.series_id.in_(some)))
        found.update({series_id: moment(issue_time) for series_id, issue_time in rows})
    return found
