"""Rolling origins: the moments in the past at which a forecast is issued again to be judged."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from gridcast.domain.errors import GridcastError


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


def _require(observed_until: datetime, *, days: int, horizon: timedelta, local_hour: int) -> None:
    if observed_until.tzinfo is None:
        raise ValueError(f"observed_until {observed_until} has no time zone; expected an aware time.")
    if days < 1 or horizon <= timedelta(0) or not 0 <= local_hour <= 23:
        raise ValueError(
            f"days {days}, horizon {horizon}, local_hour {local_hour}; "
            "expected days ≥ 1, a positive horizon and an hour from 0 to 23."
        )
