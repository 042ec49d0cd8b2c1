"""Estimates in gaps: straight lines, like days and what they rest on."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from gridcast.quality.bounds import Bounds
from gridcast.quality.estimation import Believed, Estimates, estimate
from gridcast.quality.grid import NEVER, Floats, build_clock
from gridcast.quality.limits import Limits

HOUR = timedelta(hours=1)
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)


def estimated(
    load_mw: Floats, *, past_mw: Floats | None = None, interval: timedelta = HOUR, **limits: float
) -> Estimates:
    """Estimates for series that start on a Monday; the value of slot k was known at k."""
    known = np.tile(np.arange(load_mw.shape[1], dtype=np.int64), (len(load_mw), 1))
    clock = build_clock(MONDAY, MONDAY + load_mw.shape[1] * interval, interval=interval, time_zone="UTC")
    past = load_mw if past_mw is None else past_mw
    return estimate(
        Believed(load_mw, known),
        past=Believed(past, known),
        clock=clock,
        bounds=Bounds([Limits(**limits)] * len(load_mw), interval),
    )


def weeks(count: int, *, weekend: float = 0.6) -> Floats:
    """A daily shape, lower at weekends, (1, hour)."""
    day = 100 + 40 * np.sin((np.arange(24) - 7) * np.pi / 12)
    week = np.concatenate([np.tile(day, 5), np.tile(day * weekend, 2)])
    return np.tile(week, count)[None, :]


def hole(load_mw: Floats, *, start: int, length: int) -> Floats:
    holed = load_mw.copy()
    holed[:, start : start + length] = np.nan
    return holed


@pytest.mark.parametrize("day", [21, 22, 25, 26, 27], ids=["Monday", "Tuesday", "Friday", "Saturday", "Sunday"])
@pytest.mark.parametrize("length", [3, 9, 24])
def test_a_load_that_repeats_is_estimated_exactly(day: int, length: int) -> None:
    load = weeks(5)
    start = day * 24 + (6 if length < 24 else 0)
    filled = estimated(hole(load, start=start, length=length))
    assert np.allclose(filled.load_mw[0, start : start + length], load[0, start : start + length])
    assert np.isfinite(filled.load_mw).sum() == length
    assert filled.is_like_days[0, start : start + length].all()


def test_like_days_are_moved_to_meet_both_sides_of_the_gap() -> None:
    load = weeks(5)
    load[0, 22 * 24 :] += np.linspace(0, 60, load.shape[1] - 22 * 24)
    start, length = 23 * 24 + 5, 12
    filled = estimated(hole(load, start=start, length=length)).load_mw[0, start : start + length]
    assert np.allclose(filled, load[0, start : start + length], atol=1.0)


def test_one_wild_day_among_the_like_days_does_not_matter() -> None:
    load = weeks(5)
    start, length = 23 * 24 + 5, 12
    past = load.copy()
    past[0, 22 * 24 + 8 : 22 * 24 + 10] = 5000.0
    filled = estimated(hole(load, start=start, length=length), past_mw=past).load_mw[0, start : start + length]
    assert np.allclose(filled, load[0, start : start + length])


def test_a_short_gap_is_a_straight_line_known_when_its_last_side_is() -> None:
    load = np.arange(48.0)[None, :] * 2
    filled = estimated(hole(load, start=20, length=2))
    assert filled.load_mw[0, 20:22].tolist() == [40.0, 42.0]
    assert filled.available_us[0, 20:22].tolist() == [22, 22]
    assert not filled.is_like_days.any()


def test_a_long_gap_is_known_an_hour_behind_its_end() -> None:
    quarter = timedelta(minutes=15)
    load = np.repeat(weeks(4), 4, axis=1)
    start, length = 23 * 96 + 20, 30
    filled = estimated(hole(load, start=start, length=length), interval=quarter)
    assert set(filled.available_us[0, start : start + length]) == {start + length + 3}
    assert (filled.available_us[0, :start] == NEVER).all()


def test_without_a_like_day_a_long_gap_stays_open() -> None:
    load = np.ones((1, 7 * 24))
    start = 5 * 24 + 3
    assert np.isnan(estimated(hole(load, start=start, length=9)).load_mw).all()
    assert np.isfinite(estimated(hole(load, start=2 * 24 + 3, length=9)).load_mw).sum() == 9


def test_a_gap_that_is_open_or_too_long_stays_open() -> None:
    load = weeks(4)
    assert np.isnan(estimated(hole(load, start=load.shape[1] - 5, length=5)).load_mw).all()
    assert np.isnan(estimated(hole(load, start=0, length=5)).load_mw).all()
    assert np.isnan(estimated(hole(load, start=500, length=25)).load_mw).all()


def test_an_estimate_stays_within_the_range_of_its_series() -> None:
    load = weeks(5)
    filled = estimated(hole(load, start=23 * 24 + 8, length=12), max_load_mw=120.0)
    assert np.nanmax(filled.load_mw) == 120.0


def test_series_are_estimated_each_for_itself() -> None:
    both = np.concatenate([weeks(5), weeks(5, weekend=1.4) * 3])
    holed = hole(both, start=23 * 24 + 5, length=12)
    together = estimated(holed)
    apart = [estimated(holed[row : row + 1]) for row in range(2)]
    assert np.array_equal(together.load_mw, np.concatenate([each.load_mw for each in apart]), equal_nan=True)


def test_a_negative_load_is_estimated_like_any_other() -> None:
    load = 20.0 - weeks(5)
    start, length = 23 * 24 + 5, 12
    filled = estimated(hole(load, start=start, length=length), min_load_mw=-500.0)
    assert np.allclose(filled.load_mw[0, start : start + length], load[0, start : start + length])
