"""The clock rule: a day or more of readings stamped some whole hours off. Arrays have the shape (series, slot)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple

import numpy as np

from gridcast.quality.bounds import Bounds
from gridcast.quality.grid import NEVER, Booleans, Clock, Integers, microseconds, running_maximum
from gridcast.quality.like_days import Singles, like_slots

_HOUR: Final = timedelta(hours=1)
_LARGEST_SHIFT: Final = 3
_SHIFTS: Final = (*range(-_LARGEST_SHIFT, 0), *range(1, _LARGEST_SHIFT + 1))
_WINDOW: Final = 24
_WORTH_A_LOOK: Final = 0.5
_FAR_BETTER: Final = 0.28
_BETTER_AGAIN: Final = 0.45
_AGAIN_WITHIN: Final = 120
_BETTER_IN_EACH_HALF: Final = 0.6
_SHARE_OF_PATTERN: Final = 0.5
_WORTH_AN_HOUR: Final = 0.005
_SECOND_THOUGHTS: Final = 6
_AT_ONCE: Final = 2_000


@dataclass(frozen=True, slots=True)
class ClockSlips:
    """`shift`: slots by which a value is stamped too late (negative: too early), 0 where nothing says so.

    `known_us`: when that was known, `NEVER` elsewhere.
    """

    shift: Integers
    known_us: Integers


class _Windows(NamedTuple):
    """Days that fit better when shifted, (window,): series, last hour, and hours by which they are stamped too late."""

    row: Integers
    last: Integers
    shift: Integers

    def only(self, chosen: Booleans | slice) -> "_Windows":
        return _Windows(self.row[chosen], self.last[chosen], self.shift[chosen])


class _Gain(NamedTuple):
    """What shifting a window brings, (window,).

    `error`: share of the sum of squares that is left, 1 where it is no real gain; `begin`, `end`: the first hour of the
    window, and one behind the last, in which it brings something.
    """

    error: Singles
    begin: Integers
    end: Integers

    def only(self, chosen: Booleans) -> "_Gain":
        return _Gain(self.error[chosen], self.begin[chosen], self.end[chosen])


class _Slipped(NamedTuple):
    """Hours stamped wrongly, (hour,): series, hour, hours they are too late, hour at which the verdict was reached."""

    row: Integers
    hour: Integers
    shift: Integers
    judged: Integers


def clock_slips(
    load_mw: Singles, available_us: Integers, *, middle_mw: Singles, clock: Clock, bounds: Bounds
) -> ClockSlips:
    """Stretches of at least 24 h whose hourly steps fit those of like days far better some hours earlier or later.

    Far better: the sum of squares against the typical like day falls below 0.28 of what it is without a shift (within
    five days of such a verdict, below 0.45), in both halves of the day below 0.6, and below half of the pattern itself.
    Shifts of up to three hours are tried; a gap forbids a verdict. A shift of more than a week becomes the new pattern.
    """
    slips = ClockSlips(np.zeros(load_mw.shape, np.int64), np.full(load_mw.shape, NEVER))
    per_hour = clock.count(_HOUR)
    if _HOUR % clock.interval or clock.slots <= (1 + _WINDOW + 2 * _LARGEST_SHIFT) * per_hour:
        return slips
    phase = clock.utc_us % microseconds(clock.interval)
    start = int(np.argmax((clock.utc_us - phase) % microseconds(_HOUR) == 0))
    hours = (clock.slots - start) // per_hour
    whole = slice(start, start + hours * per_hour)
    load, middle = (
        values[:, whole].reshape(len(values), hours, per_hour).mean(axis=2) for values in (load_mw, middle_mw)
    )
    first = slice(start, whole.stop, per_hour)
    hourly = Clock(_HOUR, clock.utc_us[first], clock.offset_us[first], clock.is_weekend[first])
    windows = _worth_a_look(load, middle, bounds=bounds)
    gain = _gain(load, windows, sources=like_slots(hourly))
    chosen = _convincing(windows, gain.error, hours=hours)
    slipped = _slipped_hours(windows.only(chosen), gain.only(chosen), hours=hours)
    if len(slipped.row):
        _write(slips, slipped, available_us, start=start, per_hour=per_hour)
    return slips


def _worth_a_look(load: Singles, middle: Singles, *, bounds: Bounds) -> _Windows:
    """Windows in which some shift at least halves the sum of squares against the median of the like days."""
    step, usual = _steps(load), _steps(middle)
    unshifted = _window_sum((step - usual) ** 2)
    best, shift = np.full(load.shape, np.inf, np.float32), np.zeros(load.shape, np.int64)
    has_all = np.isfinite(unshifted)
    for hours in _SHIFTS:
        error = _window_sum((_shifted(step, hours) - usual) ** 2)
        has_all &= np.isfinite(error)
        is_better = error < best
        best[is_better], shift[is_better] = error[is_better], hours
    row, last = np.nonzero(has_all & (best < _WORTH_A_LOOK * unshifted) & bounds.has_clock_slips[:, None])
    return _Windows(row, last, shift[row, last])


def _convincing(windows: _Windows, error: Singles, *, hours: int) -> Booleans:
    """Which windows are far better, or somewhat better within five days behind one with the same shift that is."""
    stride = hours + _AGAIN_WITHIN + 1
    key = (windows.row * (2 * _LARGEST_SHIFT + 1) + windows.shift) * stride + windows.last
    is_far_better = error < _FAR_BETTER
    first = np.concatenate([[-stride * (_LARGEST_SHIFT + 1)], np.sort(key[is_far_better])])
    before = first[np.searchsorted(first, key) - 1]
    chosen: Booleans = is_far_better | ((error < _BETTER_AGAIN) & (key - before <= _AGAIN_WITHIN))
    return chosen


def _gain(load: Singles, windows: _Windows, *, sources: Integers) -> _Gain:
    """Measured against the like day whose sum of squares is the median of all, without a shift and with it."""
    parts = [
        _gain_of_some(load, windows.only(slice(start, start + _AT_ONCE)), sources=sources)
        for start in range(0, max(1, len(windows.row)), _AT_ONCE)
    ]
    return _Gain(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _gain_of_some(load: Singles, windows: _Windows, *, sources: Integers) -> _Gain:
    hour = windows.last[:, None] + np.arange(-_WINDOW, 1)
    row, source = windows.row[:, None], sources[:, hour]
    like = np.diff(np.where(source >= 0, load[row, source], np.float32(np.nan)), axis=-1)
    shifted = _typical(np.diff(load[row, hour + windows.shift[:, None]], axis=-1), like=like)
    unshifted = _typical(np.diff(load[row, hour], axis=-1), like=like)
    pattern = _typical(np.zeros_like(like[0]), like=like).sum(axis=-1)
    before, after = _halves(unshifted), _halves(shifted)
    left, whole = after.sum(axis=-1), before.sum(axis=-1)
    is_real = (after < _BETTER_IN_EACH_HALF * before).all(axis=-1) & (left < _SHARE_OF_PATTERN * pattern)
    error = np.where(is_real, left / np.where(is_real, whole, 1), np.float32(1))
    brings = unshifted - shifted > _WORTH_AN_HOUR * whole[:, None]
    return _Gain(error, brings.argmax(axis=-1), _WINDOW - brings[:, ::-1].argmax(axis=-1))


def _typical(step: Singles, *, like: Singles) -> Singles:
    """Squares by hour, (window, hour), against the like day whose sum of squares is the median of all."""
    squares = (step - like) ** 2
    total = squares.sum(axis=-1)
    middle = np.maximum(np.isfinite(total).sum(axis=0) - 1, 0) // 2
    chosen = np.take_along_axis(np.argsort(total, axis=0), middle[None], axis=0)[0]
    typical: Singles = squares[chosen, np.arange(len(chosen))]
    return typical


def _halves(squares: Singles) -> Singles:
    halves: Singles = squares.reshape(-1, 2, _WINDOW // 2).sum(axis=-1)
    return halves


def _slipped_hours(windows: _Windows, gain: _Gain, *, hours: int) -> _Slipped:
    """The hours stamped wrongly. Of the windows around one that end up to six hours after the first the best counts."""
    length = gain.end - gain.begin
    window = np.repeat(np.arange(len(length)), length)
    step = np.arange(len(window)) - np.repeat(np.cumsum(length) - length, length)
    row, last, shift = (each[window] for each in windows)
    hour = last - _WINDOW + 1 + gain.begin[window] + step + shift
    place = row * hours + hour
    places, index = np.unique(place, return_inverse=True)
    first = np.full(len(places), np.iinfo(np.int64).max)
    np.minimum.at(first, index, last)
    is_early = last <= first[index] + _SECOND_THOUGHTS
    order = np.lexsort((last, gain.error[window], place))
    order = order[is_early[order]]
    best = order[np.diff(place[order], prepend=-1) > 0]
    return _Slipped(row[best], hour[best], shift[best], first[index[best]] + _SECOND_THOUGHTS)


def _write(slips: ClockSlips, slipped: _Slipped, available_us: Integers, *, start: int, per_hour: int) -> None:
    rows, row = np.unique(slipped.row, return_inverse=True)
    span = (1 + _WINDOW + 2 * _LARGEST_SHIFT + _SECOND_THOUGHTS) * per_hour
    seen = running_maximum(available_us[rows], slots=span)
    last = np.minimum(start + (slipped.judged + _LARGEST_SHIFT + 1) * per_hour, seen.shape[1]) - 1
    for part in range(per_hour):
        slot = start + slipped.hour * per_hour + part
        slips.shift[slipped.row, slot] = slipped.shift * per_hour
        slips.known_us[slipped.row, slot] = seen[row, last]


def _steps(values: Singles) -> Singles:
    return np.diff(values, axis=1, prepend=np.float32(np.nan))


def _shifted(values: Singles, hours: int) -> Singles:
    """Values some hours later (negative: earlier) on each slot, NaN where there is none."""
    moved = np.full(values.shape, np.nan, np.float32)
    if hours > 0:
        moved[:, :-hours] = values[:, hours:]
    else:
        moved[:, -hours:] = values[:, :hours]
    return moved


def _window_sum(values: Singles) -> Singles:
    """Sum over the 24 hours up to each one, in an order that does not depend on where the grid starts."""
    total = np.full(values.shape, np.nan, np.float32)
    eight = values
    for width in (1, 2, 4):
        eight = eight[:, width:] + eight[:, :-width]
    sixteen = eight[:, 8:] + eight[:, :-8]
    total[:, _WINDOW - 1 :] = sixteen[:, 8:] + eight[:, : -2 * 8]
    return total
