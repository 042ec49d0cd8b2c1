"""How sure is it that one forecaster is better? Paired differences, resampled in blocks of whole issue days."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FEWEST_BLOCKS = 4
"""With fewer blocks the resamples hardly differ, and an interval would promise too much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampling:
    """How days are drawn.

    Attributes:
        block: consecutive days that are drawn together, because errors of neighbouring days are alike.
        samples: how often as many days as there are are drawn.
        confidence: share of the resamples inside an interval.
        seed: of the draws: the same seed gives the same interval.

    Raises:
        ValueError: a number is out of range.
    """

    block: int = 7
    samples: int = 4000
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.block < 1 or self.samples < 1 or not 0 < self.confidence < 1:
            raise ValueError(
                f"block {self.block}, samples {self.samples}, confidence {self.confidence}; expected a block and "
                "samples of at least 1 and a confidence between 0 and 1."
            )


class Difference(NamedTuple):
    """A's score minus B's, with the bounds of its confidence interval; of a loss, negative means A is better."""

    difference: float
    low: float
    high: float
    probability_less: float
    """Share of the resamples in which A's score is less; equal ones count half."""


def day_counts(days: int, *, resampling: Resampling) -> Floats:
    """How often each day was drawn, (sample, day); every row sums to `days`.

    Blocks of consecutive days start anywhere; behind the last day comes the first again, so that all days are
    equally likely. The last block of a resample is cut where the resample is full.

    Reference: Politis and Romano (1992), A circular block-resampling procedure for stationary data; for blocks that
    do not go round: Künsch (1989), The jackknife and the bootstrap for general stationary observations.

    Raises:
        ValueError: the days hold fewer than `FEWEST_BLOCKS` blocks.
    """
    if days < FEWEST_BLOCKS * resampling.block:
        raise ValueError(f"{days} days hold fewer than {FEWEST_BLOCKS} blocks of {resampling.block}; expected more.")
    random = np.random.default_rng(resampling.seed)
    blocks = -(-days // resampling.block)
    starts = random.integers(days, size=(resampling.samples, blocks))
    drawn = (starts[..., np.newaxis] + np.arange(resampling.block)) % days
    drawn = drawn.reshape(resampling.samples, -1)[:, :days] + days * np.arange(resampling.samples)[:, np.newaxis]
    counts = np.bincount(drawn.ravel(), minlength=days * resampling.samples)
    return counts.reshape(resampling.samples, days).astype(np.float64)


def paired_difference(
    a: Floats,
    b: Floats,
    *,
    points: Floats,
    resampling: Resampling,
    score: Callable[[Floats], Floats] = np.asarray,
) -> Difference:
    """The difference of two mean losses over the same points and its block-bootstrap interval.

    Args:
        a: sum of A's losses on each day, (day,), in the order of time.
        b: the same of B.
        points: how many points each day has, (day,).
        resampling: how days are drawn; both get the same days, which is what makes it paired.
        score: from mean losses to the score that is compared, element by element, such as the root.

    Deviations of the resamples are stretched by √(days / (days − block)): blocks vary about the mean of the very days
    they come from, and would show too little spread otherwise.

    Raises:
        ValueError: arrays differ in length, or there are too few days.
    """
    if not len(a) == len(b) == len(points):
        raise ValueError(f"{len(a)}, {len(b)} and {len(points)} days; expected the same number of each.")
    counts = day_counts(len(points), resampling=resampling)
    drawn = counts @ points
    resampled = score(counts @ a / drawn) - score(counts @ b / drawn)
    whole = float(score(a.sum() / points.sum()) - score(b.sum() / points.sum()))
    stretch = np.sqrt(len(points) / (len(points) - resampling.block))
    spread = whole + (resampled - whole) * stretch
    tail = (1.0 - resampling.confidence) / 2.0
    low, high = np.quantile(spread, (tail, 1.0 - tail))
    return Difference(whole, float(low), float(high), float(((spread < 0.0) + 0.5 * (spread == 0.0)).mean()))
