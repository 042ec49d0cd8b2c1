"""Forecasts as sampled courses of the load: what quantiles of single intervals cannot say, such as a day's peak."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from gridcast.domain.quantiles import QUANTILE_LEVELS
from gridcast.evaluation.copula import Doubles, Floats, circle_spectrum, loads_of_scores

SAMPLES: Final = 1000
"""Trajectories per forecast: a probability of one half is then known to ±1.6 points."""
_VALUES_AT_ONCE: Final = 200_000


class TrajectoryBlock(NamedTuple):
    """Trajectories of some of the windows."""

    windows: slice
    """Which windows."""
    loads_mw: Doubles
    """(sample, window, lead), MW."""


def trajectory_blocks(
    quantiles_mw: Floats,
    *,
    correlation: Floats,
    seeds: Sequence[int],
    samples: int = SAMPLES,
    levels: Sequence[float] = QUANTILE_LEVELS,
) -> Iterator[TrajectoryBlock]:
    """`trajectories` of all windows (window, lead, quantile), a few windows at a time so that memory stays bounded."""
    windows, leads, _ = quantiles_mw.shape
    step = max(_VALUES_AT_ONCE // (samples * leads), 1)
    for first in range(0, windows, step):
        block = slice(first, first + step)
        loads = trajectories(
            quantiles_mw[block], correlation=correlation, seeds=seeds[block], samples=samples, levels=levels
        )
        yield TrajectoryBlock(block, loads)


def trajectories(
    quantiles_mw: Floats,
    *,
    correlation: Floats,
    seeds: Sequence[int],
    samples: int = SAMPLES,
    levels: Sequence[float] = QUANTILE_LEVELS,
) -> Doubles:
    """Courses of the load that follow forecasts and hang together over leads, (sample, window, lead), MW.

    Quantiles (window, lead, quantile) and correlation by distance in intervals (≥ lead,), see `lead_correlation`. At
    each lead they have the forecast's distribution, linear in the normal score between and beyond the levels. A
    window without a negative quantile is consumption only: what falls below zero there becomes zero. The same seed
    gives a window the same trajectories, whatever windows lie beside it; NaN quantiles give NaN.

    Reference: Pinson et al. (2009), From probabilistic forecasts to statistical scenarios.
    """
    leads = quantiles_mw.shape[1]
    if len(correlation) < leads or len(seeds) != len(quantiles_mw):
        raise ValueError(
            f"{len(correlation)} correlations and {len(seeds)} seeds for {len(quantiles_mw)} windows of {leads} leads; "
            "expected at least one correlation per lead and a seed per window."
        )
    scores = correlated_scores(correlation[:leads], seeds=seeds, samples=samples)
    loads = loads_of_scores(scores, quantiles_mw, levels=levels)
    is_consumption = ~(quantiles_mw < 0.0).any(axis=(1, 2))
    floor = np.where(is_consumption, 0.0, -np.inf)[:, np.newaxis]
    np.maximum(loads, floor, out=loads)
    return loads


def correlated_scores(correlation: Floats, *, seeds: Sequence[int], samples: int) -> Doubles:
    """Standard normal numbers (sample, window, lead) with a correlation by distance (lead,); a stream per window.

    What of the correlation is not valid on a circle is cut, see `valid_correlation`. Every second sample mirrors the
    one before, so that their mean is exactly zero if `samples` is even.

    Reference: Dietrich and Newsam (1997), Fast and exact simulation of stationary Gaussian processes.
    """
    leads = len(correlation)
    around = max(2 * (leads - 1), 1)
    spectrum = np.maximum(circle_spectrum(correlation), 0.0)
    weight = np.sqrt(spectrum / np.fft.irfft(spectrum, n=around)[0])
    scores = np.empty((samples, len(seeds), leads))
    for window, seed in enumerate(seeds):
        white = np.random.default_rng(seed).standard_normal((-(-samples // 2), around))
        drawn = np.fft.irfft(np.fft.rfft(white) * weight, n=around)[:, :leads]
        scores[::2, window], scores[1::2, window] = drawn, -drawn[: samples // 2]
    return scores
