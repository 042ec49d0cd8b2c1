"""Local calendars: wall-clock terms and day lags of UTC times, right on days of 23 and 25 hours."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

Times = npt.NDArray[np.datetime64]
Days = npt.NDArray[np.datetime64]
Offsets = npt.NDArray[np.timedelta64]

MICROSECONDS_PER_HOUR = 3_600_000_000
DAY = np.timedelta64(1, "D")


def interval_start(moment: datetime, *, interval: timedelta, time_zone: str) -> datetime:
    """Start, UTC, of the interval `moment` lies in; intervals are counted from local midnight of `time_zone`.

    >>> interval_start(datetime(2024, 1, 1, 11, 45, tzinfo=UTC), interval=timedelta(hours=1), time_zone="Asia/Kolkata")
    datetime.datetime(2024, 1, 1, 11, 30, tzinfo=datetime.timezone.utc)
    """
    utc = moment.astimezone(UTC)
    offset = utc.astimezone(ZoneInfo(time_zone)).utcoffset() or timedelta(0)
    return utc - (utc + offset - datetime(1970, 1, 1, tzinfo=UTC)) % interval


class LocalClock(NamedTuple):
    """What the wall clock and calendar of a time zone show, each with the shape of the times asked for."""

    hour_of_day: npt.NDArray[np.float32]
    """Hours since local midnight by the wall clock, 0 ≤ hour < 24; 13:30 is 13.5."""
    weekday: npt.NDArray[np.int32]
    """Monday is 0."""
    day_of_year: npt.NDArray[np.int32]
    """The first of January is 1."""
    date: npt.NDArray[np.datetime64]
    """Local calendar day, datetime64[D]."""


def utc_offsets(times: Times, *, time_zone: str) -> Offsets:
    """Local wall time minus UTC at each UTC time, timedelta64[us], shape of `times`.

    >>> utc_offsets(np.array(["2024-07-01T00:00"], dtype="datetime64[us]"), time_zone="Asia/Kolkata")
    array([19800000000], dtype='timedelta64[us]')
    """
    offsets: Offsets = local_wall_times(times, time_zone=time_zone) - times.astype("datetime64[us]")
    return offsets


def local_wall_times(times: Times, *, time_zone: str) -> Times:
    """Wall time (without a zone, datetime64[us]) that clocks of `time_zone` show at each UTC time."""
    utc = pl.Series(times.astype("datetime64[us]").ravel()).dt.replace_time_zone("UTC")
    wall = utc.dt.convert_time_zone(time_zone).dt.replace_time_zone(None)
    return wall.to_numpy().astype("datetime64[us]").reshape(times.shape)


def local_clock(times: Times, *, time_zone: str) -> LocalClock:
    """Hour of the day, weekday, day of the year and date in `time_zone` at each UTC time."""
    wall = local_wall_times(times, time_zone=time_zone)
    date = wall.astype("datetime64[D]")
    return LocalClock(
        hour_of_day=((wall - date).astype(np.int64) / MICROSECONDS_PER_HOUR).astype(np.float32),
        weekday=((date.astype(np.int64) + 3) % 7).astype(np.int32),
        day_of_year=((date - date.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int32) + 1),
        date=date,
    )


def same_wall_time_days_before(times: Times, *, days: int, time_zone: str) -> Times:
    """UTC time at which local clocks showed the same wall time `days` local days before each UTC time.

    A wall time that comes twice is taken with the offset of the time asked for if that fits, else the earlier one.
    A wall time that a clock change skips is shifted forward by the gap (02:30 becomes 03:30). `days` may be
    negative: days after. Shape of `times`, datetime64[us].

    >>> at = np.array(["2024-03-31T12:00"], dtype="datetime64[us]")  # 13:00 in London, summer time since 02:00
    >>> same_wall_time_days_before(at, days=1, time_zone="Europe/London")
    array(['2024-03-30T13:00:00.000000'], dtype='datetime64[us]')
    """
    utc = times.astype("datetime64[us]")
    offset = utc_offsets(utc, time_zone=time_zone)
    plain: Times = np.subtract(utc, days * DAY)
    changed = utc_offsets(plain, time_zone=time_zone) != offset
    if not changed.any():
        return plain
    result = plain.copy()
    result[changed] = _utc_of_wall(plain[changed] + offset[changed], time_zone=time_zone)
    return result


def bridge_days(dates: Days, *, holidays: Days) -> npt.NDArray[np.bool_]:
    """Whether each local day is a working day between a holiday and a weekend or another holiday, shape of `dates`.

    Working days are Monday to Friday, but for holidays. Both are datetime64[D].

    >>> ascension = np.array(["2024-05-09"], dtype="datetime64[D]")  # a Thursday
    >>> bridge_days(np.array(["2024-05-08", "2024-05-10"], dtype="datetime64[D]"), holidays=ascension)
    array([False,  True])
    """
    off_before, off, off_after = (~np.is_busday(dates + step * DAY, holidays=holidays) for step in (-1, 0, 1))
    bridges: npt.NDArray[np.bool_] = off_before & ~off & off_after
    return bridges


def lag_positions(times: Times, *, days: int, interval: timedelta, time_zone: str) -> npt.NDArray[np.int32]:
    """Position on the regular UTC grid `times` of the same local wall time `days` local days before, (time,).

    -1 where that lies before the grid. A wall time between two grid points (zones that change by half an hour)
    is taken at the grid point before it.
    """
    before = same_wall_time_days_before(times, days=days, time_zone=time_zone)
    steps = (before - times[0]) // np.timedelta64(interval)
    return np.where(steps < 0, -1, steps).astype(np.int32)


def _utc_of_wall(wall: Times, *, time_zone: str) -> Times:
    """UTC of wall times; of two the earlier, of none the one shifted forward by the gap."""
    early = utc_offsets(wall - DAY, time_zone=time_zone)
    late = utc_offsets(wall + DAY, time_zone=time_zone)
    with_early: Times = wall - early
    with_late: Times = wall - late
    fits_early = utc_offsets(with_early, time_zone=time_zone) == early
    fits_late = utc_offsets(with_late, time_zone=time_zone) == late
    only_late = fits_late & ~fits_early
    return np.where(only_late, with_late, with_early)
