"""The spike rule: values that jump away from what the series does at that time of day. Arrays are (series, slot)."""

from datetime import timedelta
from typing import Final

import numpy as np

from gridcast.quality.grid import DAY, Booleans, Clock, Floats, Integers
from gridcast.quality.limits import Limits

_HISTORY_DAYS: Final = 14
_RECENT: Final = timedelta(hours=3)
_NORMAL_MAD: Final = 1.4826
_FEWEST_LIKE_DAYS: Final = 3
_SMALLEST_SCALE_MW: Final = 1e-6
_JUMP_RANK: Final = 3
_UNUSUAL_JUMP: Final = 2.5


def is_spike(load_mw: Floats, *, clock: Clock, limits: Limits) -> Booleans:
    """Where the load leaves its like days and its last three hours at once, further than this series usually jumps.

    Like days are the workdays (or weekend days) among the 14 before, at the same local wall time; fewer than three of
    them: no verdict. The usual jump is the third largest daily one of the 14 days before, so that loads which switch
    on and off are left alone. A change that lasts is a new level: only its first hours can be spikes. Looks back only.
    """
    middle, scale = _like_days(load_mw, clock=clock, limits=limits)
    deviation = load_mw - middle
    jump = _jump(load_mw, deviation, clock=clock)
    with np.errstate(invalid="ignore"):
        is_far = np.abs(deviation) > limits.spike_z * scale
        is_steep = np.abs(jump) > np.maximum(
            limits.spike_jump * np.abs(middle), _UNUSUAL_JUMP * _usual_jump(load_mw, clock=clock)
        )
        spike: Booleans = is_far & is_steep & (np.sign(deviation) == np.sign(jump))
    return spike


def _like_days(load_mw: Floats, *, clock: Clock, limits: Limits) -> tuple[Floats, Floats]:
    """Median of the like days, NaN where they are too few, and their robust standard deviation, never near zero."""
    history = np.full((*load_mw.shape, _HISTORY_DAYS), np.nan)
    for days in range(1, _HISTORY_DAYS + 1):
        earlier = clock.same_time_days_before(days)
        alike = np.flatnonzero((earlier >= 0) & (clock.is_weekend == clock.is_weekend[earlier]))
        history[:, alike, days - 1] = load_mw[:, earlier[alike]]
    history.sort(axis=-1)
    count = np.isfinite(history).sum(axis=-1)
    middle = _sorted_median(history, count)
    np.abs(history - middle[..., None], out=history)
    history.sort(axis=-1)
    spread = _NORMAL_MAD * _sorted_median(history, count)
    scale = np.maximum(np.maximum(spread, limits.spike_floor * np.abs(middle)), _SMALLEST_SCALE_MW)
    return np.where(count >= _FEWEST_LIKE_DAYS, middle, np.nan), scale


def _jump(load_mw: Floats, deviation: Floats, *, clock: Clock) -> Floats:
    """Signed step from the last three hours, the smaller of load's and deviation's; 0 where they disagree."""
    slots = max(1, clock.count(_RECENT))
    of_load = load_mw - _recent_median(load_mw, slots=slots)
    of_deviation = deviation - _recent_median(deviation, slots=slots)
    size = np.fmin(np.abs(of_load), np.abs(of_deviation))
    return np.where(np.sign(of_load) == np.sign(of_deviation), np.sign(of_load) * size, 0.0)


def _usual_jump(load_mw: Floats, *, clock: Clock) -> Floats:
    """The third largest of the largest jumps, against the day before, of each of the last 14 days."""
    day = clock.count(DAY)
    earlier = clock.same_time_days_before(1)
    change = np.where(earlier >= 0, load_mw - load_mw[:, earlier], np.nan)
    largest = _running_maximum(np.abs(np.nan_to_num(_jump(load_mw, change, clock=clock))), slots=day)
    history = np.zeros((*load_mw.shape, _HISTORY_DAYS))
    for days in range(1, min(_HISTORY_DAYS, (clock.slots - 1) // day) + 1):
        history[:, days * day :, days - 1] = largest[:, : -days * day]
    history.sort(axis=-1)
    return history[..., -_JUMP_RANK]


def _running_maximum(values: Floats, *, slots: int) -> Floats:
    largest, width = values, 1
    while width < min(slots, values.shape[1]):
        step = min(width, slots - width)
        wider = largest.copy()
        np.maximum(largest[:, step:], largest[:, :-step], out=wider[:, step:])
        largest, width = wider, width + step
    return largest


def _recent_median(values: Floats, *, slots: int) -> Floats:
    recent = np.full(values.shape, np.nan)
    if values.shape[1] > slots:
        window = np.lib.stride_tricks.sliding_window_view(values[:, :-1], slots, axis=1)
        ordered = np.sort(window, axis=-1)
        recent[:, slots:] = _sorted_median(ordered, np.isfinite(ordered).sum(axis=-1))
    return recent


def _sorted_median(ordered: Floats, count: Integers) -> Floats:
    lower = np.maximum((count - 1) // 2, 0)[..., None]
    upper = np.where(count > 0, count // 2, 0)[..., None]
    pair = np.take_along_axis(ordered, lower, axis=-1) + np.take_along_axis(ordered, upper, axis=-1)
    middle: Floats = pair[..., 0] / 2
    return middle
