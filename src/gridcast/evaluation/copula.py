"""How forecast errors at different leads hang together: normal scores of what happened, and their correlation.

Reference: Pinson et al. (2009), From probabilistic forecasts to statistical scenarios of short-term wind power
production.
"""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from gridcast.domain.quantiles import QUANTILE_LEVELS

Floats = npt.NDArray[np.floating]
Doubles = npt.NDArray[np.float64]

LARGEST_SCORE: Final = 4.0
"""Scores are cut here: a load beyond is as rare as one in 30,000, or the band has no width to measure it by."""
_WINDOWS_AT_ONCE: Final = 512


def scores_of_levels(levels: Sequence[float] = QUANTILE_LEVELS) -> Doubles:
    """The standard normal quantile of each probability, (quantile,).

    >>> scores_of_levels((0.05, 0.5, 0.9)).round(3).tolist()
    [-1.645, 0.0, 1.282]
    """
    normal = NormalDist()
    return np.array([normal.inv_cdf(level) for level in levels])


def normal_scores(actual_mw: Floats, quantiles_mw: Floats, *, levels: Sequence[float] = QUANTILE_LEVELS) -> Doubles:
    """Where in its forecast each load fell, as a standard normal score: actual (…), quantiles (…, quantile) → (…).

    Between two levels, and beyond the outer ones on the line of the outer gap, the load is linear in the score, so
    that a normal forecast is met exactly; scores are cut at ±`LARGEST_SCORE`. Where quantiles coincide, a load equal
    to them gets the middle of their scores. A NaN among its inputs makes a score NaN.

    >>> normal_scores(np.array([10.0, 12.0]), np.array([[8.0, 10.0, 14.0]] * 2), levels=(0.1, 0.5, 0.9)).round(3)
    array([0.   , 0.641])
    """
    if quantiles_mw.shape != (*actual_mw.shape, len(levels)):
        raise ValueError(f"quantiles have shape {quantiles_mw.shape}; expected {(*actual_mw.shape, len(levels))}.")
    actual, quantiles = actual_mw[..., np.newaxis].astype(np.float64), quantiles_mw.astype(np.float64)
    at = scores_of_levels(levels)
    from_below = _on_gap(actual, quantiles, at, gap=(quantiles < actual).sum(axis=-1) - 1)
    from_above = _on_gap(actual, quantiles, at, gap=(quantiles <= actual).sum(axis=-1) - 1)
    is_known = np.isfinite(actual_mw) & np.isfinite(quantiles).all(axis=-1)
    scores: Doubles = np.where(is_known, (from_below + from_above) / 2.0, np.nan)
    return scores


def loads_of_scores(scores: Floats, quantiles_mw: Floats, *, levels: Sequence[float] = QUANTILE_LEVELS) -> Doubles:
    """The loads, MW, at normal scores of their forecasts, the inverse of `normal_scores`.

    Scores (sample, …), quantiles (…, quantile) → (sample, …).
    """
    at = scores_of_levels(levels)
    slopes = np.diff(quantiles_mw.astype(np.float64), axis=-1) / np.diff(at)
    loads: Doubles = quantiles_mw[..., 0] + (scores - at[0]) * slopes[..., 0]
    beyond = np.empty_like(loads)
    for level, bend in enumerate(np.moveaxis(np.diff(slopes, axis=-1), -1, 0), start=1):
        np.maximum(np.subtract(scores, at[level], out=beyond), 0.0, out=beyond)
        loads += np.multiply(beyond, bend, out=beyond)
    return loads


def lead_correlation(actual_mw: Floats, quantiles_mw: Floats, *, levels: Sequence[float] = QUANTILE_LEVELS) -> Doubles:
    """Correlation of the normal scores of two leads by their distance in intervals, (lead,); the first is 1.

    actual (window, lead) MW with NaN where missing, forecasts (window, lead, quantile). Pairs lie within a window
    and are pooled over all windows; a distance without any pair counts as uncorrelated. The result is a valid
    correlation: the matrix with entry [i, j] at distance |i − j| has no negative eigenvalue.
    """
    leads = actual_mw.shape[1]
    scores = normal_scores(actual_mw, quantiles_mw, levels=levels)
    centred = scores - (np.nanmean(scores) if np.isfinite(scores).any() else 0.0)
    spectra = np.zeros((3, leads + 1), dtype=np.complex128)
    for first in range(0, len(centred), _WINDOWS_AT_ONCE):
        block = centred[first : first + _WINDOWS_AT_ONCE]
        known = np.isfinite(block)
        value, square, mask = (
            np.fft.rfft(each, n=2 * leads, axis=1)
            for each in (np.where(known, block, 0.0), np.where(known, block**2, 0.0), known)
        )
        pairs = ((value, value), (square, mask), (mask, square))
        spectra += [(left.conj() * right).sum(axis=0) for left, right in pairs]
    together, earlier, later = np.fft.irfft(spectra, n=2 * leads, axis=1)[:, :leads]
    scale = np.sqrt(np.maximum(earlier, 0.0) * np.maximum(later, 0.0))
    is_paired = scale > 1e-9 * max(float(scale[0]), 1e-300)
    correlation = np.where(is_paired, together / np.where(is_paired, scale, 1.0), 0.0)
    return valid_correlation(np.clip(correlation, -1.0, 1.0))


def valid_correlation(correlation: Floats) -> Doubles:
    """The correlation by distance, (lead,), with what no random process can have taken out; the first becomes 1.

    It is laid out on a circle, where a correlation is valid if its spectrum is nowhere negative; negative parts
    are cut.

    Reference: Dietrich and Newsam (1997), Fast and exact simulation of stationary Gaussian processes.
    """
    spectrum = np.maximum(circle_spectrum(correlation), 0.0)
    valid: Doubles = np.fft.irfft(spectrum, n=_circle(len(correlation)))[: len(correlation)]
    valid /= valid[0]
    return valid


def circle_spectrum(correlation: Floats) -> Doubles:
    """Eigenvalues of the correlation by distance (lead,) on the smallest circle that holds it, (lead,)."""
    whole = np.concatenate(([1.0], correlation[1:].astype(np.float64)))
    around = np.concatenate((whole, whole[-2:0:-1])) if len(whole) > 1 else whole
    spectrum: Doubles = np.fft.rfft(around).real
    return spectrum


def _circle(leads: int) -> int:
    return max(2 * (leads - 1), 1)


def _on_gap(actual: Doubles, quantiles: Doubles, at: Doubles, *, gap: npt.NDArray[np.int_]) -> Doubles:
    """Scores of actual (…, 1) on the lines through the ends of the gaps (…), counted from −1, below all levels."""
    lower = gap.clip(0, len(at) - 2)
    anchor = gap.clip(0, len(at) - 1)
    start, end, fixed = (
        np.take_along_axis(quantiles, place[..., np.newaxis], axis=-1) for place in (lower, lower + 1, anchor)
    )
    share = ((actual - fixed) / np.maximum(end - start, 1e-12))[..., 0]
    scores: Doubles = at[anchor] + share * (at[lower + 1] - at[lower])
    return scores.clip(-LARGEST_SCORE, LARGEST_SCORE)
