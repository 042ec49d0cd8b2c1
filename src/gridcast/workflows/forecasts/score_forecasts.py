"""How the forecasts that were really issued did, once their actuals are in."""

from datetime import timedelta

import polars as pl

from gridcast.domain.tables import Layer, Quality, earliest, latest
from gridcast.evaluation.live_naive import scores_beside_naive
from gridcast.evaluation.scored import MODEL, NAIVE
from gridcast.store.store import Store
from gridcast.workflows.forecasts.live_scores import NAIVE_DAYS, naive_beside
from gridcast.workflows.readings.processed import Processed


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
    scored = keep_scores(store, processed, store.forecasts(start=newest - last, end=newest + timedelta(microseconds=1)))
    return scored if scored.is_empty() else _of_model(scored)


def keep_scores(store: Store, processed: Processed, issued: pl.DataFrame) -> pl.DataFrame:
    """Score `FORECASTS` of any layers as far as their actuals are in, and keep the scores.

    Returns:
        The scored frame of them and, for the same points, the weekly naive; empty when nothing can be scored.
    """
    end = latest(issued["valid_time"]) + processed.interval
    readings = store.readings(start=earliest(issued["issue_time"]) - NAIVE_DAYS, end=end)
    is_measured = pl.col("quality").is_in([Quality.GOOD.value, Quality.EDITED.value])
    actual = readings.filter(is_measured).select("series_id", "valid_time", pl.col("load_mw").alias("actual_mw"))
    scored = issued.join(actual, on=["series_id", "valid_time"]).with_columns(pl.lit(MODEL).alias("forecaster"))
    if scored.is_empty():
        return scored
    by = ["series_id", "issue_time", "layer", "lead_bucket", "model_version"]
    naive = naive_beside(scored, readings, time_zones=processed.hierarchy.time_zones)
    store.save_scores(scores_beside_naive(scored, naive, by=by))
    return pl.concat([scored, naive.with_columns(forecaster=pl.lit(NAIVE)).drop_nulls("p50")])


def _of_model(scored: pl.DataFrame) -> pl.DataFrame:
    return scored.filter(layer=Layer.MODEL.value).drop("layer", "model_version", "degraded_because")
