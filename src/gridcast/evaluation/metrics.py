"""Scores of one set of forecasts, on arrays. Points whose actual is NaN are left out; `observed` counts them.

Loads are MW. Shares are fractions: 0.05 means 5 %. With no observed point a score is NaN;
a NaN forecast of an observed point makes it NaN too, so a gap in our own output never passes unseen.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gridcast.domain.quantiles import QUANTILE_LEVELS

Floats = npt.NDArray[np.float64]


class Observed(NamedTuple):
    """How many points have an actual, and which share has none."""

    n: int
    missing_share: float


class BandScore(NamedTuple):
    """Share of actuals inside a band (bounds included) and its mean width in MW."""

    coverage: float
    width_mw: float


def observed(actual: Floats) -> Observed:
    """The number of points with an actual, and the share without; an empty array counts as all missing."""
    n = int(np.isfinite(actual).sum())
    return Observed(n, 1.0 - n / actual.size if actual.size else 1.0)


def mae(actual: Floats, forecast: Floats) -> float:
    """Mean absolute error, MW.

    >>> mae(np.array([100.0, 200.0, np.nan]), np.array([110.0, 180.0, 5.0]))
    15.0
    """
    return _mean(np.abs(_errors(actual, forecast)))


def bias(actual: Floats, forecast: Floats) -> float:
    """Mean of forecast − actual, MW; positive when the forecast is too high."""
    return _mean(_errors(actual, forecast))


def mape(actual: Floats, forecast: Floats) -> float:
    """Mean absolute error relative to each actual, a share; points whose actual is zero are left out."""
    known = np.where(actual == 0.0, np.nan, actual)
    return _mean(np.abs(_errors(known, forecast) / known[np.isfinite(known)]))


def wape(actual: Floats, forecast: Floats) -> float:
    """Sum of absolute errors over the sum of absolute actuals, a share; NaN when every actual is zero."""
    total = float(np.nansum(np.abs(actual)))
    return float(np.abs(_errors(actual, forecast)).sum()) / total if total else float("nan")


def mase(actual: Floats, forecast: Floats, *, scale_mw: float) -> float:
    """Mean absolute error over `scale_mw`, the error of repeating last week (see `seasonal_scale`).

    Reference: Hyndman and Koehler (2006), Another look at measures of forecast accuracy.
    """
    return mae(actual, forecast) / scale_mw if scale_mw > 0 else float("nan")


def seasonal_scale(history: Floats, *, season: int) -> float:
    """Mean absolute change over one season of `history` (time,), MW; `season` is a week in intervals.

    Pairs with a missing load are left out; NaN if there is no other.
    """
    change = np.abs(history[season:] - history[:-season])
    return _mean(change[np.isfinite(change)])


def pinball(actual: Floats, quantiles: Floats, *, levels: Sequence[float] = QUANTILE_LEVELS) -> Floats:
    """Mean pinball loss of each level, MW: actual (…), quantiles (…, quantile) → (quantile,).

    >>> pinball(np.array([10.0]), np.array([[8.0, 14.0]]), levels=(0.1, 0.9))
    array([0.2, 0.4])
    """
    if quantiles.shape != (*actual.shape, len(levels)):
        raise ValueError(f"quantiles have shape {quantiles.shape}; expected {(*actual.shape, len(levels))}.")
    return np.array([_pinball(actual, quantiles[..., place], level=level) for place, level in enumerate(levels)])


def mean_pinball(actual: Floats, quantiles: Floats, *, levels: Sequence[float] = QUANTILE_LEVELS) -> float:
    """Plain mean over the levels of the pinball loss, MW."""
    return float(pinball(actual, quantiles, levels=levels).mean())


def crps(actual: Floats, quantiles: Floats, *, levels: Sequence[float] = QUANTILE_LEVELS) -> float:
    """Continuous ranked probability score, MW: twice the pinball loss weighted by `crps_weights`."""
    return float(2.0 * pinball(actual, quantiles, levels=levels) @ crps_weights(levels))


def crps_weights(levels: Sequence[float] = QUANTILE_LEVELS) -> Floats:
    """The share of the probability axis each level speaks for, (quantile,); they sum to one.

    A level owns the interval between the midpoints to its neighbours; the outer two reach to 0 and 1.

    >>> crps_weights().round(3).tolist()
    [0.075, 0.1, 0.2, 0.25, 0.2, 0.1, 0.075]
    """
    inner = np.asarray(levels, dtype=np.float64)
    return np.diff(np.concatenate(([0.0], (inner[1:] + inner[:-1]) / 2.0, [1.0])))


def band_score(actual: Floats, *, lower: Floats, upper: Floats) -> BandScore:
    """Coverage and mean width of a band over the observed points; all arrays share one shape."""
    below, above = _errors(actual, lower), _errors(actual, upper)
    inside = np.where(np.isnan(below + above), np.nan, (below <= 0.0) & (above >= 0.0))
    return BandScore(_mean(inside), _mean(above - below))


def skill(loss: float, *, reference: float) -> float:
    """Share of the reference's loss that is saved: 1 is perfect, 0 no better, negative worse; NaN without a loss."""
    return 1.0 - loss / reference if reference > 0 else float("nan")


def _pinball(actual: Floats, quantile: Floats, *, level: float) -> float:
    error = _errors(actual, quantile)
    return _mean(np.maximum(-level * error, (1.0 - level) * error))


def _errors(actual: Floats, forecast: Floats) -> Floats:
    if actual.shape != forecast.shape:
        raise ValueError(f"forecast has shape {forecast.shape}; expected {actual.shape} like the actual.")
    known = np.isfinite(actual)
    return forecast[known] - actual[known]


def _mean(values: npt.NDArray[np.float64] | npt.NDArray[np.bool_]) -> float:
    return float(values.mean()) if values.size else float("nan")
