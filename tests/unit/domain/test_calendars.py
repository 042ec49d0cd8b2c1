"""Local calendars and day lags over clock changes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridcast.domain.calendars import (
    bridge_days,
    lag_positions,
    local_clock,
    local_wall_times,
    same_wall_time_days_before,
)

ZONES = ("Europe/London", "America/New_York", "Australia/Melbourne", "Asia/Kolkata")
HOUR = timedelta(hours=1)


def utc_array(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[us]")


def hours(start: str, count: int) -> np.ndarray:
    return np.datetime64(start, "us") + np.arange(count) * np.timedelta64(HOUR)


@pytest.mark.parametrize(
    ("zone", "at", "before"),
    [
        pytest.param("Europe/London", "2024-03-31T12:00", "2024-03-30T13:00", id="London: 13:00 over a 23-hour day"),
        pytest.param("Europe/London", "2024-10-27T12:00", "2024-10-26T11:00", id="London: noon over a 25-hour day"),
        pytest.param(
            "America/New_York", "2024-03-11T16:00", "2024-03-10T16:00", id="New York: the day after it is 24 h"
        ),
        pytest.param(
            "America/New_York", "2024-03-10T16:00", "2024-03-09T17:00", id="New York: noon over a 23-hour day"
        ),
        pytest.param(
            "America/New_York", "2024-11-03T17:00", "2024-11-02T16:00", id="New York: noon over a 25-hour day"
        ),
        pytest.param("Australia/Melbourne", "2024-10-06T01:00", "2024-10-05T02:00", id="Melbourne: noon over 23 hours"),
        pytest.param("Australia/Melbourne", "2024-04-07T02:00", "2024-04-06T01:00", id="Melbourne: noon over 25 hours"),
        pytest.param("Asia/Kolkata", "2024-03-31T12:00", "2024-03-30T12:00", id="Kolkata never changes its clocks"),
    ],
)
def test_a_local_day_back_keeps_the_wall_time(zone: str, at: str, before: str) -> None:
    assert same_wall_time_days_before(utc_array(at), days=1, time_zone=zone) == utc_array(before)


def test_a_wall_time_the_clocks_skip_is_shifted_forward_by_the_gap() -> None:
    half_past_one_on_monday = utc_array("2024-04-01T00:30")
    shifted = same_wall_time_days_before(half_past_one_on_monday, days=1, time_zone="Europe/London")
    assert local_wall_times(shifted, time_zone="Europe/London") == utc_array("2024-03-31T02:30")


@pytest.mark.parametrize(
    ("at", "before"),
    [
        pytest.param("2024-10-28T01:30", "2024-10-27T01:30", id="from winter time: the second, in winter time"),
        pytest.param("2025-04-05T00:30", "2024-10-27T00:30", id="from summer time: the first, in summer time"),
    ],
)
def test_of_a_wall_time_that_comes_twice_the_one_with_the_same_offset_is_taken(at: str, before: str) -> None:
    days = int((np.datetime64(at, "D") - np.datetime64(before, "D")).astype(int))
    assert same_wall_time_days_before(utc_array(at), days=days, time_zone="Europe/London") == utc_array(before)


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    at=st.integers(0, 7 * 365 * 48).map(lambda half_hours: datetime(2020, 1, 1, tzinfo=UTC) + HOUR / 2 * half_hours),
    days=st.integers(1, 28),
)
def test_the_wall_time_agrees_with_the_standard_library(zone: str, at: datetime, days: int) -> None:
    local = at.astimezone(ZoneInfo(zone))
    wanted = (local.replace(tzinfo=None) - timedelta(days=days)).replace(tzinfo=ZoneInfo(zone))
    candidates = {wanted.replace(fold=fold).astimezone(UTC).replace(tzinfo=None) for fold in (0, 1)}
    found = same_wall_time_days_before(
        np.array([at.replace(tzinfo=None)], dtype="datetime64[us]"), days=days, time_zone=zone
    )[0].item()
    assert found in candidates
    assert found < at.replace(tzinfo=None)


@pytest.mark.parametrize(
    ("zone", "start", "length"),
    [
        pytest.param("Europe/London", "2024-03-31T00:00", 23, id="London in spring"),
        pytest.param("Europe/London", "2024-10-26T23:00", 25, id="London in autumn"),
        pytest.param("America/New_York", "2024-03-10T05:00", 23, id="New York in spring"),
        pytest.param("America/New_York", "2024-11-03T04:00", 25, id="New York in autumn"),
        pytest.param("Australia/Melbourne", "2024-10-05T14:00", 23, id="Melbourne in spring"),
        pytest.param("Australia/Melbourne", "2024-04-06T13:00", 25, id="Melbourne in autumn"),
    ],
)
def test_a_local_day_has_as_many_hours_as_the_clocks_give_it(zone: str, start: str, length: int) -> None:
    clock = local_clock(hours(start, 26), time_zone=zone)
    assert (clock.date == clock.date[0]).sum() == length
    assert clock.hour_of_day[0] == 0.0
    assert clock.hour_of_day[length] == 0.0


def test_the_clock_tells_half_hours_weekday_and_day_of_the_year() -> None:
    clock = local_clock(utc_array("2024-12-31T20:00"), time_zone="Asia/Kolkata")
    assert clock.hour_of_day[0] == 1.5
    assert clock.weekday[0] == 2  # 1 January 2025 is a Wednesday
    assert clock.day_of_year[0] == 1
    assert clock.date[0] == np.datetime64("2025-01-01")


def test_positions_before_the_grid_are_minus_one() -> None:
    grid = hours("2024-03-29T00:00", 96)
    lag = lag_positions(grid, days=1, interval=HOUR, time_zone="Europe/London")
    assert (lag[:24] == -1).all()
    assert lag[24] == 0
    assert lag[72] == 49  # 1 April, 01:00 local summer time, to 01:00 on 31 March, which the clocks skipped


@pytest.mark.parametrize("zone", ZONES)
def test_every_lag_lies_in_the_past_and_keeps_its_wall_time_outside_the_gap(zone: str) -> None:
    grid = hours("2024-01-01T00:00", 366 * 24)
    lag = lag_positions(grid, days=7, interval=HOUR, time_zone=zone)
    known = lag >= 0
    assert (lag < np.arange(len(grid)))[known].all()
    hour = local_clock(grid, time_zone=zone).hour_of_day
    same = hour[known] == hour[lag[known]]
    assert (~same).sum() <= 1


def days_of(year: int) -> np.ndarray:
    return np.arange(f"{year}-01-01", f"{year + 1}-01-01", dtype="datetime64[D]")


@pytest.mark.parametrize(
    ("year", "holidays", "bridges"),
    [
        pytest.param(
            2024,
            ["01-01", "03-29", "04-01", "05-01", "05-09", "05-20", "10-03", "12-25", "12-26"],
            ["05-10", "10-04", "12-27"],
            id="Germany 2024: the Fridays after Ascension, Unity Day and the second day of Christmas",
        ),
        pytest.param(
            2025,
            ["01-01", "04-18", "04-21", "05-01", "05-29", "06-09", "10-03", "12-25", "12-26"],
            ["05-02", "05-30"],
            id="Germany 2025: after Labour Day and Ascension; 2 January, a Thursday, is not enclosed",
        ),
        pytest.param(2018, ["12-25", "12-26", "01-01"], ["12-24", "12-31"], id="Mondays before a Tuesday holiday"),
        pytest.param(2023, ["12-25", "12-26", "12-28"], ["12-27", "12-29"], id="a day between two holidays"),
        pytest.param(2022, ["12-25", "12-31", "01-01"], [], id="holidays on a weekend bridge nothing"),
    ],
)
def test_bridge_days_lie_between_a_holiday_and_a_weekend_or_another_holiday(
    year: int, holidays: list[str], bridges: list[str]
) -> None:
    days = days_of(year)
    off = [f"{year}-{each}" for each in holidays] + [f"{year + 1}-01-01"]
    found = days[bridge_days(days, holidays=np.array(off, dtype="datetime64[D]"))]
    assert found.astype(str).tolist() == [f"{year}-{each}" for each in bridges]


@given(st.sets(st.integers(0, 27), max_size=9))
def test_a_bridge_day_is_worked_and_both_its_neighbours_are_not(holidays: set[int]) -> None:
    days = np.datetime64("2024-01-01") + np.arange(28)  # the first is a Monday
    off = {each for each in range(-1, 29) if each % 7 > 4} | holidays
    expected = [day not in off and {day - 1, day + 1} <= off for day in range(28)]
    assert bridge_days(days, holidays=days[sorted(holidays)]).tolist() == expected
