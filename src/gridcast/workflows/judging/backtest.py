"""How good would the forecasts have been? Daily origins over the last weeks, against both baselines."""

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.domain.quantiles import QUANTILE_LEVELS
from gridcast.evaluation.folds import daily_origins
from gridcast.evaluation.scorecard import headline
from gridcast.evaluation.scored import LINEAR, MODEL, NAIVE
from gridcast.features.known_temperature import was_known
from gridcast.features.panel import Panel
from gridcast.features.windows import window_targets
from gridcast.ingestion.atomic import write_files
from gridcast.ingestion.parquet import to_parquet
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.workflows.forecasts.baselines import fit_linear_baselines, fit_naive, naive_forecast
from gridcast.workflows.forecasts.issue_forecast import forecast_frame
from gridcast.workflows.forecasts.refresh import EVIDENCE, evidence_of, refresh_of, refresh_time
from gridcast.workflows.forecasts.weather_use import WeatherKnown
from gridcast.workflows.judging.breakdowns import scores_of
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.training.history import history_panel

_FACTS = "headline.json"
_POINTS = "points.parquet"
_SCORES = "scores.parquet"

FEWEST_ORIGINS = 7
"""A verdict on fewer days would be luck."""

Forecast = Callable[..., npt.NDArray[np.floating]]
"""Quantiles (window, lead, quantile), MW, of a panel, given `series` and `origin`."""


@dataclass(frozen=True, slots=True)
class Task:
    """What every forecaster is asked.

    Attributes:
        origins: when forecasts are issued, ascending.
        weather: which temperatures stand for the future.
        leads: intervals ahead that are judged; all that the model forecasts if left out.
    """

    origins: tuple[datetime, ...]
    weather: WeatherKnown = WeatherKnown.OBSERVED
    leads: int | None = None


@dataclass(frozen=True, slots=True)
class JudgedModel:
    """A model before the judge.

    Attributes:
        forecaster: the model.
        version: its number in the registry.
        identity: which model and judge exactly, to tell whether a kept backtest still speaks of them.
    """

    forecaster: Forecaster
    version: str
    identity: str = ""


class Answers(NamedTuple):
    """What forecasters said at the origins of a task."""

    points: pl.DataFrame
    """The scored frame."""
    known: Panel
    """What they could look at."""
    degraded_share: float
    """Of the points whose temperature was not known from at least half of the station mix."""


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
        scores: every metric by every dimension, see `breakdowns`.
    """

    points: pl.DataFrame
    headline: Mapping[str, float | int | None]
    origins: tuple[datetime, ...]
    model_version: str
    identity: str
    data_fingerprint: str
    weather: WeatherKnown = WeatherKnown.OBSERVED
    degraded_share: float = 0.0
    scores: pl.DataFrame = field(default_factory=pl.DataFrame)

    def is_of(self, identity: str, *, data: str, origins: tuple[datetime, ...]) -> bool:
        """Whether judging again would measure the same."""
        return (self.identity, self.data_fingerprint, self.origins) == (identity, data, origins)

    @property
    def folder_name(self) -> str:
        """Where among the kept backtests it lies."""
        return folder_name(self.model_version, self.weather)

    def write(self, directory: Path) -> Path:
        """Keep it in a folder of its own below `directory`, whole or not at all; returns the folder.

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
        name = self.folder_name
        folder = directory / name
        contents = {
            folder / _POINTS: to_parquet(self.points),
            folder / _SCORES: to_parquet(self.scores),
            folder / _FACTS: json.dumps(facts, indent=1).encode(),
        }
        write_files(contents, scratch=directory / ".writing" / name)
        return folder

    @classmethod
    def read(
        cls, directory: Path, *, model_version: str, weather: WeatherKnown = WeatherKnown.OBSERVED
    ) -> "Backtest | None":
        """The newest backtest of a model with one kind of weather; None if there is none that can be read."""
        folder = directory / folder_name(model_version, weather)
        try:
            facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
            points, scores = pl.read_parquet(folder / _POINTS), pl.read_parquet(folder / _SCORES)
            origins = tuple(datetime.fromisoformat(each) for each in facts.pop("origins"))
            known = WeatherKnown(facts.pop("weather"))
            return cls(points=points, scores=scores, origins=origins, weather=known, **facts)
        except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError):
            return None


