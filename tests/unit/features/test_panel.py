"""Panels: frames on a regular grid."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from gridcast.domain.errors import GridcastError
from gridcast.features.panel import Panel, panel_from_frames
from gridcast.features.temperature_terms import TEMPERATURE_TERMS, temperature_terms, trailing_mean

HOUR = timedelta(hours=1)
START = datetime(2024, 3, 1, tzinfo=UTC)


def frame(values: dict[int, float | None], *, column: str, start: datetime = START, **fixed: str) -> pl.DataFrame:
    times = pl.Series([start + HOUR * step for step in values], dtype=pl.Datetime("us", "UTC"))
    columns = {name: [text] * len(values) for name, text in fixed.items()}
    return pl.DataFrame({**columns, "valid_time": times, column: pl.Series(list(values.values()), dtype=pl.Float64)})


def panel(
    loads: dict[str, dict[int, float | None]],
    temperatures: dict[int, float | None],
    *,
    zone: str = "Europe/London",
    holidays: pl.DataFrame | None = None,
    until: datetime | None = None,
) -> Panel:
    readings = pl.concat([frame(values, column="load_mw", series_id=name) for name, values in loads.items()])
    return panel_from_frames(
        readings,
        weather=frame(temperatures, column="temperature_c"),
        holidays=holidays,
        time_zones=dict.fromkeys(loads, zone),
        interval=HOUR,
        series_ids=tuple(loads),
        until=until,
    )


def test_the_grid_spans_readings_and_weather_and_what_is_unknown_is_nan() -> None:
    made = panel({"a": {0: 1.0, 2: 3.0}, "b": {1: 5.0, 2: None}}, {1: 10.0, 4: 12.0})
    nan = np.nan
    np.testing.assert_array_equal(made.load_mw, [[1, nan, 3, nan, nan], [nan, 5, nan, nan, nan]])
    np.testing.assert_array_equal(made.temperature_c, [[nan, 10, nan, nan, 12]])
    assert made.time[0] == np.datetime64("2024-03-01T00:00")
    assert made.end == START + 5 * HOUR


def test_weather_before_the_first_reading_and_rows_after_until_are_left_out() -> None:
    made = panel({"a": {2: 1.0, 3: 2.0, 9: 9.0}}, {0: 5.0, 3: 6.0, 9: 7.0}, until=START + 5 * HOUR)
    np.testing.assert_array_equal(made.load_mw, [[1, 2, np.nan]])
    np.testing.assert_array_equal(made.temperature_c, [[np.nan, 6, np.nan]])


def test_positions_and_moments_are_inverse_and_moments_off_the_grid_are_refused() -> None:
    made = panel({"a": dict.fromkeys(range(4), 1.0)}, {0: 1.0})
    assert [made.index_of(made.moment(position)) for position in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(GridcastError, match="not an interval start"):
        made.index_of(START + timedelta(minutes=30))
    with pytest.raises(GridcastError, match="not an interval start"):
        made.index_of(START + 5 * HOUR)


def test_readings_off_the_interval_grid_are_refused() -> None:
    readings = frame({0: 1.0, 1: 2.0}, column="load_mw", series_id="a")
    off = readings.with_columns(pl.col("valid_time") + pl.duration(minutes=pl.int_range(pl.len()) * 30))
    with pytest.raises(GridcastError, match="not on the grid"):
        panel_from_frames(
            off,
            weather=frame({0: 1.0}, column="temperature_c"),
            holidays=None,
            time_zones={"a": "UTC"},
            interval=HOUR,
            series_ids=["a"],
        )


def test_no_readings_of_the_wanted_series_is_one_clear_message() -> None:
    with pytest.raises(GridcastError, match="no readings of b"):
        panel_from_frames(
            frame({0: 1.0}, column="load_mw", series_id="a"),
            weather=frame({0: 1.0}, column="temperature_c"),
            holidays=None,
            time_zones={"b": "UTC"},
            interval=HOUR,
            series_ids=["b"],
        )


def test_holidays_are_local_days_and_their_neighbours_are_flagged() -> None:
    holidays = pl.DataFrame({"date": [date(2024, 3, 3)], "name": ["a feast"]})
    made = panel({"a": dict.fromkeys(range(96), 1.0)}, {0: 1.0}, zone="America/New_York", holidays=holidays)
    today, yesterday, tomorrow, bridge, event, nearness = made.calendar.holiday[0].T
    assert np.flatnonzero(today).tolist() == list(range(53, 77))  # midnight in New York is 05:00 UTC
    assert np.flatnonzero(yesterday).tolist() == list(range(77, 96))
    assert np.flatnonzero(tomorrow).tolist() == list(range(29, 53))
    assert not bridge.any()
    assert not event.any()
    assert (nearness > 0).tolist() == [hour < 53 or hour >= 77 for hour in range(96)], "near to other days only"


def test_temperature_terms_are_trailing_means_over_what_was_observed() -> None:
    temperature = np.array([np.nan, 1, 2, 3, np.nan, 9], dtype=np.float32)
    np.testing.assert_allclose(trailing_mean(temperature, window=3), [np.nan, 1, 1.5, 2, 2.5, 6])
    terms = temperature_terms(temperature, interval=HOUR)
    assert terms.shape == (6, len(TEMPERATURE_TERMS))
    np.testing.assert_allclose(terms[:, TEMPERATURE_TERMS.index("mean_24h")], [np.nan, 1, 1.5, 2, 2, 3.75])
