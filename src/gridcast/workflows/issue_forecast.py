"""One forecast of every series from what is known at an issue time; batch, stream and backtest all come here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.series import Hierarchy
from gridcast.domain.tables import FORECASTS, UTC_TIME, Layer
from gridcast.features.panel import Panel, panel_from_frames
from gridcast.features.temperature import fill_missing_temperature
from gridcast.features.windows import DAYS_OF_HISTORY
from gridcast.models.tensorflow.serving import Forecaster


@dataclass(frozen=True, slots=True)
class Known:
    """What is known at an issue time.

    Attributes:
        readings: `CLEAN_READINGS`; rows at or after the issue time are ignored, all others count as known by then.
        weather: `WEATHER` on the intervals of the loads; the part after the issue time is the weather forecast. Of
            several vintages the newest counts: what was not known yet must not be among them.
        holidays: `HOLIDAYS`.
        hierarchy: the series and their local clocks.
    """

    readings: pl.DataFrame
    weather: pl.DataFrame
    holidays: pl.DataFrame
    hierarchy: Hierarchy


def issue_forecast(forecaster: Forecaster, known: Known, *, issue_time: datetime, model_version: str) -> pl.DataFrame:
    """Forecasts (`FORECASTS`, layer model) of every series of the hierarchy, from `issue_time` over its horizon.

    A series the model has never seen or whose newest reading is missing, or a horizon whose weather is or comes from
    less than half of the series' station mix, still gets a forecast; its rows say so in `degraded_because`.

    Raises:
        GridcastError: there are no readings in the time before the issue time that the model looks at.
    """
    end = issue_time + forecaster.leads * forecaster.interval
    start = issue_time - timedelta(days=DAYS_OF_HISTORY)
    readings = known.readings.filter(pl.col("valid_time") >= start, pl.col("valid_time") < issue_time)
    if readings.is_empty():
        raise GridcastError(
            f"issue time {issue_time:%Y-%m-%d %H:%MZ}: no readings in the {DAYS_OF_HISTORY} days before it; expected "
            "some. Choose a time within the history, or ingest newer readings."
        )
    panel = panel_from_frames(
        readings.with_columns(
            pl.min_horizontal("available_at", pl.lit(issue_time, dtype=UTC_TIME)).alias("available_at")
        ),
        weather=known.weather.filter(pl.col("valid_time") >= start, pl.col("valid_time") < end),
        holidays=known.holidays,
        time_zones=known.hierarchy.time_zones,
        interval=forecaster.interval,
        series_ids=known.hierarchy.ids,
        until=end,
        station_mix=forecaster.station_mix,
    )
    origin = panel.index_of(issue_time)
    panel, filled = fill_missing_temperature(panel, origin=origin)
    series = np.arange(len(panel.series_ids))
    frame = forecast_frame(
        forecaster.forecast(panel, series=series, origin=np.full(len(series), origin)),
        series_ids=panel.series_ids,
        issue_times=[issue_time] * len(series),
        interval=forecaster.interval,
        model_version=model_version,
    )
    return frame.with_columns(_degraded_because(forecaster, panel, origin=origin, filled=filled))


def forecast_frame(
    quantiles_mw: npt.NDArray[np.float32],
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


def _degraded_because(forecaster: Forecaster, panel: Panel, *, origin: int, filled: npt.NDArray[np.bool_]) -> pl.Series:
    """A text for each series and lead, '' at full strength."""
    horizon = slice(origin, origin + forecaster.leads)
    own = panel.mix_of_series
    is_unknown = np.array([forecaster.series_index(each) == 0 for each in panel.series_ids])
    reasons = (
        ("series unknown to the model", is_unknown[:, np.newaxis]),
        ("newest reading missing", np.isnan(panel.load_mw[:, [origin - 1]])),
        ("no temperature known for this time: that of the last day available was taken", filled[own, horizon]),
        ("less than half of the station mix reported", (panel.is_thin & ~filled)[own, horizon]),
    )
    applies = np.stack([np.broadcast_to(each, (len(own), forecaster.leads)).ravel() for _, each in reasons])
    kinds, kind = np.unique(applies, axis=1, return_inverse=True)
    texts = ["; ".join(text for (text, _), is_so in zip(reasons, each, strict=True) if is_so) for each in kinds.T]
    return pl.Series("degraded_because", np.array(texts, dtype=object)[kind].tolist(), dtype=pl.String)
