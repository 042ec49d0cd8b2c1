"""How good would the forecasts have been? Daily origins over the last weeks, against both baselines."""

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.evaluation.folds import daily_origins
from gridcast.evaluation.scorecard import headline
from gridcast.evaluation.scored import LINEAR, MODEL, NAIVE
from gridcast.features.known_temperature import was_known
from gridcast.features.panel import Panel
from gridcast.features.windows import window_targets
from gridcast.ingestion.atomic import write_files
from gridcast.ingestion.parquet import to_parquet
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.workflows.baselines import fit_linear_baselines, fit_naive, naive_forecast
from gridcast.workflows.history import history_panel
from gridcast.workflows.issue_forecast import forecast_frame
from gridcast.workflows.processed import Processed
from gridcast.workflows.weather_use import WeatherKnown

_FACTS = "headline.json"
_POINTS = "points.parquet"

FEWEST_ORIGINS = 7
"""A verdict on fewer days would be luck."""

Forecast = Callable[..., npt.NDArray[np.floating]]
"""Quantiles (window, lead, quantile), MW, of a panel, given `series` and `origin`."""


@dataclass(frozen=True, slots=True)
class Backtest:
    """What was measured.

    Attributes:
        points: the scored frame: forecaster, series_id, issue_time, valid_time, quantiles and actual, MW.
        headline: the figures of the headline table.
        origins: when forecasts were issued, ascending.
        model_version: who was judged.
        identity: which model and judge exactly, to tell whether a kept backtest still speaks of them.
        data_fingerprint: on which processed history.
        weather: which temperatures stood for the future.
        degraded_share: of the points whose temperature was not known from at least half of the station mix.
    """

    points: pl.DataFrame
    headline: Mapping[str, float | int | None]
    origins: tuple[datetime, ...]
    model_version: str
    identity: str
    data_fingerprint: str
    weather: WeatherKnown = WeatherKnown.OBSERVED
    degraded_share: float = 0.0

    def is_of(self, identity: str, *, data: str, origins: tuple[datetime, ...]) -> bool:
        """Whether judging again would measure the same."""
        return (self.identity, self.data_fingerprint, self.origins) == (identity, data, origins)

    def write(self, directory: Path) -> None:
        """Keep it in the model's own folder below `directory`, whole or not at all.

        Raises:
            GridcastError: the disk is full or cannot be written to.
        """
        facts = {
            "model_version": self.model_version,
            "identity": self.identity,
            "data_fingerprint": self.data_fingerprint,
            "origins": [each.isoformat() for each in self.origins],
            "headline": self.headline,
            "weather": self.weather,
            "degraded_share": self.degraded_share,
        }
        folder = directory / self.model_version
        contents = {folder / _POINTS: to_parquet(self.points), folder / _FACTS: json.dumps(facts, indent=1).encode()}
        write_files(contents, scratch=directory / ".writing" / self.model_version)

    @classmethod
    def read(cls, directory: Path, *, model_version: str) -> "Backtest | None":
        """The newest backtest of a model; None if it was never judged or what was kept cannot be read."""
        folder = directory / model_version
        try:
            facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
            points = pl.read_parquet(folder / _POINTS)
            origins = tuple(datetime.fromisoformat(each) for each in facts.pop("origins"))
            weather = WeatherKnown(facts.pop("weather", WeatherKnown.OBSERVED))
            return cls(points=points, origins=origins, weather=weather, **facts)
        except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError):
            return None


