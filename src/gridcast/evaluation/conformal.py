"""Conformal factors: how far the gaps between quantiles must be stretched for each to have its nominal level."""

import numpy as np
import numpy.typing as npt

from gridcast.domain.quantiles import MEDIAN, QUANTILE_LEVELS

Floats = npt.NDArray[np.floating]

GAPS = len(QUANTILE_LEVELS) - 1
"""Between neighbouring quantiles."""
FACTOR_LIMITS = (0.2, 5.0)
BAND_80 = (QUANTILE_LEVELS.index(0.10), QUANTILE_LEVELS.index(0.90))
DAYS_OF_TRUST = 30
"""Days of evidence that weigh as much as what is leaned on."""


def conformal_factors(actual_mw: Floats, quantiles_mw: Floats) -> Floats:
    """Factor of each gap, (gap,): median ± cumulated factor · gap lies above as many actuals as its level says.

    actual (point,) MW, NaN = missing; quantiles (point, quantile) MW, ascending. Gaps count outward: first those below
    the median, then those above. Without an observed actual every factor is one.

    Reference: Romano, Patterson, Candès (2019), Conformalized quantile regression.
    """
    observed = np.isfinite(actual_mw)
    if not observed.any():
        return np.ones(GAPS)
    actual, quantiles = actual_mw[observed], quantiles_mw[observed]
    below = _side(-actual, -quantiles[:, MEDIAN::-1], levels=[1.0 - level for level in QUANTILE_LEVELS[MEDIAN::-1]])
    above = _side(actual, quantiles[:, MEDIAN:], levels=QUANTILE_LEVELS[MEDIAN:])
    return np.array([*below, *above])


def band_factor(actual_mw: Floats, quantiles_mw: Floats) -> float:
    """Factor of the distances from the median, at least one, with which the 80 % band holds 80 % of the actuals.

    actual (…), MW, NaN = missing; quantiles (…, quantile), MW, ascending.
    """
    observed = np.isfinite(actual_mw)
    if not observed.any():
        return 1.0
    error = (actual_mw - quantiles_mw[..., MEDIAN])[observed]
    lower, upper = (np.abs(quantiles_mw[..., each] - quantiles_mw[..., MEDIAN])[observed] for each in BAND_80)
    needed = np.abs(error) / np.maximum(np.where(error < 0, lower, upper), 1e-9)
    return float(np.clip(np.quantile(needed, 0.8), 1.0, FACTOR_LIMITS[1]))


def leaning_on(prior: Floats, factors: Floats, *, days: int) -> Floats:
    """Factors found on `days` days of evidence, drawn towards `prior` the more the fewer there are, on a log scale."""
    share = days / (days + DAYS_OF_TRUST)
    drawn: Floats = np.exp(share * np.log(factors) + (1.0 - share) * np.log(prior))
    return drawn


def stretched(quantiles_mw: Floats, factors: Floats) -> Floats:
    """Quantiles (…, quantile), MW, with the gaps outward from the median stretched by factors (…, gap); both broadcast.

    >>> stretched(np.array([1.0, 2, 3, 4, 5, 6, 7]), np.array([2.0, 1, 1, 1, 1, 3])).tolist()
    [0.0, 1.0, 2.0, 4.0, 5.0, 6.0, 9.0]
    """
    gaps = np.diff(quantiles_mw, axis=-1)
    below = np.cumsum(gaps[..., MEDIAN - 1 :: -1] * factors[..., :MEDIAN], axis=-1)
    above = np.cumsum(gaps[..., MEDIAN:] * factors[..., MEDIAN:], axis=-1)
    median = np.broadcast_to(quantiles_mw[..., MEDIAN : MEDIAN + 1], (*below.shape[:-1], 1))
    return np.concatenate([(median - below)[..., ::-1], median, median + above], axis=-1)


def _side(actual: Floats, outward: Floats, *, levels: tuple[float, ...] | list[float]) -> list[float]:
    """Factors of the gaps from the median (first column) outward; each one given those before it."""
    reached = outward[:, 0].astype(np.float64)
    factors = []
    for step, level in enumerate(levels[1:], start=1):
        gap = np.maximum(outward[:, step] - outward[:, step - 1], 1e-9)
        factor = float(np.clip(np.quantile((actual - reached) / gap, level), *FACTOR_LIMITS))
        factors.append(factor)
        reached = reached + factor * gap
    return factors
