"""How long readings take from being received until a forecast from them is visible, as histograms by stage."""

import math
from bisect import bisect_left
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import numpy as np
import polars as pl

RECEIVED_LANDED: Final = "received_landed"
LANDED_AGGREGATED: Final = "landed_aggregated"
AGGREGATED_VISIBLE: Final = "aggregated_visible"
RECEIVED_VISIBLE: Final = "received_visible"
STAGES: Final = (RECEIVED_LANDED, LANDED_AGGREGATED, AGGREGATED_VISIBLE, RECEIVED_VISIBLE)

BOUNDS_S: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, math.inf)
"""Upper bounds of the bins."""


def binned(taken: Mapping[str, timedelta]) -> pl.DataFrame:
    """`stage`, `upper_s`, `n`: one count for each stage. A clock that was set back counts as no time."""
    seconds = {stage: max(0.0, each.total_seconds()) for stage, each in taken.items()}
    uppers = [BOUNDS_S[bisect_left(BOUNDS_S, each)] for each in seconds.values()]
    return pl.DataFrame({"stage": list(seconds), "upper_s": uppers, "n": [1] * len(uppers)})


def at_most(histogram: pl.DataFrame, *, stage: str, share: float) -> float | None:
    """Seconds that a share of a stage's counts took at most: the upper bound of its bin; None without counts."""
    bins = histogram.filter(pl.col("stage") == stage, pl.col("n") > 0).sort("upper_s")
    if bins.is_empty():
        return None
    counts = np.cumsum(bins["n"].to_numpy())
    return float(bins["upper_s"][int(np.searchsorted(counts, share * counts[-1]))])
