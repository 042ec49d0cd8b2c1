"""Estimates in place of missing or unbelievable values. Arrays have the shape (series, slot)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple

import numpy as np

from gridcast.quality.bounds import Bounds
from gridcast.quality.grid import NEVER, Booleans, Clock, Floats, Integers
from gridcast.quality.like_days import HISTORY_DAYS

_EDGE: Final = timedelta(hours=1)
_NEIGHBOURHOOD: Final = timedelta(hours=12)
_EXACT_ENOUGH: Final = 1e-4
_AT_ONCE: Final = 2_000


@dataclass(frozen=True, slots=True)
class Estimates:
    """`load_mw`: NaN where nothing was estimated; `available_us`: when the last value it rests on had arrived.

    `is_like_days`: taken from like days (else interpolated).
    """

    load_mw: Floats
    available_us: Integers
    is_like_days: Booleans


class Believed(NamedTuple):
    """Loads that estimates may rest on, NaN elsewhere, and when each was known."""

    load_mw: Floats
    available_us: Integers


class _Gaps(NamedTuple):
    """Closed gaps, arrays of shape (gap,): series, the good slots on both sides."""

    row: Integers
    before: Integers
    after: Integers

    def only(self, chosen: Booleans | slice) -> "_Gaps":
        return _Gaps(self.row[chosen], self.before[chosen], self.after[chosen])

    @property
    def length(self) -> Integers:
        return self.after - self.before - 1


class _Entries(NamedTuple):
    """The slots inside gaps, (entry,): which gap, which slot, and how far through the gap it is, 0 to 1."""

    gap: Integers
    slot: Integers
    share: Floats


class _Likeness(NamedTuple):
    """How like days differ from the surroundings of gaps, (day, gap): at the edges in MW, and the weight of the day.

    A day that cannot be used weighs 0. `available_us`, (gap,): when the last of what was compared had arrived.
    """

    left_mw: Floats
    right_mw: Floats
    weight: Floats
    available_us: Integers


@np.errstate(over="ignore", invalid="ignore")
def estimate(around: Believed, *, past: Believed, clock: Clock, bounds: Bounds) -> Estimates:
    """Fill gaps in `around` that are short enough and closed on both sides.

    Short gaps are interpolated. Longer ones follow the like days among the 14 before, in `past`, at the same local wall
    time: each is moved so that it meets the hours on both sides, and their median is taken, days that run like the
    twelve hours before the gap weighing more. Without any like day the slot stays empty.
    """
    filled, known = np.full(around.load_mw.shape, np.nan), np.full(around.load_mw.shape, NEVER)
    is_like_days = np.zeros(around.load_mw.shape, np.bool_)
    gaps = _closed_gaps(np.isfinite(around.load_mw))
    gaps = gaps.only(gaps.length <= bounds.longest_estimated[gaps.row])
    is_short = gaps.length <= bounds.longest_interpolated[gaps.row]
    short, entries = gaps.only(is_short), _entries(gaps.only(is_short))
    where = short.row[entries.gap], entries.slot
    filled[where], known[where] = _interpolated(around, gaps=short, entries=entries)
    long = gaps.only(~is_short)
    for start in range(0, len(long.row), _AT_ONCE):
        some = long.only(slice(start, start + _AT_ONCE))
        entries = _entries(some)
        where = some.row[entries.gap], entries.slot
        filled[where], known[where] = _from_like_days(around, past, gaps=some, entries=entries, clock=clock)
        is_like_days[where] = True
    return Estimates(np.clip(filled, bounds.smallest_mw, bounds.largest_mw), known, is_like_days)


def _closed_gaps(is_good: Booleans) -> _Gaps:
    row, slot = np.nonzero(is_good)
    is_gap = (row[1:] == row[:-1]) & (slot[1:] > slot[:-1] + 1)
    return _Gaps(row[:-1][is_gap], slot[:-1][is_gap], slot[1:][is_gap])


def _entries(gaps: _Gaps) -> _Entries:
    gap = np.repeat(np.arange(len(gaps.row)), gaps.length)
    step = np.arange(len(gap)) - np.repeat(np.cumsum(gaps.length) - gaps.length, gaps.length) + 1
    return _Entries(gap, gaps.before[gap] + step, step / (gaps.length[gap] + 1))


def _interpolated(around: Believed, *, gaps: _Gaps, entries: _Entries) -> tuple[Floats, Integers]:
    left, right = around.load_mw[gaps.row, gaps.before], around.load_mw[gaps.row, gaps.after]
    known = np.maximum(around.available_us[gaps.row, gaps.before], around.available_us[gaps.row, gaps.after])
    return left[entries.gap] + (right - left)[entries.gap] * entries.share, known[entries.gap]


def _from_like_days(
    around: Believed, past: Believed, *, gaps: _Gaps, entries: _Entries, clock: Clock
) -> tuple[Floats, Integers]:
    """Weighted median of the like days, and when the last value it rests on had arrived."""
    likeness = _likeness(around, past, gaps=gaps, clock=clock)
    row = gaps.row[entries.gap]
    values, weights = (np.zeros((HISTORY_DAYS, len(row))) for _ in range(2))
    known = likeness.available_us[entries.gap]
    for day in range(HISTORY_DAYS):
        left, right = likeness.left_mw[day, entries.gap], likeness.right_mw[day, entries.gap]
        earlier = clock.same_time_days_before(day + 1)[entries.slot]
        values[day] = past.load_mw[row, earlier] + left + (right - left) * entries.share
        is_usable = (earlier >= 0) & np.isfinite(values[day]) & (likeness.weight[day, entries.gap] > 0)
        weights[day] = np.where(is_usable, likeness.weight[day, entries.gap], 0)
        known = np.where(is_usable, np.maximum(known, past.available_us[row, earlier]), known)
    return _weighted_median(np.where(weights > 0, values, np.inf), weights), known


def _likeness(around: Believed, past: Believed, *, gaps: _Gaps, clock: Clock) -> _Likeness:
    edge, reach = max(1, clock.count(_EDGE)), max(1, clock.count(_NEIGHBOURHOOD))
    left = gaps.before[:, None] - np.arange(reach)
    right = gaps.after[:, None] + np.arange(edge)
    middle = (gaps.before + gaps.after) // 2
    now_left, known_left = _look(around, row=gaps.row, slot=left)
    now_right, known_right = _look(around, row=gaps.row, slot=right)
    known = np.maximum(known_left.max(axis=1), known_right.max(axis=1))
    level = np.nanmean(now_left**2, axis=1)
    at_left, at_right, weight = (np.zeros((HISTORY_DAYS, len(gaps.row))) for _ in range(3))
    for day in range(HISTORY_DAYS):
        earlier = clock.same_time_days_before(day + 1)
        then_left, known_left = _look(past, row=gaps.row, slot=_through(earlier, left))
        then_right, known_right = _look(past, row=gaps.row, slot=_through(earlier, right))
        apart = now_left - then_left
        at_left[day], at_right[day] = _mean(apart[:, :edge]), _mean(now_right - then_right)
        misfit = _mean((apart - at_left[day][:, None]) ** 2) + (at_right[day] - at_left[day]) ** 2 / reach
        is_alike = (earlier[middle] >= 0) & (clock.is_weekend[middle] == clock.is_weekend[earlier[middle]])
        usable = is_alike & np.isfinite(misfit)
        weight[day] = np.where(usable, 1 / (misfit + _EXACT_ENOUGH * level + np.finfo(np.float64).tiny), 0)
        latest = np.maximum(known_left.max(axis=1), known_right.max(axis=1))
        known = np.where(usable, np.maximum(known, latest), known)
    return _Likeness(at_left, at_right, weight, known)


def _look(values: Believed, *, row: Integers, slot: Integers) -> tuple[Floats, Integers]:
    """Loads and arrival times at slots of shape (gap, step); NaN and `NEVER` outside the grid or if not believed."""
    inside = (slot >= 0) & (slot < values.load_mw.shape[1])
    at = np.where(inside, slot, 0)
    load = np.where(inside, values.load_mw[row[:, None], at], np.nan)
    return load, np.where(np.isfinite(load), values.available_us[row[:, None], at], NEVER)


def _through(earlier: Integers, slot: Integers) -> Integers:
    inside = (slot >= 0) & (slot < len(earlier))
    return np.where(inside, earlier[np.where(inside, slot, 0)], -1)


def _mean(values: Floats) -> Floats:
    """Mean over the steps of each gap of what is there, NaN of nothing."""
    count = np.isfinite(values).sum(axis=1)
    return np.where(count > 0, np.nansum(values, axis=1) / np.maximum(count, 1), np.nan)


def _weighted_median(values: Floats, weights: Floats) -> Floats:
    """Over the first axis: the smallest value that has half of the weight at or below it; NaN without any weight."""
    order = np.argsort(values, axis=0, kind="stable")
    reached = np.cumsum(np.take_along_axis(weights, order, axis=0), axis=0)
    chosen = (reached >= reached[-1] / 2).argmax(axis=0)
    median = np.take_along_axis(np.take_along_axis(values, order, axis=0), chosen[None], axis=0)[0]
    return np.where(reached[-1] > 0, median, np.nan)
