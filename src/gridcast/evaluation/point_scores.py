"""Scores of forecasts that say one number for an interval and nothing of how sure they are."""

from collections.abc import Sequence

import polars as pl

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.evaluation.dimensions import lead_bucket
from gridcast.evaluation.scored import KEYS

_OTHERS = [column for column in QUANTILE_COLUMNS if column != "p50"]


def says_one_number() -> pl.Expr:
    """Whether a row has a median and no other quantile."""
    others = pl.all_horizontal(pl.col(column).fill_nan(None).is_null() for column in _OTHERS)
    return pl.col("p50").fill_nan(None).is_not_null() & others


def point_scores(points: pl.DataFrame, naive: pl.DataFrame, *, by: Sequence[str]) -> pl.DataFrame:
    """Of a scored frame by groups: `n`, `mae_mw`, `bias_mw`, and `naive_mae_mw` of the weekly naive (`KEYS`, `p50`).

    What needs quantiles, pinball and coverage, is not there.
    """
    beside = naive.select(*KEYS, naive_mw=pl.col("p50").fill_nan(None)).unique(KEYS)
    known = points.with_columns(pl.col("actual_mw").fill_nan(None), lead_bucket=lead_bucket(points)).drop_nulls(
        "actual_mw"
    )
    error, naive_error = (pl.col(name) - pl.col("actual_mw") for name in ("p50", "naive_mw"))
    return (
        known.join(beside, on=KEYS, how="left")
        .group_by(by)
        .agg(
            n=pl.len().cast(pl.Int64),
            mae_mw=error.abs().mean(),
            bias_mw=error.mean(),
            naive_mae_mw=naive_error.abs().mean(),
        )
        .sort(by)
    )
