"""One installation: its settings and files, opened by the commands as they need them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from gridcast.cli.run import begin_run
from gridcast.domain.errors import GridcastError, UsageError
from gridcast.domain.series import Hierarchy
from gridcast.ingestion.edits import read_edits
from gridcast.ingestion.events import read_events
from gridcast.ingestion.raw import first_readings
from gridcast.ingestion.sample import LICENCE
from gridcast.settings.app import store_url
from gridcast.settings.load import Settings, load_settings
from gridcast.settings.sources import SampleSettings
from gridcast.store.store import Store
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.readings.rules import CleaningRules, since_when_expected
from gridcast.workflows.readings.special_days import CalendarRules
from gridcast.workflows.readings.workspace import Workspace

if TYPE_CHECKING:
    from gridcast.registry.catalogue import RegisteredModel
    from gridcast.registry.mlflow_registry import Registry
    from gridcast.workflows.forecasts.weather_use import WeatherKnown
    from gridcast.workflows.judging.judge_model import Judge


@dataclass(frozen=True, slots=True)
class Installation:
    """Settings and the files they point to."""

    settings: Settings
    workspace: Workspace

    @classmethod
    def open(cls, config: Path | None) -> "Installation":
        """The installation that a `--config` option (or its absence) means.

        Raises:
            UsageError: the configuration cannot be used.
        """
        default = Path("config")
        directory = config if config is not None or not default.is_dir() else default
        settings = load_settings(directory)
        begin_run(settings.app)
        _require_folder(settings.app.data_dir)
        return cls(settings, Workspace(settings.app.data_dir))

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The store, closed afterwards."""
        store = Store.open(self.store_place)
        try:
            yield store
        finally:
            store.close()

    @property
    def store_place(self) -> Path | str:
        """The URL of the PostgreSQL database that the settings lead to, else the SQLite file of the data folder.

        Raises:
            UsageError: the file that should hold the URL cannot be read.
        """
        return store_url(self.settings.app.store) or self.workspace.store

    def registry(self) -> "Registry":
        """The model registry. MLflow takes seconds to import: only the commands that ask for it wait."""
        from gridcast.registry.mlflow_registry import Registry

        return Registry.open(self.workspace.registry)

    def processed(self) -> Processed:
        """The clean history."""
        return Processed.open(self.workspace.processed)

    def champion(self) -> "RegisteredModel":
        """The model in charge.

        Raises:
            GridcastError: no model was promoted yet.
        """
        champion = self.registry().champion()
        if champion is None:
            raise GridcastError(
                'no model is in charge; expected a champion. Run "gridcast train", "gridcast backtest" and '
                '"gridcast model promote" first.'
            )
        return champion

    def judge(self, *, days: int | None = None, weather: "WeatherKnown | None" = None) -> "Judge":
        """Who judges models, on the configured days and weather or on those given."""
        from gridcast.workflows.judging.judge_model import Judge

        settings, known = self.settings.model.backtest, weather or self.settings.model.weather.known
        return Judge(self.processed(), self.workspace.backtest, days or settings.days, settings.local_hour, known)

    def known_until(self, store: Store) -> datetime:
        """End of the newest clean reading, of the batch run or of a stream that has gone on since."""
        processed, newest = self.processed(), store.newest_reading()
        until = processed.observed_until
        return until if newest is None else max(until, newest + processed.interval)

    def unseen_from(self, *, days: int | None = None) -> datetime:
        """The first issue time models are judged on, which training and tuning know nothing of.

        Args:
            days: how many of the newest days are judged, other than those of the settings.

        Raises:
            GridcastError: the history is shorter than the days to judge on.
        """
        from gridcast.workflows.judging.backtest import judging_origins

        settings, judged = self.settings.model, self.settings.model.backtest
        return judging_origins(
            self.processed(), horizon=settings.horizon, days=days or judged.days, local_hour=judged.local_hour
        )[0]

    def rules(self, processed: Processed | None = None) -> CleaningRules:
        """How readings are cleaned: by the settings, or with the interval and tree of what the batch run cleaned."""
        pipeline, measured = self.settings.pipeline, first_readings(self.workspace.raw)
        hierarchy = processed.hierarchy if processed else pipeline.tree(sorted(measured))
        return CleaningRules(
            interval=processed.interval if processed else pipeline.interval,
            limits=pipeline.quality.limits,
            hierarchy=hierarchy,
            series_since=since_when_expected(measured, hierarchy=hierarchy),
            min_completeness=pipeline.hierarchy.min_completeness,
            series_limits=pipeline.quality.resolve(hierarchy.leaves),
            edits=self.edits(hierarchy),
            upsample=pipeline.upsample,
        )

    @property
    def data_licence(self) -> str:
        """Licence of the history: that of the sample, or empty where only the user knows it."""
        is_sample = any(isinstance(each, SampleSettings) for each in self.settings.pipeline.sources.values())
        return LICENCE if is_sample else ""

    def calendar(self, hierarchy: Hierarchy) -> CalendarRules:
        """Whose holidays the series of a tree have, and what happens once; before any were read, nobody is missed.

        Raises:
            UsageError: the file of events is wrong.
        """
        settings = self.settings.pipeline.calendar
        places = settings.resolve(hierarchy.ids)
        if settings.events is None:
            return CalendarRules(places)
        known = hierarchy.ids if len(hierarchy.ids) > 1 else None
        return CalendarRules(places, read_events(settings.events, known_series=known))

    def edits(self, hierarchy: Hierarchy) -> pl.DataFrame | None:
        """Loads of measured series that people set (`EDITS`); None if the settings name no file.

        Raises:
            UsageError: the file is wrong.
        """
        file = self.settings.pipeline.quality.edits
        return None if file is None else read_edits(file, known_series=hierarchy.leaves)


def _require_folder(data_dir: Path) -> None:
    nearest = next((each for each in (data_dir, *data_dir.parents) if each.exists()), None)
    if nearest is not None and not nearest.is_dir():
        raise UsageError(
            f"data_dir {data_dir}: {nearest} is not a folder; expected one, or a place where gridcast may make it. "
            "Set data_dir in config/app_config.yaml."
        )
