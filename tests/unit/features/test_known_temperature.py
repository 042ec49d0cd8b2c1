"""Weather as it was known: as-of joins, terms over past and horizon, and what stands in where nothing was known."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridcast.domain.tables import UTC_TIME, WEATHER
from gridcast.features.known_temperature import was_known
from gridcast.features.linear_terms import linear_terms
from gridcast.features.panel import Panel, panel_from_frames
from gridcast.features.station_mix import StationMix
from gridcast.features.temperature_terms import TEMPERATURE_TERMS
from gridcast.features.windows import DAYS_OF_HISTORY, usable_windows, window_inputs

HOUR = timedelta(hours=1)
START = datetime(2024, 2, 20, tzinfo=UTC)
DAYS = 60
SERIES = {"london": "Europe/London", "york": "America/New_York"}
MIX = StationMix(({"a": 0.5, "b": 0.5}, {"a": 0.9, "b": 0.1}), {"york": 1})
LEADS = 48
NOW = TEMPERATURE_TERMS.index("now")


def rows(entries: list[tuple[str, int, float, float]]) -> pl.DataFrame:
    """`WEATHER` from station, hour it is about, temperature, and hour in which it became available."""
    made = [
        (station, START + HOUR * about, value, START + timedelta(hours=available))
        for station, about, value, available in entries
    ]
    return pl.DataFrame(made, schema=WEATHER, orient="row")


def weather(*, seed: int = 1, horizon: int = LEADS, every: int = 6, days: int = DAYS) -> pl.DataFrame:
    """Two stations: observations an hour after the fact and forecasts issued every few hours, with growing errors."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(10, 6, (2, days * 24 + horizon))
    observed = [(name, hour, truth[row, hour], hour + 1) for row, name in enumerate("ab") for hour in range(days * 24)]
    forecast = [
        (name, issued + lead, truth[row, issued + lead] + rng.normal(0, 0.1 * lead + 0.1), issued)
        for row, name in enumerate("ab")
        for issued in range(0, days * 24, every)
        for lead in range(horizon)
    ]
    return rows(observed + forecast)


def panel(known: pl.DataFrame, *, as_issued: bool = True, first: int = 0, days: int = DAYS, until: int = 0) -> Panel:
    rng = np.random.default_rng(5)
    load = rng.uniform(50, 100, (len(SERIES), days * 24))
    end = until or days * 24
    times = pl.Series([START + HOUR * step for step in range(first, end)], dtype=UTC_TIME)
    return panel_from_frames(
        pl.concat(
            pl.DataFrame({"series_id": [name] * len(times), "valid_time": times, "load_mw": load[row, first:end]})
            for row, name in enumerate(SERIES)
        ),
        weather=known,
        holidays=pl.DataFrame({"date": [date(2024, 3, 29)], "name": ["Good Friday"]}),
        time_zones=SERIES,
        interval=HOUR,
        series_ids=list(SERIES),
        until=START + HOUR * days * 24,
        station_mix=MIX,
        as_issued=as_issued,
    )


WEATHER_ROWS = weather()
PANEL = panel(WEATHER_ROWS)


def changed_after(known: pl.DataFrame, origin: int) -> pl.DataFrame:
    late = pl.col("available_at") > START + HOUR * origin
    return known.with_columns(pl.when(late).then(-80.0).otherwise("temperature_c").alias("temperature_c"))


@pytest.mark.parametrize("origin", [15 * 24, 40 * 24 + 1, 41 * 24 + 17, 55 * 24 + 6])
def test_weather_that_became_available_after_the_issue_time_changes_no_input(origin: int) -> None:
    after = panel(changed_after(WEATHER_ROWS, origin))
    for inputs in (window_inputs, linear_terms):
        asked = {"series": [0, 1], "origin": [origin, origin], "leads": LEADS}
        before_, after_ = inputs(PANEL, **asked), inputs(after, **asked)
        for name in before_ if isinstance(before_, dict) else [slice(None)]:
            np.testing.assert_array_equal(before_[name], after_[name], err_msg=str(name))


def test_the_newest_weather_before_the_issue_time_does_change_the_inputs() -> None:
    origin = 41 * 24 + 12
    before = window_inputs(PANEL, series=[0], origin=[origin], leads=LEADS)
    after = window_inputs(panel(changed_after(WEATHER_ROWS, origin - 1)), series=[0], origin=[origin], leads=LEADS)
    assert (after["temperature_c"][0, :, NOW] != before["temperature_c"][0, :, NOW]).all()


