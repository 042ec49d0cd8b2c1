"""Every rule in order: what is wrong with each received value, and what can be repaired at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridcast.quality.bounds import Bounds
from gridcast.quality.clock_slip import ClockSlips, clock_slips
from gridcast.quality.estimation import Believed
from gridcast.quality.grid import NEVER, Booleans, Floats, Grid, Integers
from gridcast.quality.like_days import like_days, to_singles
from gridcast.quality.limits import Rule
from gridcast.quality.rules import flatline_verdict, is_above, is_below
from gridcast.quality.spike import is_spike
from gridcast.quality.unit_slip import rescaled

Codes = NDArray[np.int8]

CAUSES: Final = (
    "",
    Rule.RESAMPLED,
    Rule.UPSAMPLED,
    Rule.FLATLINE,
    Rule.SPIKE,
    Rule.PARTIAL_INTERVAL,
    Rule.BELOW_MINIMUM,
    Rule.NEGATIVE,
    Rule.ABOVE_MAXIMUM,
    Rule.UNIT_SLIP,
    Rule.GAP,
    Rule.CLOCK_SLIP,
    Rule.EDIT,
)
REMEDIES: Final = ("", Rule.INTERPOLATED, Rule.LIKE_DAYS, Rule.RESCALED, Rule.SHIFTED)
CAUSE_CODE: Final = {cause: code for code, cause in enumerate(CAUSES)}
REMEDY_CODE: Final = {remedy: code for code, remedy in enumerate(REMEDIES)}
LAST_BELIEVED: Final = CAUSE_CODE[Rule.UPSAMPLED]
"""Values with a cause up to this one are used as they are."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be thought of the received values, arrays of shape (series, slot).

    `cause`, `remedy`: codes of CAUSES and REMEDIES; `load_mw`: the value to use, NaN where there is none yet;
    `known_us`: when that was known. `past`: what may serve as a like day.
    """

    cause: Codes
    remedy: Codes
    load_mw: Floats
    known_us: Integers
    past: Believed

    @property
    def around(self) -> Believed:
        """What estimates may rest on."""
        return Believed(self.load_mw, self.known_us)


def validate(grid: Grid, *, bounds: Bounds) -> Verdict:
    """The verdict of every rule; a later one overrules an earlier one."""
    load, available = grid.load_mw, grid.available_us
    below, above = is_below(load, bounds=bounds), is_above(load, bounds=bounds)
    believed = np.where(below | above | grid.is_partial, np.nan, load)
    past = to_singles(believed)
    flat_us = flatline_verdict(believed, available, bounds=bounds)
    is_flat = flat_us > NEVER
    right = np.where(grid.is_partial, np.nan, rescaled(load, past_mw=past, clock=grid.clock, bounds=bounds))
    is_slip = np.isfinite(right) & ~is_flat
    usable = np.where(np.isfinite(right), right, believed)
    now = to_singles(usable)
    usual = like_days(past, clock=grid.clock)
    found: dict[str, Booleans] = {
        Rule.RESAMPLED: grid.is_resampled,
        Rule.UPSAMPLED: grid.is_upsampled,
        Rule.FLATLINE: is_flat,
        Rule.SPIKE: is_spike(now, past_mw=past, usual=usual, clock=grid.clock, bounds=bounds),
        Rule.PARTIAL_INTERVAL: grid.is_partial,
        Rule.BELOW_MINIMUM: below,
        Rule.NEGATIVE: below & (bounds.smallest_mw == 0),
        Rule.ABOVE_MAXIMUM: above,
        Rule.UNIT_SLIP: is_slip,
        Rule.GAP: np.isnan(load),
    }
    verdict = Verdict(
        cause := _codes(found, shape=load.shape),
        np.where(is_slip, np.int8(REMEDY_CODE[Rule.RESCALED]), np.int8(0)),
        np.where(is_slip | (cause <= LAST_BELIEVED), usable, np.nan),
        np.where(cause == CAUSE_CODE[Rule.FLATLINE], flat_us, available),
        Believed(np.where(is_flat, np.nan, believed), available),
    )
    slips = clock_slips(now, available, middle_mw=usual.middle, clock=grid.clock, bounds=bounds)
    _shift_back(verdict, slips, usable_mw=usable, grid=grid)
    return verdict


def _codes(found: Mapping[str, Booleans], *, shape: tuple[int, ...]) -> Codes:
    cause = np.zeros(shape, np.int8)
    for rule, where in found.items():
        cause[where] = CAUSE_CODE[rule]
    return cause


def _shift_back(verdict: Verdict, slips: ClockSlips, *, usable_mw: Floats, grid: Grid) -> None:
    """Move values with a slipped clock to their slot in `verdict`, unless another value has come for it."""
    row, slot = np.nonzero(slips.shift)
    if not row.size:
        return
    code = CAUSE_CODE[Rule.CLOCK_SLIP]
    known = np.maximum(slips.known_us[row, slot], grid.available_us[row, slot])
    verdict.cause[row, slot], verdict.remedy[row, slot] = code, 0
    verdict.load_mw[row, slot], verdict.known_us[row, slot] = np.nan, known
    target = slot - slips.shift[row, slot]
    inside = np.clip(target, 0, grid.clock.slots - 1)
    is_free = (slips.shift[row, inside] != 0) | np.isnan(grid.load_mw[row, inside])
    moves = (target == inside) & is_free & np.isfinite(usable_mw[row, slot])
    there = row[moves], target[moves]
    verdict.cause[there], verdict.remedy[there] = code, REMEDY_CODE[Rule.SHIFTED]
    verdict.load_mw[there] = usable_mw[row[moves], slot[moves]]
    verdict.known_us[there] = np.maximum(known[moves], verdict.known_us[there])
