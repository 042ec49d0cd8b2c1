"""Samples of forecasts: how new, how good, and whether they can be true."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import polars as pl

from gridcast.domain.tables import Layer
from gridcast.monitoring import metric_names as names
from gridcast.monitoring.exposition import Sample
from gridcast.store import monitored_forecasts, monitored_readings
from gridcast.store.as_of import Connection
from gridcast.workflows.judging.daily_forecasts import daily_points, day_starts, peak_errors

WINDOW = timedelta(days=7)
"""Forecasts issued in so long a time before the newest are what live accuracy is taken of."""
_BOUNDS = timedelta(days=28)
_TOO_MUCH = 2.0
_MOMENT = timedelta(microseconds=1)
_MEASURES = {
    "mae_mw": names.MAE,
    "bias_mw": names.BIAS,
    "pinball_mw": names.PINBALL,
    "naive_mae_mw": names.NAIVE_MAE,
    "naive_pinball_mw": names.NAIVE_PINBALL,
}


def newest(connection: Connection, *, now: datetime) -> Iterator[Sample]:
    """Age and size of the newest forecast of each layer."""
    for row in monitored_forecasts.forecast_rows(connection).iter_rows(named=True):
        yield Sample(names.FORECAST_AGE, (row["layer"],), (now - row["issue_time"]).total_seconds())
        yield Sample(names.FORECAST_ROWS, (row["layer"],), row["rows"])
        if row["layer"] == Layer.MODEL and row["degraded"] is not None:
            yield Sample(names.DEGRADED, value=row["degraded"])


def accuracy(connection: Connection, series_ids: Sequence[str], *, limits: pl.DataFrame) -> Iterator[Sample]:
    """Live errors by series, layer and lead bucket, and what the backtest lets expect of them."""
    issued = monitored_forecasts.newest_two(connection, series_ids[0])
    if not issued:
        return
    start, end = issued[0] - WINDOW, issued[0] + _MOMENT
    loads = monitored_readings.loads(connection, series_ids, start=start, end=end)
    means = dict(loads.group_by("series_id").agg(pl.col("load_mw").mean()).iter_rows())
    scores = monitored_forecasts.live_scores(connection, series_ids, start=start, end=end)
    for row in scores.iter_rows(named=True):
        labels = row["series_id"], row["layer"], row["lead_bucket"]
        yield Sample(names.POINTS, labels, row["n"])
        for column, metric in _MEASURES.items():
            if row.get(column) is not None:
                yield Sample(metric, labels, row[column])
        for band in ("80", "90"):
            if row[f"coverage_{band}"] is not None:
                yield Sample(names.COVERAGE, (*labels, band), row[f"coverage_{band}"])
        if means.get(row["series_id"]):
            yield Sample(names.ERROR_SHARE, labels, row["mae_mw"] / abs(means[row["series_id"]]))
    for series_id, bucket, limit_mw in limits.filter(pl.col("series_id").is_in(list(series_ids))).iter_rows():
        yield Sample(names.MAE_LIMIT, (series_id, bucket), limit_mw)


def trial(connection: Connection, series_ids: Sequence[str]) -> Iterator[Sample]:
    """How the model on trial does beside the one in charge, if there is one."""
    issued = monitored_forecasts.newest_two(connection, series_ids[0])
    if not issued:
        return
    start, end = issued[0] - WINDOW, issued[0] + _MOMENT
    for row in monitored_forecasts.beside_champion(connection, series_ids, start=start, end=end).iter_rows(named=True):
        series = (row["series_id"],)
        yield Sample(names.SHADOW_POINTS, series, row["n"])
        yield Sample(names.SHADOW_TIME, series, (row["last"] - row["first"]).total_seconds())
        if row["model_mw"]:
            yield Sample(names.SHADOW_SKILL, series, 1 - row["shadow_mw"] / row["model_mw"])


def peaks(
    connection: Connection, series_ids: Sequence[str], *, time_zone: str, interval: timedelta
) -> Iterator[Sample]:
    """Errors of the daily peaks of the last seven whole local days."""
    issued = monitored_forecasts.newest_two(connection, series_ids[0])
    if not issued:
        return
    starts = day_starts(issued[0], days=WINDOW.days, time_zone=time_zone)
    points = daily_points(connection, series_ids, starts=starts, columns=["p50"])
    for row in peak_errors(points, time_zone=time_zone, interval=interval).iter_rows(named=True):
        yield Sample(names.PEAK_SIZE, (row["series_id"],), row["size_mw"])
        yield Sample(names.PEAK_HOUR, (row["series_id"],), row["hours"])


def anomalies(connection: Connection, series_ids: Sequence[str]) -> Iterator[Sample]:
    """Levels that cannot be, and jumps from one issue to the next."""
    issued = monitored_forecasts.newest_two(connection, series_ids[0])
    if not issued:
        return
    bounds = monitored_readings.loads(connection, series_ids, start=issued[0] - _BOUNDS, end=issued[0])
    limits = bounds.group_by("series_id").agg(low=pl.col("load_mw").min(), high=pl.col("load_mw").max())
    rows = monitored_forecasts.issued_at(connection, series_ids, issued[:1], columns=["p50"])
    is_below = (pl.col("p50") < 0) & (pl.col("low") >= 0)
    is_above = (pl.col("high") > 0) & (pl.col("p50") > _TOO_MUCH * pl.col("high"))
    found = rows.join(limits, on="series_id").group_by("series_id").agg(n=(is_below | is_above).sum())
    for series_id, n in found.sort("series_id").iter_rows():
        yield Sample(names.IMPOSSIBLE, (series_id,), n)
    if len(issued) > 1:
        jumps = monitored_forecasts.jumps(connection, series_ids, newest=issued[0], before=issued[1])
        for series_id, jump in sorted(jumps.items()):
            yield Sample(names.JUMP, (series_id,), jump)
