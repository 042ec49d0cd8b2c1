"""Single rules on small arrays."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gridcast.domain.errors import UsageError
from gridcast.quality.bounds import Bounds
from gridcast.quality.clock_slip import ClockSlips, clock_slips
from gridcast.quality.grid import NEVER, Clock, Floats, build_clock
from gridcast.quality.like_days import like_days, sort_slices, sorted_median, to_singles
from gridcast.quality.limits import Limits
from gridcast.quality.rules import flatline_verdict, is_above, is_below
from gridcast.quality.spike import is_spike
from gridcast.quality.unit_slip import rescaled

HOUR = timedelta(hours=1)
START = datetime(2024, 1, 1, tzinfo=UTC)


def clock(days: int = 30, *, zone: str = "UTC", interval: timedelta = HOUR) -> Clock:
    return build_clock(START, START + timedelta(days=days), interval=interval, time_zone=zone)


def bounds(*limits: Limits, interval: timedelta = HOUR) -> Bounds:
    return Bounds(limits or (Limits(),), interval)


def daily(days: int, *, noise: float = 0.0, per_day: int = 24, size: float = 100.0) -> Floats:
    """One series with a morning and an evening peak, (1, slot)."""
    hour = np.arange(days * per_day) % per_day * 24 / per_day
    shape = 1 + 0.4 * np.exp(-((hour - 8) ** 2) / 4) + 0.6 * np.exp(-((hour - 19) ** 2) / 6)
    return (size * shape * (1 + noise * np.random.default_rng(days).standard_normal(len(hour))))[None, :]


def spikes(load_mw: Floats, *, days: int) -> NDArray[np.bool_]:
    past = to_singles(load_mw)
    return is_spike(past, past_mw=past, usual=like_days(past, clock=clock(days)), clock=clock(days), bounds=bounds())


def put_right(load_mw: Floats, *, days: int, limits: Limits | None = None) -> Floats:
    return rescaled(load_mw, past_mw=to_singles(load_mw), clock=clock(days), bounds=bounds(limits or Limits()))


def slips(load_mw: Floats, *, days: int, interval: timedelta = HOUR, limits: Limits | None = None) -> ClockSlips:
    grid_clock, past = clock(days, interval=interval), to_singles(load_mw)
    known = np.broadcast_to(np.arange(load_mw.shape[1], dtype=np.int64), load_mw.shape)
    middle = like_days(past, clock=grid_clock).middle
    return clock_slips(
        past, known, middle_mw=middle, clock=grid_clock, bounds=bounds(limits or Limits(), interval=interval)
    )


def test_the_range_includes_its_ends() -> None:
    load = np.array([[-0.1, 0.0, 10.0, 10.1, np.nan]])
    own = bounds(Limits(max_load_mw=10.0))
    assert is_below(load, bounds=own)[0].tolist() == [True, False, False, False, False]
    assert is_above(load, bounds=own)[0].tolist() == [False, False, False, True, False]


def test_every_series_has_its_own_range() -> None:
    load = np.tile([[-3.0, 5.0, 15.0]], (3, 1))
    own = bounds(Limits(max_load_mw=10), Limits(min_load_mw=-5), Limits(max_load_mw=4))
    assert is_below(load, bounds=own).tolist() == [[True, False, False], [False] * 3, [True, False, False]]
    assert is_above(load, bounds=own).tolist() == [[False, False, True], [False] * 3, [False, True, True]]


def test_a_flatline_is_exactly_the_run_that_is_long_enough() -> None:
    load = np.array([[1, 2, 2, 2, 3, 3, 3, 3, 0, 0, 0, 0, 0, np.nan, np.nan, np.nan, np.nan]], dtype=float)
    known = np.arange(17)[None, :].astype(np.int64) * 100
    verdict = flatline_verdict(load, known, bounds=bounds(Limits(flatline=4 * HOUR)))
    assert np.flatnonzero(verdict[0] != NEVER).tolist() == [4, 5, 6, 7]
    assert verdict[0, 4:8].tolist() == [700] * 4


def test_a_longer_flatline_is_known_value_by_value_once_it_is_one() -> None:
    verdict = flatline_verdict(
        np.full((1, 6), 7.0), np.arange(6)[None, :] * 100, bounds=bounds(Limits(flatline=4 * HOUR))
    )
    assert verdict[0].tolist() == [300, 300, 300, 300, 400, 500]


def test_every_series_has_its_own_length_of_a_flatline() -> None:
    load = np.tile([[1.0, 2.0, 2.0, 2.0, 3.0]], (3, 1))
    own = bounds(Limits(flatline=3 * HOUR), Limits(flatline=4 * HOUR), Limits(flatline=None))
    verdict = flatline_verdict(load, np.zeros(load.shape, np.int64), bounds=own)
    assert (verdict != NEVER).tolist() == [[False, True, True, True, False], [False] * 5, [False] * 5]


def test_a_load_that_switches_on_and_off_every_day_has_no_spikes() -> None:
    generator = np.random.default_rng(0)
    load = np.full((1, 60 * 24), 80.0) + generator.normal(0, 1, (1, 60 * 24))
    for day in range(60):
        off = 24 * day + generator.integers(0, 20)
        load[0, off : off + 3] = 20
    assert spikes(load, days=60).sum() <= 5


def test_a_spike_needs_three_like_days() -> None:
    load = np.full((1, 24 * 10), 100.0)
    load[0, 24 * 2 + 5] = load[0, 24 * 9 + 5] = 500.0
    assert np.flatnonzero(spikes(load, days=10)[0]).tolist() == [24 * 9 + 5]


@settings(deadline=None)
@given(st.data(), st.integers(1, 40))
def test_slices_are_sorted_as_numpy_sorts_and_their_median_is_that_of_what_is_there(
    data: st.DataObject, size: int
) -> None:
    values = st.floats(-100, 100, width=32) | st.just(float("nan"))
    column = np.array(data.draw(st.lists(values, min_size=size, max_size=size)), np.float32)
    slices = column[:, None].copy()
    count = sort_slices(slices)
    there = np.sort(column[~np.isnan(column)])
    assert count.tolist() == [len(there)]
    assert slices[: len(there), 0].tolist() == there.tolist()
    expected = np.median(there) if len(there) else np.nan
    assert np.isclose(sorted_median(slices, count)[0], expected, equal_nan=True)


@pytest.mark.parametrize("factor", [1000.0, 0.001])
@pytest.mark.parametrize("length", [1, 5, 24 * 6], ids=["one hour", "some hours", "six days"])
def test_a_unit_slip_is_put_right_over_its_whole_length(factor: float, length: int) -> None:
    load = daily(40, noise=0.1)
    true = load.copy()
    slipped = slice(24 * 25 + 7, 24 * 25 + 7 + length)
    load[0, slipped] *= factor
    right = put_right(load, days=40)
    assert np.flatnonzero(np.isfinite(right[0])).tolist() == list(range(slipped.start, slipped.stop))
    assert np.allclose(right[0, slipped], true[0, slipped], rtol=1e-12)


@pytest.mark.parametrize("factor", [8.0, 100.0, 300.0, 4000.0, 0.1, 0.01, 0.0])
def test_a_spike_or_an_outage_is_no_unit_slip(factor: float) -> None:
    load = daily(40)
    load[0, 24 * 25 + 7] *= factor
    assert np.isnan(put_right(load, days=40)).all()


def test_a_load_put_right_stays_within_its_range() -> None:
    load = daily(40)
    load[0, 24 * 25 + 7] *= 1000
    assert np.isfinite(put_right(load, days=40, limits=Limits(max_load_mw=300))).sum() == 1
    assert np.isnan(put_right(load, days=40, limits=Limits(min_load_mw=150, max_load_mw=300))).all()


def test_the_unit_rule_can_be_switched_off() -> None:
    load = daily(40)
    load[0, 24 * 25 + 7] *= 1000
    assert np.isnan(put_right(load, days=40, limits=Limits(unit_slip=False))).all()


@pytest.mark.parametrize("per_day", [24, 96], ids=["60 min", "15 min"])
@pytest.mark.parametrize("hours", [-3, -2, -1, 1, 2, 3])
def test_days_with_a_slipped_clock_are_found_with_their_shift(hours: int, per_day: int) -> None:
    load, step = daily(30, noise=0.01, per_day=per_day), per_day // 24
    first, last = 22 * per_day, 25 * per_day
    shifted = np.roll(load, hours * step, axis=1)
    load[0, first:last] = shifted[0, first:last]
    found = slips(load, days=30, interval=HOUR / step)
    slipped = np.flatnonzero(found.shift[0])
    assert set(found.shift[0, slipped]) == {hours * step}
    assert slipped.size > 0.8 * (last - first)
    assert slipped.min() >= first - 8 * step
    assert slipped.max() < last + 8 * step
    assert (found.known_us[0, slipped] > slipped - 24 * step).all()
    assert (found.known_us[0, found.shift[0] == 0] == NEVER).all()


@pytest.mark.parametrize("hours", [5, 12])
def test_a_slip_of_less_than_a_day_is_left_alone(hours: int) -> None:
    load = daily(30, noise=0.01)
    load[0, 22 * 24 : 22 * 24 + hours] = np.roll(load, 2, axis=1)[0, 22 * 24 : 22 * 24 + hours]
    assert not slips(load, days=30).shift.any()


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.3, 1.0])
def test_a_clock_that_is_right_is_left_alone(noise: float) -> None:
    assert not slips(np.abs(daily(90, noise=noise)), days=90).shift.any()


def test_a_constant_load_tells_nothing_of_its_clock() -> None:
    assert not slips(np.full((1, 30 * 24), 5.0), days=30).shift.any()


def test_the_clock_rule_can_be_switched_off() -> None:
    load = daily(30)
    load[0, 22 * 24 : 25 * 24] = np.roll(load, 2, axis=1)[0, 22 * 24 : 25 * 24]
    assert slips(load, days=30).shift.any()
    assert not slips(load, days=30, limits=Limits(clock_slip=False)).shift.any()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        pytest.param({"max_load_mw": -1.0}, "above min_load_mw", id="maximum below minimum"),
        pytest.param({"spike_z": 0.0}, "spike_z is 0.0; expected a value above 0", id="no deviation"),
        pytest.param({"flatline": timedelta(days=2)}, "at most 12:00:00", id="flatline beyond the context"),
        pytest.param({"max_estimated_gap": timedelta(days=2)}, "from 0 to 1 day", id="gap beyond the context"),
        pytest.param({"max_interpolated_gap": timedelta(days=2)}, "max_estimated_gap", id="gaps the wrong way round"),
    ],
)
def test_impossible_limits_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Limits(**wrong)