Entries = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]), st.integers(0, 30), st.floats(-20, 40), st.integers(-10, 50).map(lambda x: x / 2)
    ),
    max_size=60,
)


@settings(max_examples=50, deadline=None)
@given(Entries)
def test_what_was_known_equals_a_search_through_all_rows(entries: list[tuple[str, int, float, float]]) -> None:
    made = panel(rows(entries), days=16).vintages
    assert made is not None
    by_availability = sorted(entries, key=lambda entry: entry[3])
    found, expected = [], []
    for position in range(31):
        for origin in range(0, 32, 3):
            newest = {
                station: value
                for station, about, value, available in by_availability
                if about == position and available <= origin
            }
            for row, weights in enumerate(MIX.mixes):
                share = sum(weights[station] for station in newest)
                mean = sum(weights[station] * value for station, value in newest.items()) / share if share else np.nan
                expected.append(mean)
                found.append(made.known(mix=row, position=position, origin=origin))
                assert (made.whole_from[row, position] <= origin) == (share >= 0.5 - 1e-9)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


def test_a_window_equals_one_made_from_what_was_at_hand_when_it_was_issued() -> None:
    """Training and judging on the whole history, serving on a short one: the same inputs."""
    for origin in (33 * 24, 40 * 24 + 5, 41 * 24 + 13, 58 * 24):
        first = origin - DAYS_OF_HISTORY * 24
        at_hand = WEATHER_ROWS.filter(
            pl.col("available_at") <= START + HOUR * origin,
            pl.col("valid_time") >= START + HOUR * first,
        )
        served = panel(at_hand, as_issued=False, first=first, until=origin)
        whole = window_inputs(PANEL, series=[0, 1], origin=[origin] * 2, leads=LEADS)
        short = window_inputs(served, series=[0, 1], origin=[origin - first] * 2, leads=LEADS)
        for name, values in whole.items():
            np.testing.assert_allclose(values, short[name], rtol=1e-5, atol=1e-4, err_msg=name)


def test_a_horizon_without_forecasts_is_missing_in_training_as_in_serving() -> None:
    origin, short_forecasts = 41 * 24 + 7, weather(horizon=10)
    first = origin - DAYS_OF_HISTORY * 24
    whole = window_inputs(panel(short_forecasts), series=[0, 1], origin=[origin] * 2, leads=LEADS)
    at_hand = short_forecasts.filter(
        pl.col("available_at") <= START + HOUR * origin, pl.col("valid_time") >= START + HOUR * first
    )
    served = panel(at_hand, as_issued=False, first=first, until=origin)
    short = window_inputs(served, series=[0, 1], origin=[origin - first] * 2, leads=LEADS)
    for name, values in whole.items():
        np.testing.assert_allclose(values, short[name], rtol=1e-5, atol=1e-4, err_msg=name)
    told = was_known(panel(short_forecasts), series=[0, 1], origin=[origin] * 2, leads=LEADS)
    assert np.flatnonzero(told[0]).tolist() == list(range(9)), "issued at hour 6 for ten hours"
    is_missing = np.isnan(whole["temperature_c"][0])
    assert is_missing[9:].all(), "means are as unknown as the temperature itself"
    assert not is_missing[:9].any()


def test_means_run_over_observations_up_to_the_issue_time_and_forecasts_after_it() -> None:
    origin = 20 * 24
    observed = [(name, hour, 10.0, hour + 1) for name in "ab" for hour in range(30 * 24)]
    forecast = [(name, origin - 6 + lead, 22.0, origin - 6) for name in "ab" for lead in range(60)]
    terms = window_inputs(panel(rows(observed + forecast)), series=[0], origin=[origin], leads=LEADS)["temperature_c"][
        0
    ]
    by_name = dict(zip(TEMPERATURE_TERMS, terms.T, strict=True))
    np.testing.assert_allclose(by_name["now"], 22)
    np.testing.assert_allclose(by_name["mean_3h"][:4], [14, 18, 22, 22])
    np.testing.assert_allclose(by_name["mean_24h"][[0, 11, 23, 47]], [10.5, 16, 22, 22])
    np.testing.assert_allclose(by_name["mean_72h"][[0, 35]], [10 + 12 / 72, 16], rtol=1e-6)


