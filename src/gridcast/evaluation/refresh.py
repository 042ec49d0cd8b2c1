"""Factors refreshed by how forecasts did lately: conformal calibration that follows the season without training."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gridcast.domain.day_parts import DAY_PARTS
from gridcast.evaluation.conformal import GAPS, conformal_factors, leaning_on, stretched

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]


class Evidence(NamedTuple):
    """Forecasts issued at some origins, and the loads that followed."""

    origin: Ints
    """(origin,), positions of the first lead."""
    day: Ints
    """(origin,), tells days of issue apart."""
    actual_mw: Floats
    """(series, origin, lead), NaN = missing."""
    known_from: Ints
    """(series, origin, lead), first position at which each load was known."""
    part: Ints
    """(series, origin, lead), which of `DAY_PARTS` each load lies in."""
    quantiles_mw: Floats
    """(series, origin, lead, quantile)."""
    cold: npt.NDArray[np.int64]
    """(cold,), rows of the series that the model has never seen."""
    as_kin_mw: Floats
    """(kin, cold, origin, lead), medians of these when forecast as series the model knows, see `kin`."""

    def before(self, position: int, *, back: int) -> "Evidence":
        """What was known at a position of the forecasts issued at most `back` intervals before it."""
        lately = (self.origin >= position - back) & (self.origin < position)
        known = self.known_from[:, lately] <= position
        return Evidence(
            self.origin[lately],
            self.day[lately],
            np.where(known, self.actual_mw[:, lately], np.nan),
            self.known_from[:, lately],
            self.part[:, lately],
            self.quantiles_mw[:, lately],
            self.cold,
            self.as_kin_mw[:, :, lately],
        )


def refreshed_factors(evidence: Evidence, *, bucket: Ints) -> npt.NDArray[np.float64]:
    """Factors of the gaps outward from the median, (series, bucket, day part, gap); all one without evidence.

    Those of all series in a lead bucket lean on one, those of a part of the day in it on them; a series has a factor of
    its own in each bucket, on top of these, that leans on one: see `leaning_on`. `bucket` (lead,) numbers the bucket
    of each lead from 0.
    """
    series = len(evidence.actual_mw)
    factors = np.ones((series, int(bucket.max()) + 1, len(DAY_PARTS), GAPS))
    for each in range(factors.shape[1]):
        inside = bucket == each
        actual, quantiles = evidence.actual_mw[:, :, inside], evidence.quantiles_mw[:, :, inside]
        part = evidence.part[:, :, inside]
        pooled = _leaning(np.ones(GAPS), actual, quantiles, day=evidence.day)
        by_part = np.stack(
            [
                _leaning(pooled, np.where(part == number, actual, np.nan), quantiles, day=evidence.day)
                for number in range(len(DAY_PARTS))
            ]
        )
        rest = stretched(quantiles, by_part[part])
        for row in range(series):
            own = _leaning(np.ones(GAPS), actual[[row]], rest[[row]], day=evidence.day)
            factors[row, each] = by_part * own
    return factors


def _leaning(prior: Floats, actual: Floats, quantiles: Floats, *, day: Ints) -> Floats:
    """Factors that actuals (series, origin, lead) ask for, drawn towards `prior` where they come from few days."""
    days = len(np.unique(day[np.any(np.isfinite(actual), axis=(0, 2))]))
    return leaning_on(prior, conformal_factors(actual.ravel(), quantiles.reshape(-1, quantiles.shape[-1])), days=days)
