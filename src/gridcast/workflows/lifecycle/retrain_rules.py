"""When a model is trained again, and how long it is tried out and watched."""

import math
from dataclasses import dataclass
from datetime import timedelta

from gridcast.domain.errors import UsageError

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainRules:
    """Times are those of the readings, not of the clock.

    Attributes:
        every: time after a training at which the next is due.
        rest: time after a training before drift can make the next one due.
        judged_days: newest local days that a challenger does not learn from and is judged on.
        min_good_share: share of the measured readings of these days that must be good or edited; otherwise nothing is
            trained or judged on them.
        trial: how long a challenger that passed the gate forecasts beside the champion before it takes its place;
            zero puts it in charge at once.
        watch: how long after a promotion the former champion goes on beside the new one, to be compared with.
        max_live_worse: share by which a new champion's live pinball loss may be above the former one's over the whole
            watch before the former one is put back; over fewer days more, as a few say less.

    Raises:
        UsageError: a number is impossible.
    """

    every: timedelta = timedelta(days=28)
    rest: timedelta = timedelta(days=14)
    judged_days: int = 28
    min_good_share: float = 0.9
    trial: timedelta = timedelta(0)
    watch: timedelta = timedelta(days=7)
    max_live_worse: float = 0.25

    def worse_after(self, watched: timedelta) -> float:
        """The share that `max_live_worse` stands for after part of the watch: means vary with one over √days.

        >>> RetrainRules(watch=timedelta(days=4), max_live_worse=0.2).worse_after(timedelta(days=1))
        0.4
        """
        return self.max_live_worse * math.sqrt(max(1.0, self.watch / watched))

    def __post_init__(self) -> None:
        if not (self.every >= _DAY and self.rest >= timedelta(0) and self.trial >= timedelta(0)):
            raise UsageError(
                f"retraining: every {self.every}, rest {self.rest}, trial {self.trial}; expected a day or more between "
                "trainings, and nothing below zero."
            )
        if not (7 <= self.judged_days <= 366 and 0 <= self.min_good_share <= 1):
            raise UsageError(
                f"retraining: judged_days {self.judged_days}, min_good_share {self.min_good_share}; expected 7 to 366 "
                "days and a share between 0 and 1."
            )
        if not (self.watch >= timedelta(0) and self.max_live_worse >= 0):
            raise UsageError(
                f"retraining: watch {self.watch}, max_live_worse {self.max_live_worse}; expected nothing below zero."
            )
