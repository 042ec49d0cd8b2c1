"""Forecasts as operators corrected them, and whether the corrections helped."""

from typing import NamedTuple

import polars as pl

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import FORECASTS, Layer, Operation


class Help(NamedTuple):
    """What an override was worth: over n measured intervals, the mean absolute error (MW) of the two medians."""

    n: int
    model_mae_mw: float | None
    operator_mae_mw: float | None

    @property
    def value_added_mw(self) -> float | None:
        """By how much the override made the error smaller, MW (forecast value added)."""
        if self.model_mae_mw is None or self.operator_mae_mw is None:
            return None
        return self.model_mae_mw - self.operator_mae_mw


def operator_layer(forecasts: pl.DataFrame, overrides: pl.DataFrame) -> pl.DataFrame:
    """The rows (`FORECASTS`, layer operator) of the model's forecasts that overrides (`OVERRIDES`) change.

    Where several speak of an interval the one made last counts. Withdrawn overrides, and those that had expired when
    the forecast was issued, change nothing.
    """
    model = forecasts.filter(layer=Layer.MODEL.value)
    standing = overrides.filter(pl.col("withdrawn_at").is_null())
    if standing.is_empty() or model.is_empty():
        return FORECASTS.to_frame()
    spoken_of = model.join(standing, on="series_id", how="inner").filter(
        pl.col("valid_time").is_between("start", "end", closed="left"), pl.col("issue_time") < pl.col("expires_at")
    )
    last = spoken_of.sort("created_at", "override_id").unique(
        ["series_id", "issue_time", "valid_time"], keep="last", maintain_order=True
    )
    shift = (
        pl.when(operation=Operation.SET.value)
        .then(pl.col("value") - pl.col("p50"))
        .when(operation=Operation.ADD.value)
        .then("value")
        .otherwise(0.0)
    )
    factor = pl.when(operation=Operation.SCALE.value).then("value").otherwise(1.0)
    changed = last.with_columns((pl.col(each) * factor + shift).alias(each) for each in QUANTILE_COLUMNS)
    return (
        changed.with_columns(layer=pl.lit(Layer.OPERATOR.value))
        .select(FORECASTS.names())
        .sort("series_id", "issue_time", "valid_time")
    )


def effective(forecasts: pl.DataFrame) -> pl.DataFrame:
    """`FORECASTS` that count: the operator's row of an interval where there is one, else the model's.

    Ordered by series, issue time and valid time; a frame of the model alone comes back as it is. Other layers do not
    count.
    """
    if (forecasts["layer"] == Layer.MODEL.value).all():
        return forecasts
    keys = ["series_id", "issue_time", "valid_time"]
    counting = forecasts.filter(pl.col("layer").is_in([Layer.MODEL.value, Layer.OPERATOR.value]))
    ranked = counting.sort(pl.col("layer") != Layer.OPERATOR.value, maintain_order=True)
    return ranked.unique(keys, keep="first", maintain_order=True).sort(keys)


def help_of(forecasts: pl.DataFrame, actual: pl.DataFrame) -> Help:
    """How operators' rows did against the model's of the same issue and valid time.

    Args:
        forecasts: `FORECASTS` of both layers; rows that only one layer has are ignored.
        actual: `series_id`, `valid_time`, `actual_mw`.
    """
    keys = ["series_id", "issue_time", "valid_time"]
    model = forecasts.filter(layer=Layer.MODEL.value).select(*keys, model_mw="p50")
    operator = forecasts.filter(layer=Layer.OPERATOR.value).select(*keys, operator_mw="p50")
    paired = operator.join(model, on=keys).join(actual, on=["series_id", "valid_time"]).drop_nulls("actual_mw")
    if paired.is_empty():
        return Help(0, None, None)
    model_mae, operator_mae = paired.select(
        (pl.col("model_mw") - pl.col("actual_mw")).abs().mean().alias("model"),
        (pl.col("operator_mw") - pl.col("actual_mw")).abs().mean().alias("operator"),
    ).row(0)
    return Help(paired.height, model_mae, operator_mae)
