from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridcast.domain.calendars import interval_start
from gridcast.domain.tables import UTC_TIME
from gridcast.features.station_mix import mean_over_stations, on_grid

START = datetime(2024, 3, 30, 20, tzinfo=UTC)
ZONES = ("Europe/London", "America/New_York", "Australia/Melbourne", "Asia/Kolkata")


def temperatures(values: list[float], *, every: timedelta, start: datetime = START) -> pl.DataFrame:
    times = pl.Series([start + every * step for step in range(len(values))], dtype=UTC_TIME)
    return pl.DataFrame({"valid_time": times, "temperature_c": values})


def test_the_mix_is_the_mean_of_the_stations_that_reported() -> None:
    weather = pl.DataFrame(
        {
            "station_id": ["a", "b", "a", "b"],
            "valid_time": [START, START, START + timedelta(hours=1)] * 1 + [START],
            "temperature_c": [1.0, 3.0, 5.0, None],
        }
    )
    assert mean_over_stations(weather)["temperature_c"].to_list() == [2.0, 5.0]


def test_hourly_weather_is_interpolated_for_quarter_hours() -> None:
    fine = on_grid(
        temperatures([10.0, 14.0], every=timedelta(hours=1)), interval=timedelta(minutes=15), time_zone="Europe/London"
    )
    assert fine["temperature_c"].to_list() == [10.0, 11.0, 12.0, 13.0, 14.0]


def test_finer_weather_is_averaged() -> None:
    hourly = on_grid(
        temperatures([1.0, 2.0, 3.0, 4.0, 9.0], every=timedelta(minutes=15)),
        interval=timedelta(hours=1),
        time_zone="Europe/London",
    )
    assert hourly["temperature_c"].to_list() == [2.5, 9.0]


def test_temperatures_hours_apart_are_not_joined_by_a_line() -> None:
    gap = temperatures([1.0, 2.0], every=timedelta(hours=4))
    filled = on_grid(gap, interval=timedelta(hours=1), time_zone="Europe/London")
    assert filled.equals(gap)


@pytest.mark.parametrize("zone", ZONES)
def test_weather_of_whole_utc_hours_lies_on_the_local_grid_over_a_clock_change(zone: str) -> None:
    weather = temperatures([float(step) for step in range(48)], every=timedelta(hours=1))
    hourly = on_grid(weather, interval=timedelta(hours=1), time_zone=zone)
    assert hourly.height == 48
    for time in hourly["valid_time"]:
        assert interval_start(time, interval=timedelta(hours=1), time_zone=zone) == time


@given(st.integers(0, 6 * 365 * 24 * 60), st.sampled_from(ZONES), st.sampled_from([5, 15, 30, 60]))
def test_a_moment_lies_in_its_interval(minute: int, zone: str, minutes: int) -> None:
    interval, utc = timedelta(minutes=minutes), datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    start = interval_start(utc, interval=interval, time_zone=zone)
    assert start <= utc < start + interval
    assert interval_start(start, interval=interval, time_zone=zone) == start
