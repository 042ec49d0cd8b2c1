"""What batch and real time must agree on to produce the same clean readings."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from gridcast.domain.calendars import interval_start
from gridcast.domain.series import Hierarchy
from gridcast.quality.limits import Limits


@dataclass(frozen=True, slots=True)
class CleaningRules:
    """Interval, limits and hierarchy, and since when each series has been measured."""

    interval: timedelta
    limits: Limits
    hierarchy: Hierarchy
    series_since: Mapping[str, datetime]

    def start_of_interval(self, moment: datetime) -> datetime:
        """Start of the interval a moment lies in, by the clock of the whole."""
        zone = self.hierarchy.time_zones[self.hierarchy.root]
        return interval_start(moment, interval=self.interval, time_zone=zone)
