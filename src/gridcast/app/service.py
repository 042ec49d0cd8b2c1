"""What the routes work with: the store, the clean history, the models, and the newest forecasts at hand."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Depends, Request

from gridcast.app.changes import Changes
from gridcast.app.errors import ConflictError, NotFoundError
from gridcast.app.newest import NewestForecasts
from gridcast.domain.series import Series
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.monitoring.exposition import Exposed
from gridcast.monitoring.traffic import Traffic
from gridcast.registry.catalogue import CHAMPION, RegisteredModel, read_catalogue, with_alias
from gridcast.settings.app import AppSettings
from gridcast.store.clean_readings import newest_of_each
from gridcast.store.marks import Mark
from gridcast.store.store import Store
from gridcast.workflows.judging.yardstick import Yardstick
from gridcast.workflows.readings.processed import MANIFEST, Processed
from gridcast.workflows.readings.workspace import Workspace
from gridcast.workflows.watching.watch import Watch


@dataclass(slots=True, eq=False)
class Service:
    """One installation as the API serves it.

    Attributes:
        store: forecasts, readings, events.
        workspace: where the clean history and the models lie.
        settings: limits of peaks, how old readings may be, and the service's own.
        clock: what time it is.
    """

    store: Store
    workspace: Workspace
    settings: AppSettings
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    changes: Changes = field(init=False)
    newest: NewestForecasts = field(init=False)
    metrics: Exposed = field(init=False)
    traffic: Traffic = field(default_factory=Traffic, init=False)
    forecasting: threading.Lock = field(default_factory=threading.Lock, init=False)
    _processed: tuple[int, Processed] | None = field(default=None, init=False)
    _newest_readings: tuple[Mark | None, dict[str, datetime]] | None = field(default=None, init=False)
    _forecaster: tuple[str, Forecaster] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.changes = Changes(self.store)
        self.newest = NewestForecasts(self.changes)
        watch = self._watch()
        self.metrics = Exposed(lambda: [*watch.samples(), *self.traffic.samples()])

    def processed(self) -> Processed:
        """The clean history, read again when a batch run has written it.

        Raises:
            GridcastError: there is none.
        """
        file = self.workspace.processed / MANIFEST
        version = file.stat().st_mtime_ns if file.exists() else -1
        if self._processed is None or self._processed[0] != version:
            self._processed = (version, Processed.open(self.workspace.processed))
        return self._processed[1]

    def _watch(self) -> Watch:
        return Watch(
            store=self.store,
            processed=lambda: self.processed() if (self.workspace.processed / MANIFEST).exists() else None,
            models=self.models,
            yardstick=Yardstick(self.workspace.backtest),
            drift=self.workspace.drift,
            max_reading_age=self.settings.status.max_reading_age,
            clock=self.clock,
        )

    def series(self, series_id: str) -> Series:
        """A series by its id.

        Raises:
            NotFoundError: there is none.
        """
        hierarchy = self.processed().hierarchy
        found = next((each for each in hierarchy.series if each.series_id == series_id), None)
        if found is None:
            raise NotFoundError(f"series {series_id!r} is not known; expected one of GET /v1/series.")
        return found

    def models(self) -> list[RegisteredModel]:
        """Every registered model, oldest first."""
        return read_catalogue(self.workspace.registry.resolve())

    def model(self, version: str) -> RegisteredModel:
        """A model by its version or alias.

        Raises:
            NotFoundError: there is none.
        """
        models = self.models()
        found = next((each for each in models if each.version == version), None) or with_alias(models, version)
        if found is None:
            raise NotFoundError(f"model {version!r} is not registered; expected one of GET /v1/models.")
        return found

    def champion(self) -> RegisteredModel:
        """The model in charge.

        Raises:
            ConflictError: there is none.
        """
        found = with_alias(self.models(), CHAMPION)
        if found is None:
            raise ConflictError('no model is in charge; expected one. Run "gridcast model promote" first.')
        return found

    def forecaster(self, model: RegisteredModel) -> Forecaster:
        """A model that is ready to be asked, by who holds `forecasting`."""
        if self._forecaster is None or self._forecaster[0] != model.version:
            self._forecaster = (model.version, Forecaster.load(model.directory))
        return self._forecaster[1]

    def newest_readings(self) -> dict[str, datetime]:
        """The latest interval with a load of each series that has one, looked up again when the store has changed."""
        mark = self.changes.mark
        if self._newest_readings is None or mark is None or self._newest_readings[0] != mark:
            with self.store.transaction() as connection:
                found = dict(newest_of_each(connection).iter_rows())
            known = {each: found[each] for each in self.processed().hierarchy.ids if each in found}
            self._newest_readings = (mark, known)
        return self._newest_readings[1]

    def newest_reading(self) -> datetime | None:
        """The latest interval with a load of any series."""
        return max(self.newest_readings().values(), default=None)

    def newest_issue_time(self) -> datetime:
        """When the newest forecast was issued.

        Raises:
            NotFoundError: there is none.
        """
        found = self.store.newest_issue_time()
        if found is None:
            raise NotFoundError('no forecast was issued yet; run "gridcast stream" or "gridcast forecast" first.')
        return found

    def span(
        self, start: datetime | None, end: datetime | None, *, length: timedelta, until: datetime
    ) -> tuple[datetime, datetime]:
        """What was asked for; of a span with an open end the last `length` up to `until`."""
        if end is None:
            end = until if start is None else max(until, start + length)
        return (end - length if start is None else start), end


async def service_of(request: Request) -> Service:
    """The service behind a request."""
    found: Service = request.app.state.service
    return found


Here = Annotated[Service, Depends(service_of)]
