"""Estimates in place of missing or unbelievable values. Arrays have the shape (series, slot)."""

from dataclasses import dataclass

import numpy as np

from gridcast.quality.grid import NEVER, Booleans, Clock, Floats, Integers
from gridcast.quality.limits import Limits

_ANCHORS = 3
_SMALLEST_RATIO, _LARGEST_RATIO = 0.5, 2.0


@dataclass(frozen=True, slots=True)
class Estimates:
    """`load_mw`: NaN where nothing was estimated; `available_us`: when the last value it rests on had arrived.

    `is_last_week`: taken from the week before (else interpolated).
    """

    load_mw: Floats
    available_us: Integers
    is_last_week: Booleans


@dataclass(frozen=True, slots=True)
class _Gaps:
    """One entry per slot inside a closed gap, arrays of shape (entry,): where it is and the good values around it."""

    row: Integers
    slot: Integers
    before: Integers
    after: Integers

    def only(self, chosen: Booleans) -> "_Gaps":
        return _Gaps(self.row[chosen], self.slot[chosen], self.before[chosen], self.after[chosen])


def estimate(load_mw: Floats, available_us: Integers, *, clock: Clock, limits: Limits) -> Estimates:
    """Fill gaps between believed values (`load_mw` is NaN elsewhere) that are short enough and closed on both sides.

    Short gaps are interpolated. Longer ones take the same local wall time one week before, scaled by what up to three
    values on either side are to their own week before. A value one week before that is no good leaves the slot empty.
    """
    filled, known = np.full(load_mw.shape, np.nan), np.full(load_mw.shape, NEVER)
    is_last_week = np.zeros(load_mw.shape, np.bool_)
    gaps = _closed_gaps(np.isfinite(load_mw), longest=clock.count(limits.max_estimated_gap))
    is_short = gaps.after - gaps.before - 1 <= clock.count(limits.max_interpolated_gap)
    short, long = gaps.only(is_short), gaps.only(~is_short)
    filled[short.row, short.slot], known[short.row, short.slot] = _interpolated(load_mw, available_us, gaps=short)
    week_before = clock.same_time_days_before(7)
    filled[long.row, long.slot], known[long.row, long.slot] = _last_week(
        load_mw, available_us, gaps=long, week_before=week_before, limits=limits
    )
    is_last_week[long.row, long.slot] = True
    return Estimates(filled, known, is_last_week)


def _closed_gaps(is_good: Booleans, *, longest: int) -> _Gaps:
    slots = is_good.shape[1]
    slot = np.arange(slots)
    before = np.maximum.accumulate(np.where(is_good, slot, -1), axis=1)
    after = np.minimum.accumulate(np.where(is_good, slot, slots)[:, ::-1], axis=1)[:, ::-1]
    is_closed = ~is_good & (before >= 0) & (after < slots) & (after - before - 1 <= longest)
    row, column = np.nonzero(is_closed)
    return _Gaps(row, column, before[row, column], after[row, column])


def _interpolated(load_mw: Floats, available_us: Integers, *, gaps: _Gaps) -> tuple[Floats, Integers]:
    left, right = load_mw[gaps.row, gaps.before], load_mw[gaps.row, gaps.after]
    share = (gaps.slot - gaps.before) / (gaps.after - gaps.before)
    known = np.maximum(available_us[gaps.row, gaps.before], available_us[gaps.row, gaps.after])
    return left + (right - left) * share, known


def _last_week(
    load_mw: Floats, available_us: Integers, *, gaps: _Gaps, week_before: Integers, limits: Limits
) -> tuple[Floats, Integers]:
    now, then = np.zeros(len(gaps.row)), np.zeros(len(gaps.row))
    reference = week_before[gaps.slot]
    known = np.where(reference >= 0, available_us[gaps.row, reference], NEVER)
    for anchor in [gaps.before - step for step in range(_ANCHORS)] + [gaps.after + step for step in range(_ANCHORS)]:
        inside = np.where((anchor >= 0) & (anchor < load_mw.shape[1]), anchor, 0)
        earlier = week_before[inside]
        value, week = load_mw[gaps.row, inside], load_mw[gaps.row, earlier]
        use = (anchor == inside) & (earlier >= 0) & np.isfinite(value) & np.isfinite(week)
        now, then = now + np.where(use, value, 0), then + np.where(use, week, 0)
        latest = np.maximum(available_us[gaps.row, inside], available_us[gaps.row, earlier])
        known = np.where(use, np.maximum(known, latest), known)
    ratio = np.clip(
        np.divide(now, then, out=np.full(len(now), np.nan), where=then > 0), _SMALLEST_RATIO, _LARGEST_RATIO
    )
    value = np.where(reference >= 0, load_mw[gaps.row, reference], np.nan) * ratio
    return np.clip(value, limits.min_load_mw, limits.max_load_mw), known
