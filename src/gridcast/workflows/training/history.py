"""The whole clean history as a panel, for training and judging."""

from datetime import datetime
from typing import NamedTuple

import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import Quality, earliest
from gridcast.features.panel import Panel, panel_from_frames
from gridcast.features.station_choice import learn_station_mix
from gridcast.features.station_mix import StationMix, plain_mix
from gridcast.features.station_reports import reports_on
from gridcast.features.weather_grid import are_forecasts
from gridcast.workflows.forecasts.weather_use import MixChoice, WeatherKnown, WeatherUse
from gridcast.workflows.readings.processed import Processed


class TrainingHistory(NamedTuple):
    """What a model learns from."""

    panel: Panel
    """Every series, up to the first moment that must stay unseen."""
    station_mix: StationMix | None
    """How its temperatures are mixed; None without any weather."""


def training_history(processed: Processed, *, until: datetime, use: WeatherUse) -> TrainingHistory:
    """The history before `until` with its weather mixed as `use` says; the mix too knows nothing of what follows.

    Raises:
        GridcastError: nothing was measured before `until`, or there are no forecasts where weather as issued is wanted.
    """
    panel, weather = history_panel(processed, until=until), processed.weather(end=until)
    is_as_issued = use.known is WeatherKnown.AS_ISSUED
    candidates = _forecast_stations(weather) if is_as_issued else weather
    reports = reports_on(candidates, time=panel.time, interval=panel.interval)
    if not reports.station_ids:
        return TrainingHistory(panel, None)
    if use.station_mix is MixChoice.LEARNED:
        mix = learn_station_mix(panel, reports, until=len(panel.time))
    else:
        mix = plain_mix(reports.station_ids)
    return TrainingHistory(panel.with_weather(weather, station_mix=mix, as_issued=is_as_issued), mix)


def _forecast_stations(weather: pl.DataFrame) -> pl.DataFrame:
    """The weather of stations that have forecasts: the others are silent about the horizon."""
    stations = weather.filter(are_forecasts())["station_id"].unique()
    if stations.is_empty():
        raise GridcastError(
            f"weather.known is as_issued, but none of {weather.height:,} temperatures before the days kept for judging "
            "was available when its interval began; expected weather forecasts as they were issued. Ingest some, or "
            "set weather.known to observed in config/model_config.yaml."
        )
    return weather.filter(pl.col("station_id").is_in(stations.implode()))


def history_panel(
    processed: Processed,
    *,
    observed_only: bool = False,
    until: datetime | None = None,
    station_mix: StationMix | None = None,
    as_issued: bool = False,
) -> Panel:
    """Every series of the processed history on one grid, up to its end or to `until`.

    Args:
        processed: the clean history.
        observed_only: leave estimated loads out, as scores are taken against measurements alone.
        until: exclusive end of the grid.
        station_mix: of the model the panel is for; the plain mean if left out.
        as_issued: windows see the weather as it was known at their origin.

    Raises:
        GridcastError: nothing was measured before `until`.
    """
    readings = processed.readings()
    begins = earliest(readings["valid_time"])
    if until is not None and begins >= until:
        raise GridcastError(
            f"the history begins {begins:%Y-%m-%d %H:%MZ}; expected some of it before {until:%Y-%m-%d %H:%MZ}, as the "
            "days after that are kept for judging. Ingest a longer history, or lower backtest.days in "
            "config/model_config.yaml."
        )
    if observed_only:
        measured = pl.col("quality").is_in([Quality.GOOD.value, Quality.EDITED.value])
        readings = readings.with_columns(pl.when(measured).then("load_mw").alias("load_mw"))
    return panel_from_frames(
        readings,
        weather=processed.weather(),
        holidays=processed.holidays(),
        time_zones=processed.hierarchy.time_zones,
        interval=processed.interval,
        series_ids=processed.hierarchy.ids,
        until=until,
        station_mix=station_mix,
        as_issued=as_issued,
    )
