"""Holidays of sources and places, and events, on their way from the settings to the forecast."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gridcast.domain.series import zones_to_system
from gridcast.domain.tables import EVENTS, HOLIDAYS, READINGS, SPECIAL_DAYS, WEATHER
from gridcast.features.day_calendar import DAY_TERMS
from gridcast.features.panel import panel_from_frames
from gridcast.features.windows import window_inputs
from gridcast.ingestion import raw
from gridcast.ingestion.public_holidays import Place
from gridcast.quality.limits import Limits
from gridcast.workflows.readings.prepare import Prepared, prepare
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.readings.rules import CleaningRules
from gridcast.workflows.readings.special_days import CalendarRules, days_between
from gridcast.workflows.readings.workspace import Workspace

HOUR = timedelta(hours=1)
BORDER = {"n_1": Place("AU", "NSW"), "n_2": Place("AU", "NSW"), "v_1": Place("AU", "VIC")}
CLOCKS = dict.fromkeys(BORDER, "Australia/Melbourne")


def events(*rows: tuple[date, date, str, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=EVENTS, orient="row")


def holidays(*days: date) -> pl.DataFrame:
    return pl.DataFrame([(day, "from a source") for day in days], schema=HOLIDAYS, orient="row")


def hours_between(start: datetime, end: datetime) -> pl.Series:
    return pl.datetime_range(start, end, "1h", eager=True)


def on(days: pl.DataFrame, day: date) -> list[tuple[str, str, str | None]]:
    return days.filter(date=day).select("kind", "name", "series_id").rows()


def test_series_have_the_holidays_of_their_place_beside_those_of_the_sources() -> None:
    days = CalendarRules(BORDER).special_days(holidays(date(2024, 1, 1), date(2023, 5, 5)), years=range(2024, 2025))
    assert days.schema == SPECIAL_DAYS
    assert on(days, date(2023, 5, 5)) == on(days, date(2024, 1, 1)) == [("holiday", "from a source", None)]
    assert on(days, date(2024, 11, 5)) == [("holiday", "Melbourne Cup Day", "v_1")]
    assert on(days, date(2024, 10, 7)) == [("holiday", "Labor Day", "n_1"), ("holiday", "Labor Day", "n_2")]
    assert days["date"].max() == date(2024, 12, 26)


def test_one_place_of_all_needs_no_ids() -> None:
    days = CalendarRules(dict.fromkeys(BORDER, Place("AU", "VIC"))).special_days(holidays(), years=range(2024, 2025))
    assert days.height == 13
    assert days["series_id"].null_count() == 13


def test_events_come_on_each_of_their_days_to_the_series_that_their_pattern_fits() -> None:
    rules = CalendarRules(
        dict.fromkeys(BORDER, Place()),
        events(
            (date(2024, 6, 30), date(2024, 7, 2), "a strike", "n_*"),
            (date(2024, 6, 30), date(2024, 6, 30), "final", "*"),
        ),
    )
    days = rules.special_days(holidays(), years=range(2024, 2025))
    assert days.height == 7
    assert on(days, date(2024, 6, 30)) == [
        ("event", "a strike", "n_1"),
        ("event", "a strike", "n_2"),
        ("event", "final", None),
    ]
    assert on(days, date(2024, 7, 2)) == [("event", "a strike", "n_1"), ("event", "a strike", "n_2")]


def test_days_between_are_those_asked_for_with_the_bridge_days_of_each_place() -> None:
    days = CalendarRules(BORDER).special_days(holidays(), years=range(2024, 2025))
    found = days_between(days, time_zones=CLOCKS, start=date(2024, 11, 4), end=date(2024, 12, 25))
    bridges = found.filter(kind="bridge").select("date", "series_id").rows()
    assert bridges == [(date(2024, 11, 4), "v_1")]
    own = days_between(days, time_zones={"v_1": CLOCKS["v_1"]}, start=date(2024, 11, 4), end=date(2024, 11, 5))
    assert own.select("kind", "series_id").rows() == [("bridge", None), ("holiday", "v_1")]


def test_two_states_see_their_own_holidays_in_one_forecast_beyond_the_end_of_the_history() -> None:
    days = CalendarRules(BORDER).special_days(holidays(), years=range(2023, 2026))
    hours = hours_between(datetime(2024, 10, 1, 14, tzinfo=UTC), datetime(2024, 11, 3, 12, tzinfo=UTC))
    readings = pl.DataFrame({"series_id": list(BORDER)}).join(pl.DataFrame({"valid_time": hours}), how="cross")
    panel = panel_from_frames(
        readings.with_columns(load_mw=1.0),
        weather=WEATHER.to_frame(),
        holidays=days,
        time_zones=CLOCKS,
        interval=HOUR,
        series_ids=tuple(BORDER),
        until=datetime(2024, 11, 6, 13, tzinfo=UTC),
    )
    origin = panel.index_of(datetime(2024, 11, 3, 13, tzinfo=UTC))  # Monday, 4 November begins in Melbourne
    inputs = window_inputs(panel, series=[0, 1, 2], origin=[origin] * 3, leads=72)
    by_day = inputs["holiday"].reshape(3, 3, 24, len(DAY_TERMS)).mean(axis=2)
    assert not by_day[:2, :, :5].any()
    np.testing.assert_array_equal(by_day[2, :, :5], [[0, 0, 1, 1, 0], [1, 0, 0, 0, 0], [0, 1, 0, 0, 0]])


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A day of readings of one zone at the end of 2024."""
    made = Workspace(tmp_path / "data")
    hours = hours_between(datetime(2024, 12, 30, tzinfo=UTC), datetime(2024, 12, 31, tzinfo=UTC))
    rows = pl.DataFrame({"series_id": "v_1", "valid_time": hours, "load_mw": 1.0, "available_at": hours + HOUR})
    raw.write_source(made.raw, source="test", readings=rows.cast(READINGS), holidays=holidays(date(2019, 1, 1)))
    return made


def prepared(workspace: Workspace, calendar: CalendarRules | None = None) -> Prepared:
    since = raw.first_readings(workspace.raw)
    rules = CleaningRules(HOUR, Limits(), zones_to_system(["v_1"], time_zone="Australia/Melbourne"), since)
    return prepare(workspace, rules=rules, calendar=calendar, block_rows=4_000, run_batch=lambda _job: {})


def test_the_history_is_prepared_anew_when_its_calendar_changes(workspace: Workspace) -> None:
    places = {"v_1": Place("AU", "VIC")}
    strike = events((date(2024, 12, 30), date(2024, 12, 30), "a strike", "v_1"))
    calendars = [None, None, CalendarRules(places), CalendarRules(places, strike), CalendarRules(places, strike)]
    done = [prepared(workspace, each) for each in calendars]
    assert [each.was_reused for each in done] == [False, True, False, False, True]
    assert len({each.processed.fingerprint for each in done}) == 3


def test_a_prepared_history_knows_the_holidays_of_the_years_around_it(workspace: Workspace) -> None:
    prepared(workspace, CalendarRules({"v_1": Place("AU", "VIC")}))
    days = Processed.open(workspace.processed).holidays()
    assert on(days, date(2019, 1, 1)) == [("holiday", "from a source", None)]
    assert on(days, date(2023, 12, 26)) == [("holiday", "Boxing Day", None)]
    assert on(days, date(2025, 1, 1)) == [("holiday", "New Year's Day", None)]
    assert days["date"].max() >= date(2029, 12, 25)
