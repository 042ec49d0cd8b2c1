"""Weather on the grid of the loads, vintage by vintage."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridcast.domain.calendars import interval_start
from gridcast.domain.tables import WEATHER
from gridcast.features.weather_grid import VINTAGE, mean_over_stations, on_grid

START = datetime(2024, 3, 30, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)
ZONES = ("Europe/London", "America/New_York", "Australia/Melbourne", "Asia/Kolkata")


def observed(
    values: list[float | None], *, every: timedelta = HOUR, start: datetime = START, station: str = "a"
) -> pl.DataFrame:
    """One temperature after the other, each available when its interval has ended."""
    times = [start + every * step for step in range(len(values))]
    rows = [(station, at, value, at + every) for at, value in zip(times, values, strict=True)]
    return pl.DataFrame(rows, schema=WEATHER, orient="row")


def forecast(values: list[float], *, issued: datetime, every: timedelta = HOUR, station: str = "a") -> pl.DataFrame:
    """Temperatures from one moment on, all available then."""
    return observed(values, every=every, start=issued, station=station).with_columns(
        pl.lit(issued, dtype=WEATHER["available_at"]).alias("available_at")
    )


def gridded(weather: pl.DataFrame, *, interval: timedelta, zone: str = "Europe/London") -> pl.DataFrame:
    return on_grid(weather, interval=interval, time_zone=zone)


def test_weather_at_the_interval_of_the_loads_stays_as_it_is() -> None:
    weather = pl.concat(
        [
            forecast([9.0, 8.0, 7.0], issued=START - HOUR),
            forecast([8.5, 7.5], issued=START),
            observed([8.2, 7.1, 6.0]),
            observed([1.0, 2.0], station="b"),
        ]
    )
    assert gridded(weather, interval=HOUR).equals(weather.sort(VINTAGE))


def test_hourly_weather_is_interpolated_for_quarter_hours_and_known_once_both_ends_are() -> None:
    fine = gridded(observed([10.0, 14.0]), interval=QUARTER)
    assert fine["temperature_c"].to_list() == [10.0, 11.0, 12.0, 13.0, 14.0]
    assert fine["available_at"].to_list() == [START + HOUR, *[START + 2 * HOUR] * 4]


def test_finer_weather_is_averaged_and_known_once_the_last_part_is() -> None:
    hourly = gridded(observed([1.0, 2.0, 3.0, 4.0, 9.0], every=QUARTER), interval=HOUR)
    assert hourly["temperature_c"].to_list() == [2.5, 9.0]
    assert hourly["available_at"].to_list() == [START + HOUR, START + 5 * QUARTER]


def test_a_forecast_is_interpolated_within_itself_and_stays_known_from_its_issue() -> None:
    weather = pl.concat([forecast([4.0, 8.0], issued=START), observed([5.0, 5.0])])
    fine = gridded(weather, interval=timedelta(minutes=30))
    early = fine.filter(pl.col("available_at") == START)
    assert early["temperature_c"].to_list() == [4.0, 6.0, 8.0]
    assert fine.filter(pl.col("available_at") > START)["temperature_c"].to_list() == [5.0, 5.0, 5.0]


def test_temperatures_hours_apart_are_not_joined_by_a_line() -> None:
    gap = observed([1.0, 2.0], every=timedelta(hours=4))
    assert gridded(gap, interval=HOUR)["temperature_c"].to_list() == [1.0, 2.0]


def test_a_row_that_came_twice_counts_once_and_the_last_one_wins() -> None:
    weather = pl.concat([observed([1.0]), observed([3.0])])
    assert gridded(weather, interval=HOUR)["temperature_c"].to_list() == [3.0]


def test_no_weather_is_no_weather() -> None:
    nothing = gridded(WEATHER.to_frame(), interval=HOUR)
    assert nothing.is_empty()
    assert nothing.schema == WEATHER
    assert mean_over_stations(nothing).is_empty()


@pytest.mark.parametrize("zone", ZONES)
def test_weather_of_whole_utc_hours_lies_on_the_local_grid_over_a_clock_change(zone: str) -> None:
    weather = observed([float(step) for step in range(48)])
    hourly = gridded(weather, interval=HOUR, zone=zone)
    assert hourly["valid_time"].n_unique() == 48
    for time in hourly["valid_time"]:
        assert interval_start(time, interval=HOUR, time_zone=zone) == time


@given(st.integers(0, 6 * 365 * 24 * 60), st.sampled_from(ZONES), st.sampled_from([5, 15, 30, 60]))
def test_a_moment_lies_in_its_interval(minute: int, zone: str, minutes: int) -> None:
    interval, utc = timedelta(minutes=minutes), datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    start = interval_start(utc, interval=interval, time_zone=zone)
    assert start <= utc < start + interval
    assert interval_start(start, interval=interval, time_zone=zone) == start


def test_the_mean_to_look_at_is_that_of_the_newest_vintages_of_the_stations_that_reported() -> None:
    weather = pl.concat(
        [
            forecast([90.0, 90.0, 7.0], issued=START),
            observed([1.0, 5.0]),
            observed([3.0, None], station="b"),
        ]
    )
    assert mean_over_stations(weather)["temperature_c"].to_list() == [2.0, 5.0, 7.0]