def backtest(
    forecaster: Forecaster,
    processed: Processed,
    *,
    model_version: str,
    identity: str,
    origins: tuple[datetime, ...],
    leads: int | None = None,
    with_linear: bool = True,
    weather: WeatherKnown = WeatherKnown.OBSERVED,
) -> Backtest:
    """Issue a forecast at each origin and score it against what was then measured.

    Observed temperatures stand in for weather forecasts (ex-post), or those known at each origin are used (ex-ante).
    Baselines get the model's station mix and are fitted on the history before the first origin only. `leads` may be
    fewer than the model forecasts. The caller sees to it that the model has not been trained beyond the first origin:
    see `unseen_origins`.
    """
    is_as_issued = weather is WeatherKnown.AS_ISSUED
    known = history_panel(processed, station_mix=forecaster.station_mix, as_issued=is_as_issued)
    actual = history_panel(processed, observed_only=True)
    first, leads = known.index_of(origins[0]), leads or forecaster.leads
    naive = fit_naive(known, until=first)
    forecasters: dict[str, Forecast] = {
        MODEL: forecaster.forecast,
        NAIVE: functools.partial(naive_forecast, naive, leads=leads),
    }
    if with_linear:
        linear = fit_linear_baselines(known, until=first, leads=leads)
        forecasters[LINEAR] = functools.partial(linear.forecast, leads=leads)
    points = scored_points_of(forecasters, known, actual, origins=origins, leads=leads)
    return Backtest(
        points=points.with_columns(pl.lit(weather.value).alias("weather")),
        headline=headline(points, system_id=processed.hierarchy.root),
        origins=origins,
        model_version=model_version,
        identity=identity,
        data_fingerprint=processed.fingerprint,
        weather=weather,
        degraded_share=_degraded_share(known, origins=origins, leads=leads),
    )


def _degraded_share(known: Panel, *, origins: tuple[datetime, ...], leads: int) -> float:
    positions = np.array([known.index_of(each) for each in origins])
    series = np.repeat(np.arange(len(known.series_ids)), len(positions))
    told = was_known(known, series=series, origin=np.tile(positions, len(known.series_ids)), leads=leads)
    return float(1 - told.mean())


def scored_points_of(
    forecasters: Mapping[str, Forecast], known: Panel, actual: Panel, *, origins: tuple[datetime, ...], leads: int
) -> pl.DataFrame:
    """The scored frame of every forecaster for every series and origin, actuals taken from the panel `actual`."""
    positions = np.array([known.index_of(each) for each in origins], dtype=np.int32)
    series = np.repeat(np.arange(len(known.series_ids), dtype=np.int32), len(positions))
    origin = np.tile(positions, len(known.series_ids))
    target = window_targets(actual, series=series, origin=origin, leads=leads).ravel().astype(np.float64)
    parts = []
    for name, forecast in forecasters.items():
        frame = forecast_frame(
            forecast(known, series=series, origin=origin)[:, :leads],
            series_ids=[known.series_ids[row] for row in series],
            issue_times=list(origins) * len(known.series_ids),
            interval=known.interval,
            model_version="",
        )
        parts.append(
            frame.drop("layer", "model_version", "degraded_because").with_columns(
                pl.lit(name).alias("forecaster"), pl.Series("actual_mw", target).fill_nan(None)
            )
        )
    return pl.concat(parts)


def judging_origins(processed: Processed, *, horizon: timedelta, days: int, local_hour: int) -> tuple[datetime, ...]:
    """When a backtest of the last `days` local days issues its forecasts; training must stop at the first of them."""
    return daily_origins(
        processed.observed_until,
        time_zone=processed.hierarchy.time_zones[processed.hierarchy.root],
        days=days,
        horizon=horizon,
        local_hour=local_hour,
    )


def unseen_origins(origins: tuple[datetime, ...], *, trained_until: datetime) -> tuple[datetime, ...]:
    """Those of `origins` that a model has not been trained beyond.

    Raises:
        GridcastError: too few remain for a verdict.
    """
    unseen = tuple(each for each in origins if each >= trained_until)
    if len(unseen) < FEWEST_ORIGINS:
        raise GridcastError(
            f"the model was trained on data until {trained_until:%Y-%m-%d %H:%MZ}, which leaves {len(unseen)} of "
            f"{len(origins)} days to judge it on; expected at least {FEWEST_ORIGINS}. Wait for newer readings, or "
            "train again with more backtest.days in config/model_config.yaml."
        )
    return unseen
