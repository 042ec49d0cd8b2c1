"""Rules on range and repetition: which received values cannot be believed. Arrays have the shape (series, slot)."""

import numpy as np

from gridcast.quality.bounds import Bounds
from gridcast.quality.grid import NEVER, Booleans, Floats, Integers


def is_below(load_mw: Floats, *, bounds: Bounds) -> Booleans:
    """Where the load is less than the smallest believable one."""
    return load_mw < bounds.smallest_mw


def is_above(load_mw: Floats, *, bounds: Bounds) -> Booleans:
    """Where the load is more than the largest believable one."""
    return load_mw > bounds.largest_mw


def flatline_verdict(load_mw: Floats, available_us: Integers, *, bounds: Bounds) -> Integers:
    """When a value was known to belong to a flatline, µs since 1970; `NEVER` where it does not.

    A flatline is a run of equal values other than zero that lasts at least as long as the limit of its series.
    """
    verdict = np.full(load_mw.shape, NEVER)
    slots = load_mw.shape[1]
    if not slots:
        return verdict
    slot = np.arange(slots, dtype=np.int32)
    starts_run = np.ones(load_mw.shape, np.bool_)
    starts_run[:, 1:] = (load_mw[:, 1:] != load_mw[:, :-1]) | (load_mw[:, 1:] == 0)
    length = slot - np.maximum.accumulate(np.where(starts_run, slot, 0), axis=1) + 1
    for needed in np.unique(bounds.flatline[bounds.flatline > 0]):
        series, full = np.nonzero((length >= needed) & (bounds.flatline == needed)[:, None])
        if series.size:
            _judge(verdict, available_us, series=series, full=full, needed=int(needed))
    return verdict


def _judge(verdict: Integers, available_us: Integers, *, series: Integers, full: Integers, needed: int) -> None:
    """Write the verdict on the values before each slot at which a run is long enough, the first such slot's last."""
    known = available_us[series, full]
    for step in range(1, needed):
        known = np.maximum(known, available_us[series, full - step])
    for step in reversed(range(needed)):
        verdict[series, full - step] = known
