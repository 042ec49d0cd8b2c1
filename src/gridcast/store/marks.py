"""What tells cheaply whether forecasts, or what operators make of them, have changed."""

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from gridcast.domain.tables import Layer
from gridcast.store import schema
from gridcast.store.moments import moment_or_none

_RUNS = schema.LATEST_RUNS.c
_OVERRIDES = schema.OVERRIDES.c


class Mark(NamedTuple):
    """Equal as long as nothing has changed."""

    issue_time: datetime | None
    model_version: str | None
    runs: int
    log_offset: int
    overrides: int
    withdrawn: int


def mark_of(connection: sa.Connection) -> Mark:
    """The mark of the store now."""
    runs = sa.select(sa.func.max(_RUNS.issue_time), sa.func.coalesce(sa.func.sum(_RUNS.issue_time % 1_000_000_007), 0))
    issue_time, checksum = connection.execute(runs.where(_RUNS.layer == Layer.MODEL.value)).one()
    version = sa.select(_RUNS.model_version).where(_RUNS.issue_time == issue_time).limit(1)
    offset = sa.select(sa.func.coalesce(sa.func.sum(schema.CONSUMERS.c.log_offset), 0))
    made = sa.select(sa.func.count(), sa.func.count(_OVERRIDES.withdrawn_at)).select_from(schema.OVERRIDES)
    count, withdrawn = connection.execute(made).one()
    return Mark(
        moment_or_none(issue_time),
        None if issue_time is None else connection.scalar(version),
        int(checksum),
        int(connection.scalar(offset) or 0),
        int(count),
        int(withdrawn),
    )
