"""How errors of good days hang together, and what a change in them looks like: matched filters."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_SHRINK_DAYS: Final = 10.0
"""Correlations count as if so many days had been seen without any."""
_RIDGE_DAYS: Final = 20.0


@dataclass(frozen=True, slots=True, eq=False)
class UsualErrors:
    """Errors of the parts of good days, in standard deviations of their forecasts.

    Attributes:
        centre: mean (part,).
        precision: inverse covariance (part, part).
        carry: what a day's errors say of the next day's, (part, next part).
        new_precision: inverse covariance of what they do not say.
    """

    centre: Floats
    precision: Floats
    carry: Floats
    new_precision: Floats

    @classmethod
    def of(cls, errors: Floats) -> "UsualErrors":
        """Learned from errors (day, part) of days one after another, none missing."""
        centre = errors.mean(axis=0)
        off = errors - centre
        before, after = off[:-1], off[1:]
        carry = np.linalg.solve(before.T @ before + _RIDGE_DAYS * np.eye(off.shape[1]), before.T @ after)
        return cls(centre, _precision(off), carry, _precision(after - before @ carry))

    def off(self, errors: Floats) -> Floats:
        """How far errors (day, part) are from their mean."""
        return errors - self.centre

    def new(self, errors: Floats) -> Floats:
        """What of errors (day, part) the day before did not say; a day before that is missing said nothing."""
        off = self.off(errors)
        before = np.concatenate([np.zeros((1, off.shape[1])), np.nan_to_num(off[:-1], nan=0.0)])
        return np.asarray(off - before @ self.carry)


def matched(errors: Floats, precision: Floats, *, change: Floats) -> Floats:
    """How much errors (day, part) look like a change (day, part), as standard deviations of what they usually do."""
    weights = change @ precision
    power = np.sqrt(np.maximum((weights * change).sum(axis=-1), 1e-12))
    return np.asarray((weights * errors).sum(axis=-1) / power)


def summed(errors: Floats, precision: Floats, *, change: Floats) -> Floats:
    """Errors (day, part) summed with the signs of a change (1, part), as standard deviations of what they usually do.

    It sees less of the change than `matched` where errors hang together as they used to, and more where they do not.
    """
    variance = (change @ np.linalg.inv(precision) * change).sum(axis=-1)
    return np.asarray((errors * change).sum(axis=-1) / np.sqrt(variance))


def _precision(errors: Floats) -> Floats:
    days = len(errors)
    covariance = errors.T @ errors / days
    variance = np.maximum(np.diag(covariance), 1e-9)
    share = _SHRINK_DAYS / (days + _SHRINK_DAYS)
    return np.asarray(np.linalg.inv((1 - share) * covariance + share * np.diag(variance)))
