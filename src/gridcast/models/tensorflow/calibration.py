"""Conformal calibration: stretch the gaps between quantiles until held-out loads fall below them as often as said."""

from datetime import timedelta

import numpy as np
import numpy.typing as npt

from gridcast.domain.lead_time import bucket_of_lead
from gridcast.domain.quantiles import MEDIAN, QUANTILE_LEVELS

Floats = npt.NDArray[np.floating]

FACTOR_LIMITS = (0.2, 5.0)


def gap_factors(target_mw: Floats, quantiles_mw: Floats, *, interval: timedelta) -> npt.NDArray[np.float32]:
    """Factor of each gap, (lead, gap): quantiles median ± cumulated factor · gap have their nominal level.

    target (window, lead) MW, NaN = missing, and forecasts (window, lead, quantile) of windows the network has not
    learned from. Leads of one bucket share their factors. Gaps count outward: first those below the median, then
    those above, as in `QuantileGaps`. A bucket without observed targets keeps the factor 1.

    Reference: Romano, Patterson, Candès (2019), Conformalized quantile regression.
    """
    leads = target_mw.shape[1]
    bucket = [bucket_of_lead(lead * interval).label for lead in range(leads)]
    factors = np.ones((leads, len(QUANTILE_LEVELS) - 1), dtype=np.float32)
    for label in dict.fromkeys(bucket):
        inside = np.array([each == label for each in bucket])
        target, quantiles = target_mw[:, inside].ravel(), quantiles_mw[:, inside].reshape(-1, len(QUANTILE_LEVELS))
        observed = np.isfinite(target)
        if observed.any():
            factors[inside] = _bucket_factors(target[observed], quantiles[observed])
    return factors


def _bucket_factors(target: Floats, quantiles: Floats) -> Floats:
    below = _side_factors(
        -target, -quantiles[:, MEDIAN::-1], levels=[1.0 - level for level in QUANTILE_LEVELS[MEDIAN::-1]]
    )
    above = _side_factors(target, quantiles[:, MEDIAN:], levels=QUANTILE_LEVELS[MEDIAN:])
    return np.array([*below, *above])


def _side_factors(target: Floats, outward: Floats, *, levels: tuple[float, ...] | list[float]) -> list[float]:
    """Factors of the gaps from the median (first column) outward; each one given those before it."""
    reached = outward[:, 0].astype(np.float64)
    factors = []
    for step, level in enumerate(levels[1:], start=1):
        gap = np.maximum(outward[:, step] - outward[:, step - 1], 1e-9)
        factor = float(np.clip(np.quantile((target - reached) / gap, level), *FACTOR_LIMITS))
        factors.append(factor)
        reached = reached + factor * gap
    return factors