def backtest(model: JudgedModel, processed: Processed, *, task: Task, with_linear: bool = True) -> Backtest:
    """Issue a forecast at each origin and score it against what was then measured.

    Observed temperatures stand in for weather forecasts (ex-post), or those known at each origin are used (ex-ante).
    Baselines get the model's station mix and are fitted on the history before the first origin only. The caller sees
    to it that the model has not been trained beyond the first origin: see `unseen_origins`.
    """
    answers = answers_of(model.forecaster, processed, task=task, with_linear=with_linear)
    return judged(answers, processed, task=task, model_version=model.version, identity=model.identity)


def judged(answers: Answers, processed: Processed, *, task: Task, model_version: str, identity: str) -> Backtest:
    """The scores of what forecasters said."""
    points, known = answers.points, answers.known
    return Backtest(
        points=points,
        headline=headline(points, system_id=processed.hierarchy.root),
        origins=task.origins,
        model_version=model_version,
        identity=identity,
        data_fingerprint=processed.fingerprint,
        weather=task.weather,
        degraded_share=answers.degraded_share,
        scores=scores_of(points, processed, known=known, first=known.index_of(task.origins[0])),
    )


def answers_of(forecaster: Forecaster, processed: Processed, *, task: Task, with_linear: bool = True) -> Answers:
    """What the model and the baselines, fitted before the first origin, say at every origin, with the actuals."""
    is_as_issued = task.weather is WeatherKnown.AS_ISSUED
    known = history_panel(processed, station_mix=forecaster.station_mix, as_issued=is_as_issued)
    actual = history_panel(processed, observed_only=True)
    first, leads = known.index_of(task.origins[0]), task.leads or forecaster.leads
    naive = fit_naive(known, until=first)
    forecasters: dict[str, Forecast] = {
        MODEL: functools.partial(model_quantiles, forecaster),
        NAIVE: functools.partial(naive_forecast, naive, leads=leads),
    }
    if with_linear:
        linear = fit_linear_baselines(known, until=first, leads=leads)
        forecasters[LINEAR] = functools.partial(linear.forecast, leads=leads)
    points = scored_points_of(forecasters, known, actual, origins=task.origins, leads=leads)
    degraded = _degraded_share(known, origins=task.origins, leads=leads)
    return Answers(points.with_columns(pl.lit(task.weather.value).alias("weather")), known, degraded)


def model_quantiles(
    forecaster: Forecaster, known: Panel, *, series: npt.NDArray[np.int32], origin: npt.NDArray[np.int32]
) -> npt.NDArray[np.floating]:
    """What a model says of all windows of a judgement, (window, lead, quantile), MW; every judgement comes here.

    As in service, the forecasts of each origin are adapted by how those of the weeks before did. `known` holds the
    loads with the positions they became known at; window i is row `series[i]`, issued at `origin[i]`.
    """
    first, last = (known.moment(int(each)) for each in (origin.min(), origin.max()))
    evidence = evidence_of(forecaster, known, start=refresh_time(first) - EVIDENCE, end=refresh_time(last))
    quantiles = np.empty((len(series), forecaster.leads, len(QUANTILE_LEVELS)))
    of_day = np.array([refresh_time(known.moment(int(each))) for each in origin])
    for day in np.unique(of_day):
        windows = of_day == day
        refresh = refresh_of(evidence, forecaster, known, at=day)
        quantiles[windows] = refresh.forecast(forecaster, known, series=series[windows], origin=origin[windows])
    return quantiles


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


def folder_name(judged: str, weather: WeatherKnown) -> str:
    """Where scores of `judged` are kept: ex-post and ex-ante never share a folder."""
    return judged if weather is WeatherKnown.OBSERVED else f"{judged}_{weather}"


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
