"""Local calendars of a UTC grid, one for all series with the same clock and special days: clock, days and day lags."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gridcast.domain.calendars import bridge_days, lag_positions, local_clock
from gridcast.domain.tables import SPECIAL_DAYS, DayKind

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

LAG_DAYS = (1, 2, 3, 4, 5, 6, 7, 8, 14, 21, 28)
"""Local-day lags a calendar knows; enough for horizons of a week and references of four."""
DAY_TERMS = ("holiday", "day_before", "day_after", "bridge", "event", "nearness")
"""What a local day can be: a holiday; a day after one ("the day before is"); a day before one ("the day after is"); a
working day between a holiday and a weekend or another holiday; the day of a one-off event; and how near it is to
holidays, see `holiday_nearness`."""
REFERENCE_DAY_TERMS = ("holiday", "nearness")
"""Those that are told of reference days."""
NEAR_DAYS = 14
NEARNESS_FADES_DAYS = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class DayCalendar:
    """Calendar terms; the first axis, zone, is a row for each `LocalCalendar`.

    Attributes:
        hour_of_day: (zone, time), hours since local midnight.
        weekday: (zone, time), Monday is 0.
        day_of_year: (zone, time), the first of January is 1.
        holiday: (zone, time, term): what the local day is, see `DAY_TERMS`; 0 or 1, but for the last.
        lag: (zone, lag, time): position of the same wall time `LAG_DAYS[lag]` days before, -1 before the grid.
    """

    hour_of_day: Floats
    weekday: Ints
    day_of_year: Ints
    holiday: Floats
    lag: Ints


_REACH = np.timedelta64(NEAR_DAYS + 1, "D")
"""Local days are up to one off those of UTC, and a day depends on holidays as near as that."""


class LocalCalendar(NamedTuple):
    """Where people live by the same clock and have the same special days, local dates in order."""

    time_zone: str
    holidays: tuple[date, ...] = ()
    events: tuple[date, ...] = ()


def local_calendars(
    time_zones: Mapping[str, str], *, special_days: pl.DataFrame | None, time: npt.NDArray[np.datetime64]
) -> dict[str, LocalCalendar]:
    """The calendar of every series for as long as `time` lasts.

    Args:
        time_zones: series id → IANA zone.
        special_days: `SPECIAL_DAYS`; plain `HOLIDAYS` are holidays of every series. Those in reach of `time` count.
        time: UTC, in order.
    """
    first, last = time[[0, -1]].astype("datetime64[D]")
    given = SPECIAL_DAYS.to_frame() if special_days is None else special_days
    days = pl.concat([SPECIAL_DAYS.to_frame(), given], how="diagonal").filter(
        pl.col("date").is_between(first - _REACH, last + _REACH),
        pl.col("series_id").is_null() | pl.col("series_id").is_in(list(time_zones)),
    )
    is_event = pl.col("kind").fill_null(DayKind.HOLIDAY.value) == DayKind.EVENT.value
    dates = (pl.col("date").filter(kind).alias(name) for name, kind in (("holidays", ~is_event), ("events", is_event)))
    found = {row[0]: row[1:] for row in days.group_by("series_id").agg(*dates).iter_rows()}
    nothing: tuple[list[date], ...] = ([], [])
    common = found.get(None, nothing)
    calendars = {}
    for series_id, name in time_zones.items():
        both = zip(common, found.get(series_id, nothing), strict=True)
        calendars[series_id] = LocalCalendar(name, *(tuple(sorted({*everybody, *own})) for everybody, own in both))
    return calendars


def day_calendar(
    time: npt.NDArray[np.datetime64], *, calendars: Sequence[LocalCalendar], interval: timedelta
) -> DayCalendar:
    """Calendar terms of the regular UTC grid `time` in each of `calendars`."""
    clocks = {name: local_clock(time, time_zone=name) for name in {calendar.time_zone for calendar in calendars}}
    lags = {
        name: np.stack([lag_positions(time, days=days, interval=interval, time_zone=name) for days in LAG_DAYS])
        for name in clocks
    }
    own = [clocks[calendar.time_zone] for calendar in calendars]
    return DayCalendar(
        hour_of_day=np.stack([clock.hour_of_day for clock in own]),
        weekday=np.stack([clock.weekday for clock in own]),
        day_of_year=np.stack([clock.day_of_year for clock in own]),
        holiday=np.stack(
            [day_terms(clock.date, calendar=calendar) for clock, calendar in zip(own, calendars, strict=True)]
        ),
        lag=np.stack([lags[calendar.time_zone] for calendar in calendars]),
    )


def day_terms(days: npt.NDArray[np.datetime64], *, calendar: LocalCalendar) -> Floats:
    """What local days of a calendar are: (day,) → (day, term), see `DAY_TERMS`."""
    one = np.timedelta64(1, "D")
    holidays, events = (np.array(each, dtype="datetime64[D]") for each in (calendar.holidays, calendar.events))
    near = [np.isin(day, holidays) for day in (days, days - one, days + one)]
    terms = [*near, bridge_days(days, holidays=holidays), np.isin(days, events), holiday_nearness(days, holidays)]
    return np.stack(terms, axis=-1).astype(np.float32)


def holiday_nearness(days: npt.NDArray[np.datetime64], holidays: npt.NDArray[np.datetime64]) -> Floats:
    """How near days are to other days that are holidays: (day,) → (day,), 0 where none is within `NEAR_DAYS`.

    The sum of exp(−distance / 3 days): high between Christmas and the New Year, when offices and works stand still.

    >>> days = np.array(["2024-12-27", "2024-12-28"], dtype="datetime64[D]")
    >>> holiday_nearness(days, np.array(["2024-12-25", "2024-12-26", "2025-01-01"], dtype="datetime64[D]")).round(2)
    array([1.42, 1.14], dtype=float32)
    """
    asked, place = np.unique(days, return_inverse=True)
    apart = np.abs((asked[:, np.newaxis] - np.unique(holidays)[np.newaxis, :]).astype(np.int64))
    near = np.where((apart > 0) & (apart <= NEAR_DAYS), np.exp(-apart / NEARNESS_FADES_DAYS), 0.0).sum(axis=1)
    nearness: Floats = near[place].astype(np.float32)
    return nearness
