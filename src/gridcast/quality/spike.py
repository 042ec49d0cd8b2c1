"""The spike rule: values that jump away from what the series does at that time of day. Arrays are (series, slot)."""

from datetime import timedelta
from typing import Final

import numpy as np

from gridcast.quality.bounds import Bounds
from gridcast.quality.grid import DAY, Booleans, Clock, running_maximum
from gridcast.quality.like_days import HISTORY_DAYS, LikeDays, Singles, recent_median

_RECENT: Final = timedelta(hours=3)
_SMALLEST_SCALE_MW: Final = 1e-6
_UNUSUAL_JUMP: Final = 2.0


def is_spike(load_mw: Singles, *, past_mw: Singles, usual: LikeDays, clock: Clock, bounds: Bounds) -> Booleans:
    """Where the load leaves its like days and its last three hours at once, further than this series usually jumps.

    Like days: see like_days. The usual jump is the third largest daily one of the 14 days before, in `past_mw`, so
    that loads which switch on and off are left alone. A change that lasts is a new level: only its first hours can be
    spikes. Looks back only.
    """
    size = np.abs(usual.middle)
    deviation = load_mw - usual.middle
    scale = np.maximum(np.maximum(usual.spread, bounds.spike_floor.astype(np.float32) * size), _SMALLEST_SCALE_MW)
    jump = _jump(load_mw, deviation, clock=clock)
    with np.errstate(invalid="ignore"):
        is_far = np.abs(deviation) > bounds.spike_z.astype(np.float32) * scale
        is_steep = np.abs(jump) > bounds.spike_jump.astype(np.float32) * size
    spike: Booleans = is_far & is_steep & (np.sign(deviation) == np.sign(jump))
    rows = np.flatnonzero(spike.any(axis=1))
    if rows.size:
        spike[rows] &= np.abs(jump[rows]) > _UNUSUAL_JUMP * _usual_jump(past_mw[rows], clock=clock)
    return spike


def _jump(load_mw: Singles, deviation: Singles, *, clock: Clock) -> Singles:
    """Signed step from the last three hours, the smaller of load's and deviation's; 0 where they disagree."""
    slots = max(1, clock.count(_RECENT))
    of_load = load_mw - recent_median(load_mw, slots=slots)
    of_deviation = deviation - recent_median(deviation, slots=slots)
    size = np.fmin(np.abs(of_load), np.abs(of_deviation))
    return np.where(np.sign(of_load) == np.sign(of_deviation), np.copysign(size, of_load), np.float32(0))


def _usual_jump(load_mw: Singles, *, clock: Clock) -> Singles:
    """The third largest of the largest jumps, against the day before, of each of the last 14 days."""
    day = clock.count(DAY)
    earlier = clock.same_time_days_before(1)
    change = np.where(earlier >= 0, load_mw - load_mw[:, earlier], np.float32(np.nan))
    largest = running_maximum(np.abs(np.nan_to_num(_jump(load_mw, change, clock=clock))), slots=day)
    first, second, third = (np.zeros(load_mw.shape, np.float32) for _ in range(3))
    for days in range(1, min(HISTORY_DAYS, (clock.slots - 1) // day) + 1):
        later, rest = slice(days * day, None), largest[:, : -days * day]
        for best in (first, second, third):
            better = np.maximum(best[:, later], rest)
            rest = np.minimum(best[:, later], rest)
            best[:, later] = better
    return third
