"""How the forecasts that were really issued did, once their actuals are in."""

import functools
from datetime import timedelta

import polars as pl

from gridcast.domain.lead_time import lead_count
from gridcast.domain.tables import WEATHER, Layer, Quality, earliest, latest
from gridcast.evaluation.live_naive import scores_beside_naive
from gridcast.evaluation.scored import KEYS, MODEL, NAIVE
from gridcast.features.panel import panel_from_frames
from gridcast.store.store import Store
from gridcast.workflows.backtest import scored_points_of
from gridcast.workflows.baselines import fit_naive, naive_forecast
from gridcast.workflows.history import history_panel
from gridcast.workflows.processed import Processed

WEEK = timedelta(days=8)
"""How far before its valid time the weekly naive looks, with a day to spare for clock changes."""


def score_forecasts(store: Store, processed: Processed, *, last: timedelta) -> pl.DataFrame:
    """Score what was issued in the `last` time before the newest forecast, and keep the scores.

    Only measured intervals count. Points whose actual is not in yet are left out, and scored once it is.

    Every layer is scored.

    Returns:
        The scored frame of the model and, for the same points, the weekly naive; empty when nothing can be scored.
    """
    newest = store.newest_issue_time()
    if newest is None:
        return pl.DataFrame()
    issued = store.forecasts(start=newest - last, end=newest + timedelta(microseconds=1))
    end = latest(issued["valid_time"]) + processed.interval
    readings = store.readings(start=earliest(issued["issue_time"]) - WEEK, end=end)
    is_measured = pl.col("quality").is_in([Quality.GOOD.value, Quality.EDITED.value])
    actual = readings.filter(is_measured).select("series_id", "valid_time", pl.col("load_mw").alias("actual_mw"))
    scored = issued.join(actual, on=["series_id", "valid_time"]).with_columns(pl.lit(MODEL).alias("forecaster"))
    if scored.is_empty():
        return scored
    by = ["series_id", "issue_time", "layer", "lead_bucket", "model_version"]
    naive = _naive_points(readings, processed, issued=issued).drop("actual_mw")
    store.save_scores(scores_beside_naive(scored, naive, by=by))
    points = scored.filter(layer=Layer.MODEL.value).drop("layer", "model_version", "degraded_because")
    paired = naive.join(points.select(*KEYS, "actual_mw"), on=KEYS).select(points.columns)
    return pl.concat([points, paired])


def _naive_points(readings: pl.DataFrame, processed: Processed, *, issued: pl.DataFrame) -> pl.DataFrame:
    """The weekly naive at the issue times and leads of `issued`, its spread fitted on the history before them."""
    longest = timedelta(
        seconds=issued.select((pl.col("valid_time") - pl.col("issue_time")).dt.total_seconds().max()).item()
    )
    origins = tuple(issued["issue_time"].unique().sort())
    history = history_panel(processed, until=origins[0])
    naive = fit_naive(history, until=len(history.time))
    panel = panel_from_frames(
        readings,
        weather=WEATHER.to_frame(),
        holidays=processed.holidays(),
        time_zones=processed.hierarchy.time_zones,
        interval=processed.interval,
        series_ids=processed.hierarchy.ids,
        until=latest(issued["valid_time"]) + processed.interval,
    )
    leads = lead_count(longest + processed.interval, processed.interval)
    forecast = functools.partial(naive_forecast, naive, leads=leads)
    return scored_points_of({NAIVE: forecast}, panel, panel, origins=origins, leads=leads)
