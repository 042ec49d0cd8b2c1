"""Rules on range and repetition: which received values cannot be believed. Arrays have the shape (series, slot)."""

import numpy as np

from gridcast.quality.grid import NEVER, Booleans, Clock, Floats, Integers
from gridcast.quality.limits import Limits


def is_below(load_mw: Floats, *, limits: Limits) -> Booleans:
    """Where the load is less than the smallest believable one."""
    return load_mw < limits.min_load_mw


def is_above(load_mw: Floats, *, limits: Limits) -> Booleans:
    """Where the load is more than the largest believable one."""
    return load_mw > (np.inf if limits.max_load_mw is None else limits.max_load_mw)


def flatline_verdict(load_mw: Floats, available_us: Integers, *, clock: Clock, limits: Limits) -> Integers:
    """When a value was known to belong to a flatline, µs since 1970; `NEVER` where it does not.

    A flatline is a run of equal values other than zero that lasts at least `limits.flatline`.
    """
    verdict = np.full(load_mw.shape, NEVER)
    needed = 0 if limits.flatline is None else max(2, clock.count(limits.flatline))
    if not needed or clock.slots < needed:
        return verdict
    slot = np.arange(clock.slots)
    starts_run = np.ones(load_mw.shape, np.bool_)
    starts_run[:, 1:] = (load_mw[:, 1:] != load_mw[:, :-1]) | (load_mw[:, 1:] == 0)
    run_start = np.maximum.accumulate(np.where(starts_run, slot, 0), axis=1)
    is_full = slot - run_start + 1 >= needed
    next_full = _next(is_full)
    rows, slots = np.nonzero(next_full - slot < needed)
    if rows.size:
        last = next_full[rows, slots]
        window = available_us[rows[:, None], last[:, None] - np.arange(needed)]
        verdict[rows, slots] = np.maximum(window.max(axis=1), available_us[rows, slots])
    return verdict


def _next(flags: Booleans) -> Integers:
    slot = np.arange(flags.shape[1])
    far = 2 * flags.shape[1] + 1
    found: Integers = np.minimum.accumulate(np.where(flags, slot, far)[:, ::-1], axis=1)[:, ::-1]
    return found
