"""What a series does at a time of day on like days: median and spread. Arrays have the shape (series, slot)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gridcast.quality.grid import Clock, Floats, Integers

Singles: TypeAlias = NDArray[np.float32]

HISTORY_DAYS: Final = 14
FEWEST_LIKE_DAYS: Final = 3

_NORMAL_MAD: Final = 1.4826
_LARGEST_MW: Final = 1e15


@dataclass(frozen=True, slots=True)
class LikeDays:
    """`middle`: median of the like days, NaN where they are too few; `spread`: their robust standard deviation."""

    middle: Singles
    spread: Singles


def like_days(load_mw: Singles, *, clock: Clock) -> LikeDays:
    """Median and spread of the workdays (or weekend days) among the 14 before, at the same local wall time.

    Fewer than three of them with a load: no median.
    """
    history = _at(load_mw, sources=like_slots(clock))
    count = sort_slices(history)
    middle = sorted_median(history, count)
    with np.errstate(invalid="ignore"):
        np.abs(history - middle, out=history)
    sort_slices(history)
    spread = np.float32(_NORMAL_MAD) * sorted_median(history, count)
    middle[count < FEWEST_LIKE_DAYS] = np.nan
    return LikeDays(middle, spread)


def to_singles(load_mw: Floats) -> Singles:
    """Loads in single precision, exact enough for a verdict, cut at 1e15 MW so that their squares are finite."""
    return np.clip(load_mw, -_LARGEST_MW, _LARGEST_MW).astype(np.float32)


def recent_median(values: Singles, *, slots: int) -> Singles:
    """Median of so many slots before each one; NaN where the grid does not reach or none has a value."""
    recent = np.full(values.shape, np.nan, np.float32)
    reach = values.shape[1] - slots
    if reach > 0:
        window = np.stack([values[:, start : start + reach] for start in range(slots)])
        recent[:, slots:] = sorted_median(window, sort_slices(window))
    return recent


def sort_slices(slices: Singles) -> Integers:
    """Sort along the first axis in place, missing values last; how many are not missing.

    A sorting network: whole slices are compared at once, which is several times as fast as sorting short columns.
    """
    missing = np.isnan(slices)
    slices[missing] = np.inf
    spare = np.empty(slices.shape[1:], slices.dtype)
    for low, high in _comparators(len(slices)):
        np.minimum(slices[low], slices[high], out=spare)
        np.maximum(slices[low], slices[high], out=slices[high])
        slices[low] = spare
    count: Integers = len(slices) - missing.sum(axis=0, dtype=np.int64)
    return count


def sorted_median(ordered: Singles, count: Integers) -> Singles:
    """Median of the first `count` of sorted slices; NaN of none."""
    lower = np.maximum(count - 1, 0) // 2
    upper = np.minimum(count // 2, len(ordered) - 1)
    pair = np.take_along_axis(ordered, np.stack([lower, upper]), axis=0)
    middle: Singles = np.where(count > 0, pair[0] / 2 + pair[1] / 2, np.float32(np.nan))
    return middle


def _comparators(size: int) -> Iterator[tuple[int, int]]:
    """Pairs to put in order, one after the other, to sort `size` values (merge exchange: Knuth, TAOCP 3, 5.2.2 M)."""
    top = 1 << max(0, (size - 1).bit_length() - 1)
    step = top
    while step > 0:
        apart, rest, distance = top, 0, step
        while True:
            yield from ((low, low + distance) for low in range(size - distance) if low & step == rest)
            if apart == step:
                break
            distance, apart, rest = apart - step, apart // 2, step
        step //= 2


def like_slots(clock: Clock) -> Integers:
    """For each slot the like slots of the days before it, (rank, slot); -1 where there are fewer."""
    found = np.full((HISTORY_DAYS, clock.slots), -1)
    used = np.zeros(clock.slots, np.int64)
    for days in range(1, HISTORY_DAYS + 1):
        earlier = clock.same_time_days_before(days)
        alike = np.flatnonzero((earlier >= 0) & (clock.is_weekend == clock.is_weekend[earlier]))
        found[used[alike], alike] = earlier[alike]
        used[alike] += 1
    return found[: max(1, used.max(initial=0))]


def _at(values: Singles, *, sources: Integers) -> Singles:
    """Values at other slots, (source, series, slot); NaN where the source is -1."""
    padded = np.pad(values, ((0, 0), (0, 1)), constant_values=np.nan)
    return np.stack([padded[:, source] for source in sources])
