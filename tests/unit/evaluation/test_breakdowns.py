"""Scores fall into the group that local clocks and calendars say, and every group is a scorecard of its own."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from support.scored_frames import scored_frame

from gridcast.domain.dimensions import Dimension
from gridcast.domain.tables import UTC_TIME
from gridcast.evaluation.dimensions import ORDERS, SEASONS, SeriesFacts, with_dimensions
from gridcast.evaluation.scorecard import breakdowns, broken_down, scorecard

ZONES = {"system": "Europe/London", "zone_01": "Asia/Kolkata"}
LEVELS = {"system": "system", "zone_01": "zone"}
HOLIDAYS = pl.DataFrame({"series_id": ["system"], "date": [date(2024, 6, 2)]})
FACTS = SeriesFacts(ZONES, LEVELS, HOLIDAYS)


def at(valid: datetime, *, series_id: str = "zone", time_zone: str, holidays: pl.DataFrame = HOLIDAYS) -> pl.DataFrame:
    times = {"issue_time": valid - timedelta(hours=1), "valid_time": valid}
    frame = pl.DataFrame({"series_id": series_id, **times}).cast(dict.fromkeys(times, UTC_TIME))
    return with_dimensions(frame, facts=SeriesFacts({series_id: time_zone}, {series_id: "zone"}, holidays))


@pytest.mark.parametrize(
    ("valid", "time_zone", "hour", "weekday"),
    [
        pytest.param((2024, 3, 31, 0), "Europe/London", "00", "Sunday", id="London, before the change in spring"),
        pytest.param((2024, 3, 31, 1), "Europe/London", "02", "Sunday", id="London, an hour later"),
        pytest.param((2024, 3, 31, 23), "Europe/London", "00", "Monday", id="London, the day had 23 hours"),
        pytest.param((2024, 10, 27, 0), "Europe/London", "01", "Sunday", id="London, autumn, first pass"),
        pytest.param((2024, 10, 27, 1), "Europe/London", "01", "Sunday", id="London, autumn, second pass"),
        pytest.param((2024, 10, 27, 23), "Europe/London", "23", "Sunday", id="London, the day had 25 hours"),
        pytest.param((2024, 11, 3, 4), "America/New_York", "00", "Sunday", id="New York"),
        pytest.param((2024, 11, 4, 4), "America/New_York", "23", "Sunday", id="New York, after the change"),
        pytest.param((2024, 4, 6, 13), "Australia/Melbourne", "00", "Sunday", id="Melbourne, a day ahead of UTC"),
        pytest.param((2024, 6, 2, 18, 30), "Asia/Kolkata", "00", "Monday", id="Kolkata, half an hour off"),
    ],
)
def test_hour_and_weekday_are_those_of_the_local_clock(valid, time_zone, hour, weekday) -> None:
    row = at(datetime(*valid, tzinfo=UTC), time_zone=time_zone).row(0, named=True)
    assert (row["hour"], row["weekday"]) == (hour, weekday)


@pytest.mark.parametrize(
    ("valid", "time_zone", "season"),
    [
        pytest.param((2024, 12, 1, 0), "Europe/London", "Dec–Feb", id="December"),
        pytest.param((2025, 2, 28, 23), "Europe/London", "Dec–Feb", id="end of February"),
        pytest.param((2024, 2, 29, 23), "Australia/Melbourne", "Mar–May", id="March has begun in Melbourne"),
        pytest.param((2024, 8, 31, 23), "Europe/London", "Sep–Nov", id="and September in London's summer time"),
        pytest.param((2024, 9, 1, 3), "America/New_York", "Jun–Aug", id="but not in New York"),
    ],
)
def test_seasons_change_at_local_midnight_and_go_by_months_not_by_hemisphere(valid, time_zone, season) -> None:
    assert at(datetime(*valid, tzinfo=UTC), time_zone=time_zone)["season"].item() == season


def test_a_holiday_is_a_local_day_of_its_own_series() -> None:
    days = [(2024, 6, 1, 22), (2024, 6, 1, 23), (2024, 6, 2, 22), (2024, 6, 2, 23)]
    kinds = [
        at(datetime(*day, tzinfo=UTC), series_id="system", time_zone="Europe/London")["holiday"].item() for day in days
    ]
    assert kinds == ["ordinary day", "holiday", "holiday", "ordinary day"]
    other = at(datetime(2024, 6, 2, 12, tzinfo=UTC), series_id="zone_01", time_zone="Europe/London")
    assert other["holiday"].item() == "ordinary day"


@settings(max_examples=30, deadline=None)
@given(hours=st.integers(0, 3 * 365 * 24), time_zone=st.sampled_from([*ZONES.values(), "America/New_York"]))
def test_every_moment_has_a_value_that_reading_order_knows(hours: int, time_zone: str) -> None:
    row = at(datetime(2023, 1, 1, tzinfo=UTC) + timedelta(hours=hours), time_zone=time_zone).row(0, named=True)
    for name, values in ORDERS.items():
        assert row[name] in values
    assert row["hour"] in {f"{hour:02d}" for hour in range(24)}


def test_rows_keep_their_order_and_a_holiday_named_twice_doubles_none() -> None:
    frame = scored_frame().sample(fraction=1.0, shuffle=True, seed=1)
    derived = with_dimensions(frame, facts=SeriesFacts(ZONES, LEVELS, pl.concat([HOLIDAYS, HOLIDAYS])))
    assert_frame_equal(derived.select(frame.columns), frame)


@pytest.mark.parametrize("by", list(Dimension))
def test_each_dimension_is_the_scorecard_of_its_column(by: Dimension) -> None:
    frame, scales = scored_frame(), {"system": 5.0, "zone_01": 7.0}
    table = broken_down(breakdowns(frame, facts=FACTS, scales_mw=scales), by=by)
    expected = scorecard(with_dimensions(frame, facts=FACTS), by=[by], scales_mw=scales)
    assert_frame_equal(table, expected, check_row_order=True)
    assert table["mase"].null_count() == 0


def test_everything_pooled_comes_first_and_every_dimension_holds_every_point_once() -> None:
    table = breakdowns(scored_frame(), facts=FACTS, scales_mw={}).filter(pl.col("forecaster") == "model")
    assert table.row(0, named=True)["value"] == "all"
    assert table["dimension"].unique(maintain_order=True).to_list() == ["all", *Dimension]
    assert table.group_by("dimension").agg(pl.col("n").sum())["n"].unique().to_list() == [288]


def test_values_come_in_reading_order() -> None:
    frame = scored_frame("model").with_columns(
        pl.col("issue_time", "valid_time") + pl.duration(days=pl.int_range(pl.len()) % 360)
    )
    table = breakdowns(frame, facts=FACTS, scales_mw={})
    seasons = broken_down(table, by=Dimension.SEASON)["season"].to_list()
    assert seasons == list(SEASONS)
    weekdays = broken_down(table, by=Dimension.WEEKDAY)["weekday"].to_list()
    assert (weekdays[0], weekdays[-1], len(weekdays)) == ("Monday", "Sunday", 7)
    assert broken_down(table, by=Dimension.LEVEL)["level"].to_list() == ["system", "zone"]
    assert broken_down(table, by=Dimension.HOUR)["hour"].to_list() == [f"{hour:02d}" for hour in range(24)]
