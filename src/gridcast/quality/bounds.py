"""Limits of several series at once, as rules on a grid need them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from gridcast.quality.grid import Booleans, Floats, Integers
from gridcast.quality.limits import Limits


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of the series of a grid, in its order; numbers have the shape (series, 1), counts (series,)."""

    limits: Sequence[Limits]
    interval: timedelta

    @property
    def smallest_mw(self) -> Floats:
        """The smallest believable load."""
        return _column([each.min_load_mw for each in self.limits])

    @property
    def largest_mw(self) -> Floats:
        """The largest believable load, infinite where there is no limit."""
        return _column([np.inf if each.max_load_mw is None else each.max_load_mw for each in self.limits])

    @property
    def spike_z(self) -> Floats:
        """Robust standard deviations that a spike is away from its like days."""
        return _column([each.spike_z for each in self.limits])

    @property
    def spike_floor(self) -> Floats:
        """The smallest robust standard deviation, as a share of the median."""
        return _column([each.spike_floor for each in self.limits])

    @property
    def spike_jump(self) -> Floats:
        """How far a spike jumps, as a share of the median."""
        return _column([each.spike_jump for each in self.limits])

    @property
    def flatline(self) -> Integers:
        """Intervals of equal values that are a stuck meter, at least 2; 0 where the rule is off."""
        spans = [each.flatline for each in self.limits]
        return np.array([0 if span is None else max(2, span // self.interval) for span in spans], np.int64)

    @property
    def has_unit_slips(self) -> Booleans:
        """Whether values a thousand times off are looked for."""
        return np.array([each.unit_slip for each in self.limits], np.bool_)

    @property
    def has_clock_slips(self) -> Booleans:
        """Whether days some hours off are looked for."""
        return np.array([each.clock_slip for each in self.limits], np.bool_)

    @property
    def longest_interpolated(self) -> Integers:
        """Intervals of the longest gap that is interpolated."""
        return np.array([each.max_interpolated_gap // self.interval for each in self.limits], np.int64)

    @property
    def longest_estimated(self) -> Integers:
        """Intervals of the longest gap that is estimated at all."""
        return np.array([each.max_estimated_gap // self.interval for each in self.limits], np.int64)

    def only(self, rows: slice) -> "Bounds":
        """The same of some of the series."""
        return Bounds(self.limits[rows], self.interval)


def _column(values: Sequence[float]) -> Floats:
    return np.array(values, np.float64)[:, None]
