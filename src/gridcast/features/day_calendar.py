"""Local calendar of a UTC grid, for every time zone of a panel: clock, holidays and day lags."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from gridcast.domain.calendars import lag_positions, local_clock

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

LAG_DAYS = (1, 2, 3, 4, 5, 6, 7, 8, 14, 21, 28)
"""Local-day lags a calendar knows; enough for horizons of a week and references of four."""


@dataclass(frozen=True, slots=True, eq=False)
class DayCalendar:
    """Calendar terms, the first axis being the time zone.

    Attributes:
        hour_of_day: (zone, time), hours since local midnight.
        weekday: (zone, time), Monday is 0.
        day_of_year: (zone, time), the first of January is 1.
        holiday: (zone, time, 3): 1 if the local day, the day before, the day after is a holiday.
        lag: (zone, lag, time): position of the same wall time `LAG_DAYS[lag]` days before, -1 before the grid.
    """

    hour_of_day: Floats
    weekday: Ints
    day_of_year: Ints
    holiday: Floats
    lag: Ints


def day_calendar(
    time: npt.NDArray[np.datetime64], *, time_zones: Sequence[str], holidays: pl.DataFrame | None, interval: timedelta
) -> DayCalendar:
    """Calendar terms of the regular UTC grid `time` in each of `time_zones`."""
    clocks = [local_clock(time, time_zone=zone) for zone in time_zones]
    lags = [
        [lag_positions(time, days=days, interval=interval, time_zone=zone) for days in LAG_DAYS] for zone in time_zones
    ]
    days = np.array([] if holidays is None else holidays["date"].to_numpy(), dtype="datetime64[D]")
    return DayCalendar(
        hour_of_day=np.stack([clock.hour_of_day for clock in clocks]),
        weekday=np.stack([clock.weekday for clock in clocks]),
        day_of_year=np.stack([clock.day_of_year for clock in clocks]),
        holiday=np.stack([_holiday_flags(clock.date, days) for clock in clocks]),
        lag=np.stack([np.stack(rows) for rows in lags]),
    )


def _holiday_flags(date: npt.NDArray[np.datetime64], holidays: npt.NDArray[np.datetime64]) -> Floats:
    one = np.timedelta64(1, "D")
    flags = [np.isin(day, holidays) for day in (date, date - one, date + one)]
    return np.stack(flags, axis=-1).astype(np.float32)
