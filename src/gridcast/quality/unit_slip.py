"""The unit rule: values received a thousand times too large or too small. Arrays have the shape (series, slot)."""

from typing import Final

import numpy as np

from gridcast.quality.bounds import Bounds
from gridcast.quality.grid import DAY, Clock, Floats, Integers, microseconds
from gridcast.quality.like_days import Singles

_FACTOR: Final = 1000.0
_HISTORY_DAYS: Final = 21
_FEWEST_DAYS: Final = 3
_SUSPICIOUS: Final = 100.0
_LARGEST_MISFIT: Final = 2.0
_AT_ONCE: Final = 50_000


def rescaled(load_mw: Floats, *, past_mw: Singles, clock: Clock, bounds: Bounds) -> Floats:
    """Loads received a thousand times too large or too small, put right; NaN where nothing says so.

    Put right, a load is within a factor of two of the median of the 21 days before (`past_mw`, NaN where
    unbelievable) at the same local wall time, and within the range a load may have. Looks back only; a slip of more
    than ten days becomes the new level.
    """
    right = np.full(load_mw.shape, np.nan)
    level = _level(past_mw, clock=clock)
    with np.errstate(invalid="ignore"):
        size = np.abs(load_mw)
        is_odd = (size > _SUSPICIOUS * level) | ((size < level / _SUSPICIOUS) & (size > 0))
    row, slot = np.nonzero(is_odd & bounds.has_unit_slips[:, None])
    if not row.size:
        return right
    earlier = np.stack([clock.same_time_days_before(days) for days in range(1, _HISTORY_DAYS + 1)])
    for start in range(0, row.size, _AT_ONCE):
        where = row[start : start + _AT_ONCE], slot[start : start + _AT_ONCE]
        right[where] = _put_right(load_mw[where], usual=_usual(past_mw, row=where[0], earlier=earlier[:, where[1]]))
    right[(right < bounds.smallest_mw) | (right > bounds.largest_mw)] = np.nan
    return right


def _level(past_mw: Singles, *, clock: Clock) -> Floats:
    """Median over the 21 UTC days before of each day's median size, NaN without one or where it is zero."""
    per_day, first = clock.count(DAY), int(clock.utc_us[0] % microseconds(DAY) // microseconds(clock.interval))
    last = -(first + clock.slots) % per_day
    days = np.pad(np.abs(past_mw), ((0, 0), (first, last)), constant_values=np.nan)
    medians = _median(days.reshape(len(days), -1, per_day))
    history = np.pad(medians[:, :-1], ((0, 0), (_HISTORY_DAYS, 0)), constant_values=np.nan)
    level = _median(np.lib.stride_tricks.sliding_window_view(history, _HISTORY_DAYS, axis=1))
    by_slot = np.repeat(np.where(level > 0, level, np.nan), per_day, axis=1)
    return by_slot[:, first : first + clock.slots]


def _usual(past_mw: Singles, *, row: Integers, earlier: Integers) -> Floats:
    """Median of the days before at the same time, (value,); NaN where they are too few."""
    history = np.where(earlier >= 0, past_mw[row, earlier], np.nan).T
    usual = _median(history)
    return np.where(np.isfinite(history).sum(axis=-1) >= _FEWEST_DAYS, usual, np.nan)


def _put_right(load_mw: Floats, *, usual: Floats) -> Floats:
    """A thousandth or a thousand times a load where that is near to what is usual, else NaN."""
    with np.errstate(over="ignore"):
        right = np.where(np.abs(load_mw) > np.abs(usual), load_mw / _FACTOR, load_mw * _FACTOR)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = right / usual
    return np.where((ratio > 1 / _LARGEST_MISFIT) & (ratio < _LARGEST_MISFIT), right, np.nan)


def _median(values: Floats | Singles) -> Floats:
    """Median along the last axis of what is there; NaN of nothing."""
    ordered = np.sort(values, axis=-1)
    count = np.isfinite(ordered).sum(axis=-1)
    lower, upper = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, ordered.shape[-1] - 1)
    pair = np.take_along_axis(ordered, np.stack([lower, upper], axis=-1), axis=-1)
    return np.where(count > 0, pair.mean(axis=-1, dtype=np.float64), np.nan)
