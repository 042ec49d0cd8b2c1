"""The long frame every score starts from: forecasts of several forecasters beside what then happened.

Columns: `forecaster`, `series_id`, `issue_time`, `valid_time`, `p05` … `p95`, `actual_mw`; loads in MW.
A row is a scored point when its actual and all its quantiles are there.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

from gridcast.domain.dimensions import Dimension
from gridcast.domain.quantiles import QUANTILE_COLUMNS, QUANTILE_LEVELS
from gridcast.evaluation.dimensions import ORDERS, lead_bucket
from gridcast.evaluation.metrics import crps_weights

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
    is_wanted = Dimension.LEAD_BUCKET in by and Dimension.LEAD_BUCKET not in points.columns
    return points.with_columns(lead_bucket=lead_bucket(points)) if is_wanted else points


def with_losses(points: pl.DataFrame) -> pl.DataFrame:
    """Adds to `scored_points` each one's losses, MW; null where the point is not scored.

    `error` (forecast − actual), `pinball_p05` … `pinball_p95`, their mean `pinball`, and `crps`.
    """
    actual = pl.when("is_scored").then("actual_mw")
    losses = {
        f"pinball_{column}": pl.max_horizontal(
            level * (actual - pl.col(column)), (level - 1.0) * (actual - pl.col(column))
        )
        for level, column in zip(QUANTILE_LEVELS, QUANTILE_COLUMNS, strict=True)
    }
    crps = 2.0 * pl.sum_horizontal(
        (weight * pl.col(name) for weight, name in zip(crps_weights().tolist(), losses, strict=True)),
        ignore_nulls=False,
    )
    return (
        points.with_columns(actual_mw=actual)
        .with_columns(error=pl.col("p50") - pl.col("actual_mw"), **losses)
        .with_columns(pinball=pl.mean_horizontal(*losses), crps=crps)
    )


def in_reading_order(table: pl.DataFrame, *, by: Sequence[str]) -> pl.DataFrame:
    """The table sorted by `by` (see `ORDERS`: lead buckets as time goes on), then model before baselines."""
    order = [_rank(name, ORDERS[name]) if name in ORDERS else pl.col(name) for name in by]
    return table.sort(*order, _rank("forecaster", FORECASTERS), "forecaster")


def _rank(name: str, values: Sequence[str]) -> pl.Expr:
    """The position of each value among `values`; others come behind them."""
    ranks = {value: rank for rank, value in enumerate(values)}
    return pl.col(name).replace_strict(ranks, default=len(ranks), return_dtype=pl.Int64)