def test_an_observation_that_comes_late_leaves_the_forecast_in_force() -> None:
    origin = 20 * 24
    observed = [(name, hour, 10.0, hour + 1) for name in "ab" for hour in range(origin - 5)]
    late = [(name, hour, 10.0, origin + 100) for name in "ab" for hour in range(origin - 5, origin)]
    forecast = [(name, hour, 30.0, origin - 6) for name in "ab" for hour in range(origin - 6, origin + 60)]
    terms = window_inputs(panel(rows(observed + late + forecast)), series=[0], origin=[origin], leads=LEADS)[
        "temperature_c"
    ]
    assert terms[0, 0, TEMPERATURE_TERMS.index("mean_24h")] == pytest.approx((10 * 18 + 30 * 6) / 24)


def test_of_two_providers_each_station_brings_its_newest_vintage() -> None:
    origin = 20 * 24
    entries = [
        *[("a", origin + lead, 10.0, origin - 12) for lead in range(60)],
        *[("b", origin + lead, 20.0, origin - 3) for lead in range(60)],
        *[("b", origin + lead, 30.0, origin - 1) for lead in range(60)],
        *[("b", origin + lead, 90.0, origin + 1) for lead in range(60)],
    ]
    inputs = window_inputs(panel(rows(entries)), series=[0, 1], origin=[origin] * 2, leads=24)
    np.testing.assert_allclose(inputs["temperature_c"][0, :, NOW], 20)
    np.testing.assert_allclose(inputs["temperature_c"][1, :, NOW], 12, rtol=1e-6)


def test_a_horizon_told_by_less_than_half_of_the_mix_does_not_count_as_known() -> None:
    origin = 20 * 24
    entries = [("b", origin + lead, 20.0, origin - 3) for lead in range(60)]
    made = panel(rows(entries))
    told = was_known(made, series=[0, 1], origin=[origin] * 2, leads=24)
    assert told.all(axis=1).tolist() == [True, False]
    inputs = window_inputs(made, series=[1], origin=[origin], leads=24)
    np.testing.assert_allclose(inputs["temperature_c"][0, :, NOW], 20, err_msg="but it is used")


def test_windows_are_learned_from_whatever_was_known_of_their_weather() -> None:
    windows = usable_windows(PANEL, leads=LEADS)
    assert len(windows.origin) == len(usable_windows(replace(PANEL, vintages=None), leads=LEADS).origin)
    told = was_known(PANEL, series=windows.series, origin=windows.origin, leads=LEADS)
    inputs = window_inputs(PANEL, series=windows.series, origin=windows.origin, leads=LEADS)
    np.testing.assert_array_equal(np.isfinite(inputs["temperature_c"][..., NOW]), told)
    assert 0 < told.mean() < 1


def test_ex_post_windows_see_the_newest_vintage() -> None:
    origin = 41 * 24
    inputs = window_inputs(replace(PANEL, vintages=None), series=[0], origin=[origin], leads=LEADS)
    np.testing.assert_array_equal(inputs["temperature_c"][0, :, NOW], PANEL.temperature_c[0, origin : origin + LEADS])
    assert was_known(replace(PANEL, vintages=None), series=[0], origin=[origin], leads=LEADS).all()


def test_a_batch_equals_its_windows_one_by_one() -> None:
    series, origin = np.array([0, 1, 1, 0, 0]), np.array([340, 500, 900, 1000, 1001])
    batch = window_inputs(PANEL, series=series, origin=origin, leads=LEADS)
    for window in range(5):
        single = window_inputs(PANEL, series=series[[window]], origin=origin[[window]], leads=LEADS)
        for name, values in batch.items():
            np.testing.assert_array_equal(values[[window]], single[name], err_msg=name)


def test_without_any_weather_nothing_is_known_and_nothing_breaks() -> None:
    made = panel(rows([]))
    inputs = window_inputs(made, series=[0], origin=[500], leads=24)
    assert np.isnan(inputs["temperature_c"]).all()
    assert not was_known(made, series=[0], origin=[500], leads=24).any()
    assert len(usable_windows(made, leads=24).origin)
