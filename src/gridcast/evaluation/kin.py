"""Which series that a model knows a new one resembles: those as which its past is forecast best."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gridcast.domain.quantiles import MEDIAN
from gridcast.evaluation.refresh import Evidence

Floats = npt.NDArray[np.floating]

SHARPNESS = 16.0
"""Power of the error that shares fall with, after many days."""
DAYS_TO_SHARPEN = 4.0
"""Days of evidence after which it is half of that."""
LEAST_SHARE = 0.02
"""Kin with a smaller share are left out."""


class Kinship(NamedTuple):
    """How series that a model has never seen are forecast as others."""

    share: Floats
    """(cold, kin), what each kin counts; they add up to one."""
    tightening: Floats
    """(cold,), how much smaller than those of the first kin the errors are: what gaps between quantiles shrink by."""

    def moved(self, quantiles_mw: Floats, as_kin_mw: Floats) -> Floats:
        """Quantiles (cold, …, quantile) with the medians that kin (kin, cold, …) give, and tighter gaps."""
        over = (slice(None), *(np.newaxis,) * (quantiles_mw.ndim - 2))
        share = self.share.T[(slice(None), *over)]
        median = np.where(share > 0, share * as_kin_mw, 0.0).sum(axis=0)[..., np.newaxis]
        gaps = quantiles_mw - quantiles_mw[..., MEDIAN : MEDIAN + 1]
        result: Floats = median + self.tightening[over][..., np.newaxis] * gaps
        return result


def kinship(evidence: Evidence) -> Kinship:
    """Shares of kin by the mean absolute errors of the past, the sharper the more days tell of them.

    The first kin is the unknown series, which is all there is without evidence.
    """
    actual = evidence.actual_mw[evidence.cold]
    error = np.abs(evidence.as_kin_mw - actual)
    observed = np.isfinite(actual)
    count = np.maximum(observed.sum(axis=(1, 2)), 1)
    mean = np.maximum(np.where(observed, error, 0.0).sum(axis=(2, 3)) / count, 1e-9)
    days = np.array([len(np.unique(evidence.day[each.any(axis=-1)])) for each in observed])
    power = SHARPNESS * days / (days + DAYS_TO_SHARPEN)
    share = _settled(((mean / mean.min(axis=0)) ** -power).T, is_blind=days == 0)
    blend = np.einsum("ck,kcol->col", share, evidence.as_kin_mw)
    left = np.where(observed, np.abs(blend - actual), 0.0).sum(axis=(1, 2)) / count
    return Kinship(share, np.where(days > 0, np.minimum(left / mean[0], 1.0), 1.0))


def with_kin(evidence: Evidence, found: Kinship) -> Evidence:
    """The evidence as if cold series had been forecast as their kin."""
    quantiles = evidence.quantiles_mw.copy()
    quantiles[evidence.cold] = found.moved(quantiles[evidence.cold], evidence.as_kin_mw)
    return evidence._replace(quantiles_mw=quantiles)


def _settled(weight: Floats, *, is_blind: npt.NDArray[np.bool_]) -> Floats:
    """Shares (cold, kin) of weights, the small ones left out; the first alone where there is nothing to judge by."""
    weight[is_blind] = np.arange(weight.shape[1]) == 0
    share = weight / weight.sum(axis=1, keepdims=True)
    share[share < LEAST_SHARE] = 0.0
    settled: Floats = share / share.sum(axis=1, keepdims=True)
    return settled
