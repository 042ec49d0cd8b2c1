"""The long frame every score starts from: forecasts of several forecasters beside what then happened.

Columns: `forecaster`, `series_id`, `issue_time`, `valid_time`, `p05` … `p95`, `actual_mw`; loads in MW.
A row is a scored point when its actual and all its quantiles are there.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

from gridcast.domain.lead_time import LEAD_BUCKETS
from gridcast.domain.quantiles import QUANTILE_COLUMNS

MODEL: Final = "model"
NAIVE: Final = "naive"
LINEAR: Final = "linear"
FORECASTERS: Final = (MODEL, LINEAR, NAIVE)
"""The model and the two baselines, in the order tables show them."""

KEYS: Final = ("series_id", "issue_time", "valid_time")
COLUMNS: Final = ("forecaster", *KEYS, *QUANTILE_COLUMNS, "actual_mw")
DERIVED: Final = ("lead", "lead_bucket")
"""Columns that `by` may name although the frame does not carry them."""


def scored_points(frame: pl.DataFrame, *, by: Sequence[str] = ()) -> pl.DataFrame:
    """The frame with NaN read as null, `is_scored`, `lead`, and `lead_bucket` where `by` asks for it.

    Raises:
        ValueError: a column is missing, a lead is outside the buckets, or scores with observed weather and with
            forecast weather (column `weather`) would be mixed.
    """
    missing = [name for name in (*COLUMNS, *by) if name not in (*frame.columns, *DERIVED)]
    if missing:
        raise ValueError(f"scored frame has columns {frame.columns}; expected also {missing}.")
    if "weather" in frame.columns and "weather" not in by and frame["weather"].n_unique() > 1:
        raise ValueError("scored frame mixes several kinds of weather; score them apart or group by 'weather'.")
    loads = (*QUANTILE_COLUMNS, "actual_mw")
    points = frame.with_columns(
        pl.col(loads).cast(pl.Float64).fill_nan(None), lead=pl.col("valid_time") - pl.col("issue_time")
    ).with_columns(is_scored=pl.all_horizontal(pl.col(name).is_not_null() for name in loads))
    return points.with_columns(lead_bucket=_lead_bucket(points)) if "lead_bucket" in by else points


def in_reading_order(table: pl.DataFrame, *, by: Sequence[str]) -> pl.DataFrame:
    """The table sorted by `by` (lead buckets as time goes on), then model before baselines."""
    ranks = {each.label: rank for rank, each in enumerate(LEAD_BUCKETS)}
    order: list[pl.Expr] = [
        pl.col(name).replace_strict(ranks, return_dtype=pl.Int64) if name == "lead_bucket" else pl.col(name)
        for name in by
    ]
    forecasters = {name: rank for rank, name in enumerate(FORECASTERS)}
    rank = pl.col("forecaster").replace_strict(forecasters, default=len(forecasters), return_dtype=pl.Int64)
    return table.sort(*order, rank, "forecaster")


def _lead_bucket(points: pl.DataFrame) -> pl.Series:
    outside = points.filter((pl.col("lead") < LEAD_BUCKETS[0].start) | (pl.col("lead") >= LEAD_BUCKETS[-1].end))["lead"]
    if len(outside):
        raise ValueError(
            f"{len(outside)} leads such as {outside[0]} found; expected 0 ≤ lead < {LEAD_BUCKETS[-1].end}."
        )
    cut = pl.lit(LEAD_BUCKETS[-1].label)
    for bucket in reversed(LEAD_BUCKETS[:-1]):
        cut = pl.when(pl.col("lead") < bucket.end).then(pl.lit(bucket.label)).otherwise(cut)
    return points.select(lead_bucket=cut).to_series()
