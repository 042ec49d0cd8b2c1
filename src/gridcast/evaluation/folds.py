"""Rolling origins: the moments in the past at which a forecast is issued, or a model trained, again to be judged."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

from gridcast.domain.errors import GridcastError, UsageError


def daily_origins(
    observed_until: datetime, *, time_zone: str, days: int, horizon: timedelta, local_hour: int = 0
) -> tuple[datetime, ...]:
    """One issue time per local day, ascending, in UTC, at `local_hour` on the clock of `time_zone`.

    They lie in the last `days` local days before `observed_until` (exclusive end of the last observed interval),
    and the full horizon of each has passed by then. A clock hour that a DST change skips is read with the offset
    before the change (02:00 becomes 03:00); of an hour that comes twice, the first is taken.

    Raises:
        GridcastError: the period is too short for a single horizon.
        ValueError: `observed_until` has no zone, or a number is out of range.
    """
    _require(observed_until, days=days, horizon=horizon, local_hour=local_hour)
    zone = ZoneInfo(time_zone)
    last_day = observed_until.astimezone(zone).date()
    clock = time(local_hour, tzinfo=zone)
    candidates = (
        datetime.combine(last_day - timedelta(days=back), clock).astimezone(UTC) for back in range(days, -1, -1)
    )
    origins = tuple(origin for origin in candidates if origin + horizon <= observed_until)
    if not origins:
        raise GridcastError(
            f"the last {days} local days before {observed_until:%Y-%m-%d %H:%M%z} hold no complete horizon "
            f"of {horizon}; ask for more days or a shorter horizon."
        )
    return origins


class Fold(NamedTuple):
    """A stretch of origins that one training serves."""

    train_until: datetime
    """Exclusive end of what the model may have seen, UTC: the first of its origins."""
    origins: tuple[datetime, ...]
    """Ascending."""


def refit_schedule(origins: Sequence[datetime], *, every: timedelta, time_zone: str) -> tuple[Fold, ...]:
    """The folds of ascending `origins`, each of which begins `every` so many local days after the one before it.

    Days are counted on the calendar of `time_zone` from the first origin on, so a clock change moves no fold. A fold
    without an origin is left out.

    Raises:
        UsageError: `every` is not a whole, positive number of days.
    """
    days, rest = divmod(every, timedelta(days=1))
    if rest or days < 1:
        raise UsageError(f"a model is to be trained again every {every}; expected whole days, such as P28D.")
    zone = ZoneInfo(time_zone)
    dates = [each.astimezone(zone).date() for each in origins]
    numbered = zip(((each - dates[0]).days // days for each in dates), origins, strict=True)
    parts = [tuple(origin for _, origin in part) for _, part in groupby(numbered, key=lambda each: each[0])]
    return tuple(Fold(part[0], part) for part in parts)


def _require(observed_until: datetime, *, days: int, horizon: timedelta, local_hour: int) -> None:
    if observed_until.tzinfo is None:
        raise ValueError(f"observed_until {observed_until} has no time zone; expected an aware time.")
    if days < 1 or horizon <= timedelta(0) or not 0 <= local_hour <= 23:
        raise ValueError(
            f"days {days}, horizon {horizon}, local_hour {local_hour}; "
            "expected days ≥ 1, a positive horizon and an hour from 0 to 23."
        )
