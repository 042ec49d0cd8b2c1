"""What windows in training are kept from seeing."""

import functools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from gridcast.features.panel import Panel, panel_from_frames
from gridcast.features.windows import DAYS_OF_HISTORY, Inputs, VisibleLoads, Windows, window_inputs
from gridcast.models.tensorflow.blinds import (
    FEWEST_DAYS_OF_HISTORY,
    KINDS,
    LACKS,
    MOST_DAYS_WITHOUT_READINGS,
    Blinds,
    blinded,
    blinds_without,
    draw_blinds,
)

HOUR = timedelta(hours=1)
LEADS = 48
PER_DAY = 24
ORIGIN = 40 * PER_DAY + 5


@functools.cache
def a_panel() -> Panel:
    """Fifty days of two series without a hole."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    times = pl.Series([start + HOUR * step for step in range(50 * PER_DAY)], dtype=pl.Datetime("us", "UTC"))
    rng = np.random.default_rng(4)
    return panel_from_frames(
        pl.concat(
            pl.DataFrame(
                {"series_id": [name] * len(times), "valid_time": times, "load_mw": rng.uniform(5, 9, len(times))}
            )
            for name in "ab"
        ),
        weather=pl.DataFrame({"valid_time": times, "temperature_c": rng.uniform(-5, 25, len(times))}),
        holidays=None,
        time_zones=dict.fromkeys("ab", "Europe/London"),
        interval=HOUR,
        series_ids=["a", "b"],
    )


def drawn(*, share: float, count: int = 40_000, per_day: int = PER_DAY) -> tuple[Windows, Blinds]:
    rng = np.random.default_rng(9)
    origin = rng.integers(100 * per_day, 900 * per_day, count, dtype=np.int32)
    windows = Windows(np.zeros(count, dtype=np.int32), origin)
    return windows, draw_blinds(windows, share=share, leads=LEADS, per_day=per_day, rng=rng)


def hidden(windows: Windows, blinds: Blinds) -> dict[str, np.ndarray]:
    """Whether each window is kept from seeing something of each kind, (window,)."""
    return {
        "no weather": blinds.weather_leads < 0,
        "weather beyond a lead": (blinds.weather_leads >= 0) & (blinds.weather_leads < LEADS),
        "newest readings": blinds.loads.stop < windows.origin,
        "older history": (blinds.loads.start > 0) & ~blinds.is_unknown,
        "who the series is": blinds.is_unknown,
    }


@pytest.mark.parametrize("share", [0.0, 0.25, 0.9])
def test_every_kind_takes_an_equal_share_of_the_blinded_windows_and_the_rest_see_everything(share: float) -> None:
    by_kind = hidden(*drawn(share=share))
    assert tuple(by_kind) == KINDS
    assert [each.mean() for each in by_kind.values()] == pytest.approx([share / len(KINDS)] * len(KINDS), abs=0.006)
    assert np.sum(list(by_kind.values()), axis=0).max() <= 1


@pytest.mark.parametrize("per_day", [24, 96])
def test_what_is_hidden_reaches_from_an_interval_to_two_days_and_leaves_a_week_to_a_month(per_day: int) -> None:
    windows, blinds = drawn(share=0.9, per_day=per_day)
    by_kind = hidden(windows, blinds)
    gap = (windows.origin - blinds.loads.stop)[by_kind["newest readings"]]
    history = (windows.origin - blinds.loads.start)[by_kind["older history"]]
    known = blinds.weather_leads[by_kind["weather beyond a lead"]]
    assert (gap.min(), gap.max()) == (1, MOST_DAYS_WITHOUT_READINGS * per_day)
    assert (history.min(), history.max()) == (FEWEST_DAYS_OF_HISTORY * per_day, (DAYS_OF_HISTORY - 1) * per_day)
    assert (known.min(), known.max()) == (0, LEADS - 1)


def test_a_series_counts_as_new_with_two_weeks_to_two_months_of_history() -> None:
    windows, blinds = drawn(share=0.9)
    history = (windows.origin - blinds.loads.start)[blinds.is_unknown]
    assert history.min() == 2 * FEWEST_DAYS_OF_HISTORY * PER_DAY
    assert history.max() == 2 * (DAYS_OF_HISTORY - 1) * PER_DAY
    assert 0.33 < (history < DAYS_OF_HISTORY * PER_DAY).mean() < 0.4, "too short for what is looked at"


def some_blinds(*, start: int = 0, stop: int = ORIGIN, weather_leads: int = LEADS, is_unknown: bool = False) -> Blinds:
    """Of two windows, the first of which sees everything."""
    return Blinds(
        VisibleLoads(np.array([0, start], dtype=np.int32), np.array([ORIGIN, stop], dtype=np.int32)),
        np.array([LEADS, weather_leads], dtype=np.int32),
        np.array([False, is_unknown]),
    )


def made_from(panel: Panel, *, blinds: Blinds | None = None) -> Inputs:
    """Inputs of a window of each series."""
    origin = np.full(2, ORIGIN, dtype=np.int32)
    visible = None if blinds is None else blinds.loads
    inputs = window_inputs(panel, series=[0, 1], origin=origin, leads=LEADS, visible=visible)
    return inputs if blinds is None else blinded(inputs, blinds)


def without_temperature(panel: Panel, *, start: int) -> Panel:
    temperature = panel.temperature_c.copy()
    temperature[:, start:] = np.nan
    return panel.with_temperature(temperature)


def without_loads(panel: Panel, hidden: slice) -> Panel:
    load = panel.load_mw.copy()
    load[:, hidden] = np.nan
    return replace(panel, load_mw=load)


@pytest.mark.parametrize(
    ("blinds", "lacking"),
    [
        pytest.param(some_blinds(weather_leads=-1), lambda panel: without_temperature(panel, start=0), id="no weather"),
        pytest.param(
            some_blinds(weather_leads=0),
            lambda panel: without_temperature(panel, start=ORIGIN),
            id="no weather of the horizon",
        ),
        pytest.param(
            some_blinds(weather_leads=24),
            lambda panel: without_temperature(panel, start=ORIGIN + 24),
            id="no weather beyond a day",
        ),
        pytest.param(
            some_blinds(stop=ORIGIN - 30),
            lambda panel: without_loads(panel, slice(ORIGIN - 30, None)),
            id="no readings of the last 30 hours",
        ),
        pytest.param(
            some_blinds(start=ORIGIN - 10 * PER_DAY),
            lambda panel: without_loads(panel, slice(0, ORIGIN - 10 * PER_DAY)),
            id="no readings but those of ten days",
        ),
    ],
)
def test_a_blinded_window_equals_one_made_from_a_history_that_lacks_it(
    blinds: Blinds, lacking: Callable[[Panel], Panel]
) -> None:
    inputs, whole, expected = made_from(a_panel(), blinds=blinds), made_from(a_panel()), made_from(lacking(a_panel()))
    assert inputs.keys() == expected.keys()
    for name, values in inputs.items():
        assert values.dtype == expected[name].dtype
        assert_array_equal(values[0], whole[name][0], err_msg=f"{name} of a window that sees everything")
        assert_array_equal(values[1], expected[name][1], err_msg=name)


def test_a_series_counted_as_unknown_is_number_zero_and_nothing_else_changes() -> None:
    inputs, whole = made_from(a_panel(), blinds=some_blinds(is_unknown=True)), made_from(a_panel())
    assert inputs["series"].tolist() == [1, 0]
    assert inputs["series"].dtype == np.int32
    for name in whole.keys() - {"series"}:
        assert_array_equal(inputs[name], whole[name])


def without_history(panel: Panel) -> Panel:
    return without_loads(panel, slice(0, ORIGIN - 14 * PER_DAY))


@pytest.mark.parametrize(
    ("lack", "lacking", "series"),
    [
        pytest.param(LACKS[0], lambda panel: without_temperature(panel, start=0), [1, 2], id=LACKS[0]),
        pytest.param(LACKS[1], lambda panel: without_loads(panel, slice(ORIGIN - PER_DAY, None)), [1, 2], id=LACKS[1]),
        pytest.param(LACKS[2], without_history, [0, 0], id=LACKS[2]),
    ],
)
def test_what_forecasts_are_measured_without_is_hidden_from_every_window(
    lack: str, lacking: Callable[[Panel], Panel], series: list[int]
) -> None:
    windows = Windows(np.array([0, 1], dtype=np.int32), np.full(2, ORIGIN, dtype=np.int32))
    inputs = made_from(a_panel(), blinds=blinds_without(windows, lack, leads=LEADS, per_day=PER_DAY))
    for name, values in {**made_from(lacking(a_panel())), "series": np.array(series)}.items():
        assert_array_equal(inputs[name], values, err_msg=name)


def test_blinds_are_taken_apart_window_by_window() -> None:
    blinds = some_blinds(start=9, stop=99, weather_leads=3, is_unknown=True).of(slice(1, 2))
    assert [each.tolist() for each in (*blinds.loads, blinds.weather_leads, blinds.is_unknown)] == [
        [9],
        [99],
        [3],
        [True],
    ]
