"""Which series are late: one rule for the status, the service and the metrics."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from gridcast.domain.series import Hierarchy


def late_series(
    hierarchy: Hierarchy, newest: Mapping[str, datetime], *, at: datetime, max_age: timedelta
) -> tuple[str, ...]:
    """Series that are part of a sum at a time and whose newest load is older then than `max_age`, or not there."""
    active = hierarchy.active_at(at)
    return tuple(
        each for each in hierarchy.ids if each in active and (each not in newest or at - newest[each] > max_age)
    )
