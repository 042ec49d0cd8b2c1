"""Forecasts of a stream, and what it keeps at hand for them: clean readings, the model and its refreshes."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import WEATHER, Layer
from gridcast.features.windows import DAYS_OF_HISTORY, LONGEST_HORIZON
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.workflows.forecasts.issue_forecast import issue_forecast
from gridcast.workflows.forecasts.known import DAYS_KNOWN, Known
from gridcast.workflows.forecasts.refresh import refresh_at
from gridcast.workflows.forecasts.refresh_ahead import Make, RefreshAhead
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.readings.rules import CleaningRules
from gridcast.workflows.streaming.clean_history import CleanHistory

Span = tuple[datetime, datetime]
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Version:
    """A model that forecasts: its folder, and its version in the registry."""

    artefact: Path
    number: str


@dataclass(frozen=True, slots=True)
class Speakers:
    """Who forecasts: the model in charge and, where one is on trial, another beside it."""

    model: Version
    shadow: Version | None = None

    @property
    def versions(self) -> tuple[Version, ...]:
        """All of them, the one in charge first."""
        return (self.model,) if self.shadow is None else (self.model, self.shadow)


@dataclass(slots=True, eq=False)
class WeatherAtHand:
    """The weather of the batch run, read again only when a new run has written it or earlier times are asked for.

    Attributes:
        processed: what the batch run handed over.
    """

    processed: Processed
    _version: object = field(default=None, init=False)
    _start: datetime | None = field(default=None, init=False)
    _rows: pl.DataFrame = field(default_factory=WEATHER.to_frame, init=False)
    _has_forecasts: bool = field(default=False, init=False)

    def between(self, start: datetime, end: datetime, *, known_at: datetime) -> pl.DataFrame:
        """`Processed.weather`."""
        version = self.processed.weather_version()
        if self._start is None or start < self._start or version != self._version:
            self._rows, self._has_forecasts = (
                self.processed.weather(start=start),
                self.processed.has_weather_forecasts(),
            )
            self._start, self._version = start, version
        rows = self._rows.filter(pl.col("valid_time").is_between(start, end, closed="left"))
        return rows.filter(pl.col("available_at") <= known_at) if self._has_forecasts else rows


@dataclass(slots=True, eq=False)
class LiveForecasts:
    """Issues forecasts from clean rows that have just been made and those before them.

    Attributes:
        processed: what the batch run handed over: weather, holidays.
        rules: how readings are cleaned.
        history: clean readings before those that have just been made.
    """

    processed: Processed
    rules: CleaningRules
    history: CleanHistory
    _weather: "WeatherAtHand" = field(init=False)
    _refreshes: RefreshAhead = field(default_factory=RefreshAhead, init=False)
    _forecasters: dict[Path, Forecaster] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._weather = WeatherAtHand(self.processed)

    def issue(self, clean: pl.DataFrame, *, span: Span, by: Speakers) -> pl.DataFrame:
        """`FORECASTS` issued at the end of a span, from its clean rows and those before it."""
        known = self._known(clean, span=span, days=DAYS_OF_HISTORY)
        self._refreshes.forget_with(self.history.changes(clean, span=span))

        def issued(version: Version) -> pl.DataFrame:
            refresh = self._refreshes.of(version.artefact, span[1], self._maker(clean, span=span, by=version))
            return issue_forecast(
                self._forecaster_of(version.artefact),
                known,
                issue_time=span[1],
                model_version=version.number,
                refresh=refresh,
            )

        model = issued(by.model)
        if by.shadow is None:
            return model
        try:
            beside = issued(by.shadow).with_columns(layer=pl.lit(Layer.SHADOW.value))
        except GridcastError as error:
            _LOG.warning("model %s on trial issues nothing: %s", by.shadow.number, error)
            return model
        return pl.concat([model, beside])

    def take_over(self, clean: pl.DataFrame, *, span: Span, by: Speakers | None) -> None:
        """The clean rows of a span have been written; begin with the refreshes that forecasts need next."""
        self.history.committed(clean, span=span)
        for version in () if by is None else by.versions:
            self._refreshes.begin(version.artefact, span[1], self._maker(clean, span=span, by=version))

    def known(self, readings: pl.DataFrame, *, issue_time: datetime, days: int) -> Known:
        """What is known at an issue time: some clean readings, and weather and holidays of the batch run."""
        start, end = issue_time - timedelta(days=days), issue_time + LONGEST_HORIZON
        weather = self._weather.between(start, end, known_at=issue_time)
        return Known(readings, weather, self.processed.holidays(), self.rules.hierarchy)

    def _known(self, clean: pl.DataFrame, *, span: Span, days: int) -> Known:
        before = self.history.between(span[1] - timedelta(days=days), span[0])
        readings = pl.concat([before, clean.select(before.columns)])
        return self.known(readings, issue_time=span[1], days=days)

    def _maker(self, clean: pl.DataFrame, *, span: Span, by: Version) -> Callable[[], Make]:
        """Looks up what a refresh rests on when it is called, and makes the refresh when what it gives is called."""

        def look_up() -> Make:
            known = self._known(clean, span=span, days=DAYS_KNOWN)
            return lambda issue_time: refresh_at(Forecaster.load(by.artefact), known, issue_time=issue_time)

        return look_up

    def _forecaster_of(self, artefact: Path) -> Forecaster:
        if artefact not in self._forecasters:
            while len(self._forecasters) > 1:
                del self._forecasters[next(iter(self._forecasters))]
            self._forecasters[artefact] = Forecaster.load(artefact)
        return self._forecasters[artefact]
