"""How the forecasts that were really issued did, once their actuals are in."""

from datetime import datetime, timedelta

import polars as pl

from gridcast.domain.tables import Layer, Quality
from gridcast.evaluation.scored import MODEL, NAIVE
from gridcast.evaluation.scorecard import scorecard
from gridcast.features.panel import panel_from_frames
from gridcast.store.sqlite import Store
from gridcast.workflows.backtest import scored_points_of
from gridcast.workflows.baselines import fit_naive, naive_forecast
from gridcast.workflows.history import history_panel
from gridcast.workflows.processed import Processed

WEEK = timedelta(days=8)
"""How far before its valid time the weekly naive looks, with a day to spare for clock changes."""


def score_forecasts(store: Store, processed: Processed, *, start: datetime, end: datetime) -> pl.DataFrame:
    """Score every forecast issued in [start, end) and keep the scores; returns the scored frame of model and naive.

    Only measured intervals count. Points whose actual is not in yet are left out, and scored when it is.
    """
    issued = store.forecasts(start=start, end=end).filter(layer=Layer.MODEL.value)
    if issued.is_empty():
        return pl.DataFrame()
    readings = store.readings(start=start - WEEK, end=issued["valid_time"].max() + processed.interval)
    is_measured = pl.col("quality").is_in([Quality.GOOD.value, Quality.EDITED.value])
    actual = readings.filter(is_measured).select("series_id", "valid_time", pl.col("load_mw").alias("actual_mw"))
    model = issued.join(actual, on=["series_id", "valid_time"], how="inner").with_columns(
        pl.lit(MODEL).alias("forecaster")
    )
    if model.is_empty():
        return pl.DataFrame()
    store.save_scores(_score_rows(model))
    points = model.drop("layer", "degraded_because")
    naive = _naive_points(readings, processed, issued=issued)
    keys = ["series_id", "issue_time", "valid_time"]
    naive = naive.drop("actual_mw").join(points.select(*keys, "model_version", "actual_mw"), on=keys, how="inner")
    return pl.concat([points, naive.select(points.columns)])


def _score_rows(model: pl.DataFrame) -> pl.DataFrame:
    table = scorecard(model, by=["series_id", "issue_time", "layer", "lead_bucket", "model_version"])
    return table.rename(
        {"mae_mw": "mae", "bias_mw": "bias", "pinball_mw": "pinball", "coverage_80": "covered_80", "coverage_90": "covered_90"}
    )


def _naive_points(readings: pl.DataFrame, processed: Processed, *, issued: pl.DataFrame) -> pl.DataFrame:
    first = issued["issue_time"].min()
    history = history_panel(processed)
    naive = fit_naive(history, until=history.index_of(first))  # type: ignore[arg-type]
    leads = issued.group_by("series_id", "issue_time").len()["len"].max()
    panel = panel_from_frames(
        readings,
        weather=processed.weather().clear(),
        holidays=processed.holidays(),
        time_zones=processed.hierarchy.time_zones,
        interval=processed.interval,
        series_ids=processed.hierarchy.ids,
        until=issued["valid_time"].max() + processed.interval,  # type: ignore[operator]
    )
    origins = tuple(issued["issue_time"].unique().sort())
    return scored_points_of(
        {NAIVE: lambda each, **windows: naive_forecast(naive, each, **windows)},
        panel,
        panel,
        origins=origins,
        leads=leads,  # type: ignore[arg-type]
    )
