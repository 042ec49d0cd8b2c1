"""Windows: nothing from the future, the right reference days, the same in any batch."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridcast.domain.calendars import local_wall_times
from gridcast.domain.errors import GridcastError
from gridcast.features.linear_terms import linear_terms
from gridcast.features.panel import Panel, panel_from_frames
from gridcast.features.windows import (
    DAYS_OF_HISTORY,
    REFERENCES,
    VisibleLoads,
    reference_positions,
    usable_windows,
    window_inputs,
    window_targets,
)

ZONES = ("Europe/London", "America/New_York", "Australia/Melbourne", "Asia/Kolkata")
LAST_DAY, WEEK = REFERENCES.index("last_day"), REFERENCES.index("week_1")


def make_panel(
    *, days: int = 60, start: datetime = datetime(2024, 2, 15, tzinfo=UTC), interval: timedelta = timedelta(hours=1)
) -> Panel:
    """Four series, one in each zone, with random loads and temperatures."""
    rng = np.random.default_rng(7)
    count = days * (timedelta(days=1) // interval)
    times = pl.Series([start + step * interval for step in range(count)], dtype=pl.Datetime("us", "UTC"))
    readings = [
        pl.DataFrame({"series_id": [zone] * count, "valid_time": times, "load_mw": rng.uniform(50, 100, count)})
        for zone in ZONES
    ]
    return panel_from_frames(
        pl.concat(readings),
        weather=pl.DataFrame({"valid_time": times, "temperature_c": rng.uniform(-5, 30, count)}),
        holidays=pl.DataFrame({"date": [date(2024, 3, 29)], "name": ["Good Friday"]}),
        time_zones={zone: zone for zone in ZONES},
        interval=interval,
        series_ids=ZONES,
    )


PANEL = make_panel()


def with_loads_changed_from(panel: Panel, origin: int) -> Panel:
    changed = make_panel()
    changed.load_mw[:, origin:] = -1e6
    return changed


@pytest.mark.parametrize("origin", [14 * 24, 40 * 24 + 1, 45 * 24 + 13])
def test_loads_from_the_issue_time_on_change_no_input(origin: int) -> None:
    windows = {"series": range(4), "origin": [origin] * 4, "leads": 168}
    before = window_inputs(PANEL, **windows)
    after = window_inputs(with_loads_changed_from(PANEL, origin), **windows)
    for name, values in before.items():
        np.testing.assert_array_equal(values, after[name], err_msg=name)


@settings(max_examples=20, deadline=None)
@given(st.integers(33 * 24, 57 * 24), st.integers(0, 2**32 - 1))
def test_loads_that_became_available_after_the_issue_time_change_no_input(origin: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = 60 * 24
    start = datetime(2024, 2, 15, tzinfo=UTC)
    times = pl.Series([start + timedelta(hours=step) for step in range(count)], dtype=pl.Datetime("us", "UTC"))
    delay = pl.Series(rng.choice([60, 61, 600, 20_000], count) * 60_000_000).cast(pl.Duration("us"))
    issue_time = start + timedelta(hours=origin)
    load = rng.uniform(50, 100, count)
    frame = pl.DataFrame(
        {"series_id": ["a"] * count, "valid_time": times, "load_mw": load, "available_at": times + delay}
    )
    changed = frame.with_columns(
        pl.when(pl.col("available_at") > issue_time).then(-1e6).otherwise("load_mw").alias("load_mw")
    )
    before, after = (
        window_inputs(
            panel_from_frames(
                each,
                weather=pl.DataFrame({"valid_time": times, "temperature_c": load}),
                holidays=None,
                time_zones={"a": "Europe/London"},
                interval=timedelta(hours=1),
                series_ids=["a"],
            ),
            series=[0],
            origin=[origin],
            leads=24,
        )
        for each in (frame, changed)
    )
    for name, values in before.items():
        np.testing.assert_array_equal(values, after[name], err_msg=name)
    assert np.isnan(before["recent_load_mw"]).any()
    assert np.isfinite(before["recent_load_mw"]).any()


def test_the_newest_load_before_the_issue_time_does_change_the_inputs() -> None:
    windows = {"series": [0], "origin": [500], "leads": 24}
    after = window_inputs(with_loads_changed_from(PANEL, 499), **windows)
    assert after["recent_load_mw"][0, -1] == -1e6
    assert (after["reference_load_mw"] == -1e6).any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 3), st.integers(0, 59 * 24 - 168), st.sampled_from([1, 24, 48, 168]))
def test_reference_days_lie_before_the_issue_time_at_the_same_wall_time(series: int, origin: int, leads: int) -> None:
    valid = origin + np.arange(leads)
    positions = reference_positions(
        PANEL, series=np.array([series], dtype=np.int32), origin=np.array([origin], dtype=np.int32), leads=leads
    )[0]
    assert (positions < origin).all()
    known = positions >= 0
    wall = local_wall_times(PANEL.time, time_zone=ZONES[series])
    gap = wall[np.broadcast_to(valid[:, np.newaxis], positions.shape)[known]] - wall[positions[known]]
    off = gap % np.timedelta64(1, "D")
    assert ((off == np.timedelta64(0)) | (off == np.timedelta64(23, "h"))).all()
    assert (off != np.timedelta64(0)).sum() <= known.shape[1] * 7  # only the hours a clock change skips


def test_the_last_day_is_the_nearest_one_available() -> None:
    origin = 20 * 24
    positions = reference_positions(
        PANEL, series=np.array([3], dtype=np.int32), origin=np.array([origin], dtype=np.int32), leads=48
    )[0]
    back = origin + np.arange(48) - positions[:, LAST_DAY]
    assert back.tolist() == [24] * 24 + [48] * 24
    assert (origin + np.arange(48) - positions[:, WEEK] == 168).all()


def test_on_a_day_of_23_hours_the_last_lead_looks_one_day_further_back() -> None:
    midnight = PANEL.index_of(datetime(2024, 3, 31, tzinfo=UTC))
    positions = reference_positions(
        PANEL, series=np.array([0], dtype=np.int32), origin=np.array([midnight], dtype=np.int32), leads=24
    )[0]
    back = midnight + np.arange(24) - positions[:, LAST_DAY]
    assert back.tolist() == [24] + [23] * 22 + [47]  # 01:00 was skipped: 02:00, an hour less; lead 23 is the next day


def test_a_batch_equals_its_windows_one_by_one() -> None:
    series, origin = np.array([0, 3, 1, 2, 0]), np.array([340, 500, 900, 1000, 1001])
    batch = window_inputs(PANEL, series=series, origin=origin, leads=48)
    for window in range(5):
        single = window_inputs(PANEL, series=series[[window]], origin=origin[[window]], leads=48)
        for name, values in batch.items():
            np.testing.assert_array_equal(values[[window]], single[name], err_msg=name)


def test_a_short_panel_gives_the_inputs_of_the_whole_history() -> None:
    interval, origin = PANEL.interval, 50 * 24
    first = origin - DAYS_OF_HISTORY * 24
    short = panel_from_frames(
        pl.concat(
            [
                pl.DataFrame(
                    {
                        "series_id": [zone] * (origin - first),
                        "valid_time": pl.Series(PANEL.time[first:origin]).dt.replace_time_zone("UTC"),
                        "load_mw": PANEL.load_mw[row, first:origin],
                    }
                )
                for row, zone in enumerate(ZONES)
            ]
        ),
        weather=pl.DataFrame(
            {
                "valid_time": pl.Series(PANEL.time[first : origin + 168]).dt.replace_time_zone("UTC"),
                "temperature_c": PANEL.temperature_c[0, first : origin + 168],
            }
        ),
        holidays=pl.DataFrame({"date": [date(2024, 3, 29)], "name": ["Good Friday"]}),
        time_zones={zone: zone for zone in ZONES},
        interval=interval,
        series_ids=ZONES,
    )
    whole = window_inputs(PANEL, series=range(4), origin=[origin] * 4, leads=168)
    recent = window_inputs(short, series=range(4), origin=[origin - first] * 4, leads=168)
    for name, values in whole.items():
        np.testing.assert_allclose(values, recent[name], rtol=1e-6, err_msg=name)


def test_missing_loads_and_days_before_the_history_are_nan_not_invented() -> None:
    changed = make_panel()
    changed.load_mw[0, 470:480] = np.nan
    inputs = window_inputs(changed, series=[0], origin=[500], leads=24)
    assert np.isnan(inputs["recent_load_mw"][0]).sum() == 10
    early = window_inputs(PANEL, series=[0], origin=[24], leads=24)
    assert np.isnan(early["recent_load_mw"][0]).sum() == 13 * 24
    assert np.isnan(early["reference_load_mw"][0, :, WEEK]).all()
    assert not np.isnan(early["reference_load_mw"][0, :, LAST_DAY]).any()


def test_targets_are_the_loads_from_the_issue_time_on() -> None:
    targets = window_targets(PANEL, series=[2], origin=[400], leads=30)
    np.testing.assert_array_equal(targets[0], PANEL.load_mw[2, 400:430])


@pytest.mark.parametrize("minutes", [5, 15, 30])
def test_shorter_intervals_keep_the_day_lags(minutes: int) -> None:
    interval = timedelta(minutes=minutes)
    panel = make_panel(days=16, interval=interval)
    per_day = timedelta(days=1) // interval
    origin = 15 * per_day
    inputs = window_inputs(panel, series=[3], origin=[origin], leads=per_day)
    np.testing.assert_array_equal(
        inputs["reference_load_mw"][0, :, LAST_DAY], panel.load_mw[3, origin - per_day : origin]
    )
    assert inputs["recent_load_mw"].shape == (1, 14 * per_day)


def test_windows_with_too_little_observed_are_not_used() -> None:
    changed = make_panel()
    changed.load_mw[1, 600:] = np.nan
    changed.temperature_c[:] = np.nan
    windows = usable_windows(changed, leads=48, every=24)
    assert windows.origin.min() == 14 * 24
    assert windows.origin[windows.series == 1].max() <= 600 - 24
    assert windows.origin[windows.series == 0].max() == 58 * 24, "a temperature need not be known"
    assert not len(usable_windows(changed, leads=48, start=50 * 24, stop=51 * 24).origin)


@pytest.mark.parametrize(
    ("origin", "leads", "message"),
    [
        pytest.param(60 * 24 - 10, 48, "leave the history", id="beyond the end"),
        pytest.param(-1, 48, "leave the history", id="before the start"),
        pytest.param(400, 169, "at most 7 days", id="longer than a week"),
    ],
)
def test_impossible_windows_are_refused(origin: int, leads: int, message: str) -> None:
    with pytest.raises(GridcastError, match=message):
        window_inputs(PANEL, series=[0], origin=[origin], leads=leads)


def test_linear_terms_are_complete_where_load_and_temperature_are() -> None:
    terms = linear_terms(PANEL, series=[0, 1], origin=[400, 800], leads=48)
    assert terms.shape[:2] == (2, 48)
    assert np.isfinite(terms).all()
    changed = make_panel()
    changed.load_mw[0, [800 - 7 * 24 * weeks for weeks in (1, 2, 3, 4)]] = np.nan
    broken = linear_terms(changed, series=[0], origin=[800], leads=48)
    assert np.isnan(broken[0, 0]).any()
    assert np.isfinite(broken[0, 1:]).all()


def test_linear_terms_see_nothing_of_the_future_load() -> None:
    windows = {"series": range(4), "origin": [700] * 4, "leads": 48}
    np.testing.assert_array_equal(
        linear_terms(PANEL, **windows), linear_terms(with_loads_changed_from(PANEL, 700), **windows)
    )


def test_a_reference_whose_load_is_missing_makes_way_for_an_earlier_day() -> None:
    changed = make_panel()
    changed.load_mw[0, 800 - 24 : 800] = np.nan
    (positions,) = reference_positions(changed, series=np.array([0]), origin=np.array([800]), leads=24)
    np.testing.assert_array_equal(positions[:, LAST_DAY], 800 - 48 + np.arange(24))
    np.testing.assert_array_equal(positions[:, WEEK], 800 - 168 + np.arange(24))


def test_loads_that_are_not_visible_are_missing_and_their_references_make_way() -> None:
    origin, gap, history = 800, 5, 9 * 24
    visible = VisibleLoads(np.array([origin - history], dtype=np.int32), np.array([origin - gap], dtype=np.int32))
    inputs = window_inputs(PANEL, series=[0], origin=[origin], leads=24, visible=visible)
    seen = np.isfinite(inputs["recent_load_mw"][0])
    assert np.flatnonzero(seen).tolist() == list(range(14 * 24 - history, 14 * 24 - gap))
    changed = make_panel()
    changed.load_mw[0, origin - gap : origin] = np.nan
    changed.load_mw[0, : origin - history] = np.nan
    expected = window_inputs(changed, series=[0], origin=[origin], leads=24)
    for name, values in inputs.items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)
