"""Factors refreshed by how forecasts did lately: conformal calibration that follows the season without training."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gridcast.evaluation.conformal import GAPS, conformal_factors, leaning_on

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
            self.quantiles_mw[:, lately],
            self.cold,
            self.as_kin_mw[:, :, lately],
        )


def refreshed_factors(evidence: Evidence, *, bucket: Ints) -> npt.NDArray[np.float64]:
    """Factors of the gaps outward from the median, (series, bucket, gap); all one without evidence.

    Those of a series lean on those of all series in the same lead bucket, and these on one: see `leaning_on`. `bucket`
    (lead,) numbers the bucket of each lead from 0.
    """
    series = len(evidence.actual_mw)
    factors = np.ones((series, int(bucket.max()) + 1, GAPS))
    for each in range(factors.shape[1]):
        actual, quantiles = evidence.actual_mw[:, :, bucket == each], evidence.quantiles_mw[:, :, bucket == each]
        observed = np.any(np.isfinite(actual), axis=-1)
        days = len(np.unique(evidence.day[observed.any(axis=0)]))
        pooled = leaning_on(np.ones(GAPS), _factors(actual, quantiles), days=days)
        for row in range(series):
            days = len(np.unique(evidence.day[observed[row]]))
            factors[row, each] = leaning_on(pooled, _factors(actual[row], quantiles[row]), days=days)
    return factors


def _factors(actual: Floats, quantiles: Floats) -> Floats:
    return conformal_factors(actual.ravel(), quantiles.reshape(-1, quantiles.shape[-1]))
