"""One forecast of every series from what is known at an issue time; batch, stream and backtest all come here."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import FORECASTS, UTC_TIME, Layer
from gridcast.features.panel import Panel
from gridcast.features.windows import RECENT_DAYS, intervals_per_day
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.workflows.forecasts.known import Known, known_panel
from gridcast.workflows.forecasts.refresh import Refresh

FEWEST_DAYS = 7
"""Days with readings, of those the model looks at most, below which a forecast is degraded."""


def issue_forecast(
    forecaster: Forecaster, known: Known, *, issue_time: datetime, model_version: str, refresh: Refresh | None = None
) -> pl.DataFrame:
    """Forecasts (`FORECASTS`, layer model) of every series of the hierarchy, from `issue_time` over its horizon.

    They are adapted by `refresh`, if there is one.

    A series the model has never seen, with few readings or without the newest, and intervals whose weather is unknown
    or comes from less than half of the series' station mix, still get a forecast, a wider one; their rows say so in
    `degraded_because`.

    Raises:
        GridcastError: there are no readings in the time before the issue time that the model looks at.
    """
    panel, origin = known_panel(forecaster, known, issue_time=issue_time)
    series = np.arange(len(panel.series_ids))
    origins = np.full(len(series), origin)
    if refresh is None:
        quantiles: npt.NDArray[np.floating] = forecaster.forecast(panel, series=series, origin=origins)
    else:
        quantiles = refresh.forecast(forecaster, panel, series=series, origin=origins)
    frame = forecast_frame(
        quantiles,
        series_ids=panel.series_ids,
        issue_times=[issue_time] * len(series),
        interval=forecaster.interval,
        model_version=model_version,
    )
    return frame.with_columns(_degraded_because(forecaster, panel, origin=origin))


def forecast_frame(
    quantiles_mw: npt.NDArray[np.floating],
    *,
    series_ids: Sequence[str],
    issue_times: Sequence[datetime],
    interval: timedelta,
    model_version: str,
) -> pl.DataFrame:
    """`FORECASTS` of windows: quantiles (window, lead, quantile), with the series and issue time of each window."""
    windows, leads, _ = quantiles_mw.shape
    flat = quantiles_mw.reshape(windows * leads, -1).astype(np.float64)
    lead = pl.Series("lead", np.tile(np.arange(leads), windows)) * (interval // timedelta(microseconds=1))
    keys = pl.DataFrame({"series_id": list(series_ids), "issue_time": pl.Series(issue_times, dtype=UTC_TIME)})
    rows = keys.select(pl.all().repeat_by(leads).explode(empty_as_null=False, keep_nulls=False))
    return rows.with_columns(
        (pl.col("issue_time") + lead.cast(pl.Duration("us"))).alias("valid_time"),
        pl.lit(Layer.MODEL.value).alias("layer"),
        pl.lit(model_version).alias("model_version"),
        *(pl.Series(name, flat[:, level]) for level, name in enumerate(QUANTILE_COLUMNS)),
        pl.lit("").alias("degraded_because"),
    ).select(FORECASTS.names())


def _degraded_because(forecaster: Forecaster, panel: Panel, *, origin: int) -> pl.Series:
    """A text for each series and lead, '' at full strength."""
    horizon, per_day = slice(origin, origin + forecaster.leads), intervals_per_day(panel.interval)
    own = panel.mix_of_series
    is_unknown = np.array([forecaster.series_index(each) == 0 for each in panel.series_ids])
    readings = np.isfinite(panel.load_mw[:, max(0, origin - RECENT_DAYS * per_day) : origin]).sum(axis=1)
    has_few = readings < FEWEST_DAYS * per_day
    no_weather = np.isnan(panel.temperature_c)
    reasons = (
        ("series unknown to the model", is_unknown[:, np.newaxis]),
        ("newest reading missing", np.isnan(panel.load_mw[:, [origin - 1]])),
        (f"readings of less than {FEWEST_DAYS} of the last {RECENT_DAYS} days", has_few[:, np.newaxis]),
        ("no temperature known for this time", no_weather[own, horizon]),
        ("less than half of the station mix reported", (panel.is_thin & ~no_weather)[own, horizon]),
    )
    applies = np.stack([np.broadcast_to(each, (len(own), forecaster.leads)).ravel() for _, each in reasons])
    kinds, kind = np.unique(applies, axis=1, return_inverse=True)
    texts = ["; ".join(text for (text, _), is_so in zip(reasons, each, strict=True) if is_so) for each in kinds.T]
    return pl.Series("degraded_because", np.array(texts, dtype=object)[kind].tolist(), dtype=pl.String)
