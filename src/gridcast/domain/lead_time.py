"""Lead time: from the moment a forecast is issued to the interval it speaks of."""

from dataclasses import dataclass
from datetime import timedelta

from gridcast.domain.errors import UsageError


@dataclass(frozen=True, slots=True)
class LeadBucket:
    """Leads `start` ≤ lead < `end`; the first interval of a forecast has lead 0."""

    start: timedelta
    end: timedelta

    @property
    def label(self) -> str:
        """Whole hours, for tables and plots: '24–48 h'."""
        return f"{self.start // timedelta(hours=1)}–{self.end // timedelta(hours=1)} h"


LEAD_BUCKETS = tuple(
    LeadBucket(timedelta(hours=start), timedelta(hours=end))
    for start, end in ((0, 6), (6, 12), (12, 24), (24, 48), (48, 96), (96, 168))
)


def bucket_of_lead(lead: timedelta) -> LeadBucket:
    """The bucket a lead time falls into.

    Raises:
        ValueError: the lead is negative or a week and longer.
    """
    for bucket in LEAD_BUCKETS:
        if bucket.start <= lead < bucket.end:
            return bucket
    raise ValueError(f"lead {lead} is outside 0 ≤ lead < {LEAD_BUCKETS[-1].end}")


def lead_count(horizon: timedelta, interval: timedelta) -> int:
    """How many intervals a horizon holds.

    Raises:
        UsageError: the horizon is not a whole, positive number of intervals.
    """
    count, rest = divmod(horizon, interval)
    if rest or count < 1:
        raise UsageError(
            f"horizon {horizon} is not a whole, positive number of intervals of {interval}; change horizon in "
            "config/model_config.yaml."
        )
    return count
