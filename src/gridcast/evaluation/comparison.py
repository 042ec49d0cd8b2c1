"""Forecasters against each other on exactly the same points: differences of their scores and how sure they are."""

from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Final

import numpy as np
import polars as pl

from gridcast.evaluation.bootstrap import Floats, Resampling, paired_difference
from gridcast.evaluation.scored import KEYS, scored_points, with_losses

SCORES: Final[Mapping[str, tuple[pl.Expr, Callable[[Floats], Floats]]]] = {
    "pinball_mw": (pl.col("pinball"), np.asarray),
    "crps_mw": (pl.col("crps"), np.asarray),
    "mae_mw": (pl.col("error").abs(), np.asarray),
    "rmse_mw": (pl.col("error").pow(2), np.sqrt),
}
"""Score → the loss of a point, and what makes the score of its mean. Less is better."""

PAIRS: Final = pl.Schema(
    {
        "metric": pl.String(),
        "a": pl.String(),
        "b": pl.String(),
        "score_a": pl.Float64(),
        "score_b": pl.Float64(),
        "difference": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "probability_a_better": pl.Float64(),
        "n": pl.Int64(),
        "days": pl.Int64(),
    }
)
"""A pair of forecasters and a score, MW: A's minus B's with its confidence interval, over `n` points of `days` days."""


def same_points(frame: pl.DataFrame) -> pl.DataFrame:
    """The points of a scored frame that every one of its forecasters has scored.

    Raises:
        ValueError: the frame is not a scored frame.
    """
    points, names = scored_points(frame).filter("is_scored"), frame["forecaster"].n_unique()
    return points.filter(pl.len().over(KEYS) == names)


def compare_pairs(frame: pl.DataFrame, *, time_zone: str, resampling: Resampling) -> pl.DataFrame:
    """Every pair of forecasters of a scored frame (`PAIRS`), in the order they come, over the points all have.

    Days, the units of resampling, are those of the issue time on the calendar of `time_zone`.

    Raises:
        ValueError: the frame is not a scored frame, or it holds too few days, see `day_counts`.
    """
    names = frame["forecaster"].unique(maintain_order=True).to_list()
    day = pl.col("issue_time").dt.convert_time_zone(time_zone).dt.date().alias("day")
    daily = (
        with_losses(same_points(frame))
        .group_by("forecaster", day)
        .agg(pl.len().alias("points"), *(loss.sum().alias(name) for name, (loss, _) in SCORES.items()))
        .sort("day")
    )
    of = {name: daily.filter(pl.col("forecaster") == name) for name in names}
    rows = [
        {"metric": metric, "a": a, "b": b, **_difference(of[a], of[b], metric=metric, resampling=resampling)}
        for a, b in combinations(names, 2)
        for metric in SCORES
    ]
    return pl.DataFrame(rows, schema=PAIRS)


def _difference(a: pl.DataFrame, b: pl.DataFrame, *, metric: str, resampling: Resampling) -> dict[str, float | int]:
    points, score = a["points"].cast(pl.Float64).to_numpy(), SCORES[metric][1]
    sums = [each[metric].to_numpy() for each in (a, b)]
    found = paired_difference(*sums, points=points, resampling=resampling, score=score)
    score_a, score_b = (float(score(each.sum() / points.sum())) for each in sums)
    return {
        "score_a": score_a,
        "score_b": score_b,
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "probability_a_better": found.probability_less,
        "n": int(points.sum()),
        "days": len(points),
    }
