"""Drift: whether the newest days still look like those that were learned from, in what goes in and what is left over.

Every score is that of the last `WINDOW` days; its limit is learned from days that are known to be good.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

WINDOW: Final = 28
"""Days a detector looks back on."""
QUARTER: Final = 91
SLACK: Final = 1.25
"""Standard deviations of a day's error that are taken as nothing."""
CLIP: Final = 5.0
"""A day counts for at most so many standard deviations."""
_PATHS: Final = 400
_BLOCK: Final = 7
_QUIET: Final = 0.9
"""Share of made-up quarters without drift in which a detector keeps silent."""
_BINS: Final = 10
_LEAST_SHARE: Final = 1e-3


def population_stability(sample: Floats, *, reference: Floats) -> float:
    """Population stability index of a sample, in tenths of its reference: Σ (p − q) ln(p / q); NaN without values.

    Below 0.1 the two are usually called alike, above 0.25 different.

    >>> population_stability(np.arange(100.0), reference=np.arange(100.0))
    0.0
    """
    known, base = sample[np.isfinite(sample)], reference[np.isfinite(reference)]
    if not known.size or not base.size:
        return float("nan")
    edges = np.unique(np.quantile(base, np.linspace(0, 1, _BINS + 1)[1:-1]))
    p, q = (
        np.maximum(
            np.bincount(np.searchsorted(edges, each, side="right"), minlength=len(edges) + 1) / len(each), _LEAST_SHARE
        )
        for each in (known, base)
    )
    return float(((p - q) * np.log(p / q)).sum())


def outside_share(sample: Floats, *, reference: Floats) -> float:
    """Share of the sample below the least or above the largest reference value.

    >>> outside_share(np.array([0.0, 5.0, 11.0, 12.0]), reference=np.array([0.0, 10.0]))
    0.5
    """
    known = sample[np.isfinite(sample)]
    if not known.size or not np.isfinite(reference).any():
        return 0.0
    return float(((known < np.nanmin(reference)) | (known > np.nanmax(reference))).mean())


def cusum(z: Floats, *, window: int = WINDOW) -> Floats:
    """Page's cumulative sums of standardised errors (…, day) over each window, of the worse direction.

    Shape (…, day − window + 1): the sums at the last day of each window. Days without an error (NaN) change nothing.
    E. S. Page (1954), Biometrika 41.

    >>> cusum(np.array([9.0, 0.0, 2.0, 2.0]), window=3).tolist()
    [3.25, 1.5]
    """
    step, is_known = np.clip(z, -CLIP, CLIP), np.isfinite(z)
    up, down = (np.where(is_known, sign * step - SLACK, 0.0) for sign in (1.0, -1.0))
    return np.maximum(positive_sum(up, window=window), positive_sum(down, window=window))


def coverage_evidence(outside: Floats, n: Floats, *, expected: float) -> Floats:
    """What each day says for twice, and for half, the expected share outside a band: log likelihood ratios (2, …, day).

    `outside` of `n` intervals (…, day) lay outside.
    """
    return np.stack(
        [
            outside * np.log(share / expected) + (n - outside) * np.log((1 - share) / (1 - expected))
            for share in (min(2 * expected, 0.5 + expected / 2), expected / 2)
        ]
    )


def positive_sum(evidence: Floats, *, window: int = WINDOW) -> Floats:
    """Cumulative sums of evidence (…, day) over each window, that begin anew whenever they fall below zero.

    Shape (…, day − window + 1): the sums at the last day of each window. Days without evidence (NaN) change nothing.
    """
    known = np.nan_to_num(evidence, nan=0.0)
    count = known.shape[-1] - window + 1
    total = np.zeros((*known.shape[:-1], count))
    for day in range(window):
        np.maximum(0.0, total + known[..., day : day + count], out=total)
    return total


def made_up_quarters(days: int, *, seed: int = 0) -> npt.NDArray[np.int64]:
    """Which good day stands on each day of quarters made of their weeks, the window before included (path, day)."""
    rng = np.random.default_rng(seed)
    length = QUARTER + WINDOW - 1
    starts = rng.integers(0, days, size=(_PATHS, -(-length // _BLOCK)))
    index = (starts[..., np.newaxis] + np.arange(_BLOCK)) % days
    return index.reshape(_PATHS, -1)[:, :length]


def quiet_limit(scores: Floats) -> float:
    """What scores of made-up quarters (path, day) exceed in few of them."""
    return float(np.quantile(scores.max(axis=-1), _QUIET))


def is_firing(score: float, *, limit: float, before: bool) -> bool:
    """Whether a detector fires: from above its limit on, until it has fallen to half of it."""
    return score > (limit / 2 if before else limit)


def count_alarms(scores: Floats, *, limit: float) -> int:
    """How often a detector begins to fire in the scores of days one after another (day,).

    >>> count_alarms(np.array([0.0, 1.2, 0.8, 1.1, 0.4, 1.3]), limit=1.0)
    2
    """
    fires, count = False, 0
    for score in scores:
        now = is_firing(float(score), limit=limit, before=fires)
        count += now and not fires
        fires = now
    return count
