"""What the rules of validation and estimation allow, and how far around an interval they look."""

import enum
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gridcast.domain.errors import UsageError

CONTEXT_BEFORE: Final = timedelta(days=26)
"""No rule looks at readings further before an interval than this."""

CONTEXT_AFTER: Final = timedelta(days=3)
"""No rule looks at readings further after an interval than this."""

LONGEST_CLOCK_SLIP: Final = timedelta(hours=3)
"""No shift of a day's stamps by more than this is looked for."""

LONGEST_FLATLINE: Final = timedelta(hours=12)
LONGEST_ESTIMATED_GAP: Final = timedelta(hours=24)


class Rule(enum.StrEnum):
    """What made a value other than the one received; a cause and a remedy are joined by '+'."""

    RESAMPLED = "resampled"
    UPSAMPLED = "upsampled"
    FLATLINE = "flatline"
    SPIKE = "spike"
    PARTIAL_INTERVAL = "partial_interval"
    BELOW_MINIMUM = "below_minimum"
    NEGATIVE = "negative"
    ABOVE_MAXIMUM = "above_maximum"
    UNIT_SLIP = "unit_slip"
    GAP = "gap"
    CLOCK_SLIP = "clock_slip"
    EDIT = "edit"
    INTERPOLATED = "interpolated"
    LIKE_DAYS = "like_days"
    RESCALED = "rescaled"
    SHIFTED = "shifted"
    SUM_OF_CHILDREN = "sum_of_children"
    SCALED_UP = "scaled_up"
    INCOMPLETE = "incomplete"


NOTES: Final = frozenset({Rule.RESAMPLED, Rule.UPSAMPLED, Rule.SUM_OF_CHILDREN})
"""Rules that tell how a value came about and say nothing against it."""

REMEDIES: Final = frozenset(
    {Rule.INTERPOLATED, Rule.LIKE_DAYS, Rule.RESCALED, Rule.SHIFTED, Rule.SCALED_UP, Rule.INCOMPLETE}
)
"""Rules that stand behind another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Thresholds of every rule; the defaults were chosen on the bundled sample.

    `min_load_mw`, `max_load_mw`: the range a load may have. A spike is further from its like days than `spike_z` robust
    standard deviations (each at least `spike_floor` × their median) and jumps by `spike_jump` × their median.
    `flatline`: equal values other than zero over this long are a stuck meter; None switches the rule off.
    `unit_slip`, `clock_slip`: whether values a thousand times off, or days some hours off, are looked for and repaired.
    Gaps up to `max_interpolated_gap` are interpolated, up to `max_estimated_gap` filled from like days.

    Raises:
        UsageError: a limit is impossible or reaches beyond the context of a block.
    """

    min_load_mw: float = 0.0
    max_load_mw: float | None = None
    spike_z: float = 3.5
    spike_floor: float = 0.05
    spike_jump: float = 0.4
    flatline: timedelta | None = timedelta(hours=6)
    unit_slip: bool = True
    clock_slip: bool = True
    max_interpolated_gap: timedelta = timedelta(hours=2)
    max_estimated_gap: timedelta = timedelta(hours=24)

    def __post_init__(self) -> None:
        _require(math.isfinite(self.min_load_mw), "min_load_mw", "that is a finite number", self)
        _require(
            self.max_load_mw is None or self.max_load_mw > self.min_load_mw, "max_load_mw", "above min_load_mw", self
        )
        _require(self.spike_z > 0, "spike_z", "above 0", self)
        _require(self.spike_floor > 0, "spike_floor", "above 0", self)
        _require(self.spike_jump > 0, "spike_jump", "above 0", self)
        flat_fits = self.flatline is None or timedelta(0) < self.flatline <= LONGEST_FLATLINE
        _require(flat_fits, "flatline", f"above 0 and at most {LONGEST_FLATLINE}", self)
        gap_fits = timedelta(0) <= self.max_estimated_gap <= LONGEST_ESTIMATED_GAP
        _require(gap_fits, "max_estimated_gap", f"from 0 to {LONGEST_ESTIMATED_GAP}", self)
        inner_fits = timedelta(0) <= self.max_interpolated_gap <= self.max_estimated_gap
        _require(inner_fits, "max_interpolated_gap", "from 0 to max_estimated_gap", self)


def _require(fits: bool, name: str, expected: str, limits: Limits) -> None:
    if not fits:
        raise UsageError(f"quality limit {name} is {getattr(limits, name)}; expected a value {expected}.")
