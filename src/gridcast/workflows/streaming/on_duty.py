"""Which model a stream forecasts with: a new champion takes over once it has shown that it can."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.registry.catalogue import RegisteredModel
from gridcast.store.store import Store
from gridcast.workflows.forecasts.issue_forecast import issue_forecast
from gridcast.workflows.forecasts.known import Known
from gridcast.workflows.streaming.live_forecasts import Speakers, Version

LOOK_EVERY = timedelta(seconds=1)
LARGEST = 5.0
"""Times the largest load of the weeks before that a median may be."""
TOOK_OVER, REFUSED, NO_ANSWER = "model_took_over", "model_refused", "registry_unreachable"
SHADOW_REFUSED = "shadow_refused"
"""Kinds of events."""


@dataclass(slots=True, eq=False)
class OnDuty:
    """The model in service; asked for it, it looks for another champion now and then.

    A champion that cannot be loaded, or whose forecast is none, is refused: the model in service stays, and the refusal
    is an event. It is not tried again before somebody else has been champion. A registry that does not answer is an
    event too, the first time, and changes nothing.

    Attributes:
        model: who is in service.
        champion: who is in charge according to the registry.
        prove: raises a `GridcastError` if a model cannot do the work.
        store: where events are kept.
        clock: monotonic seconds.
    """

    model: RegisteredModel
    champion: Callable[[], RegisteredModel | None]
    prove: Callable[[RegisteredModel], None]
    store: Store
    clock: Callable[[], float] = time.monotonic
    _looked: float = field(default=float("-inf"), init=False)
    _refused: str | None = field(default=None, init=False)
    _is_silent: bool = field(default=False, init=False)

    def __call__(self) -> RegisteredModel:
        """Who forecasts now."""
        now = self.clock()
        if now - self._looked >= LOOK_EVERY.total_seconds():
            self._looked = now
            self._look()
        return self.model

    def _look(self) -> None:
        try:
            found = self.champion()
        except GridcastError as error:
            if not self._is_silent:
                self._tell(NO_ANSWER, f"model {self.model.version} stays in service: {error}")
            self._is_silent = True
            return
        self._is_silent = False
        if found is None or found.version == self.model.version:
            self._refused = None
            return
        if found.version == self._refused:
            return
        try:
            self.prove(found)
        except GridcastError as error:
            self._refused = found.version
            self._tell(REFUSED, f"model {found.version} is refused, {self.model.version} stays in service: {error}")
            return
        before, self.model, self._refused = self.model.version, found, None
        self._tell(TOOK_OVER, f"model {found.version} forecasts from now on, after {before}")

    def _tell(self, kind: str, message: str) -> None:
        self.store.add_event(at=datetime.now(UTC), kind=kind, message=message)


@dataclass(slots=True, eq=False)
class OnTrial:
    """The model that forecasts beside the one in service, if there is one; asked for it, it looks now and then.

    One that cannot do the work is told of once as an event, and forecasts nothing.

    Attributes:
        shadow: who is on trial according to the registry.
        prove: raises a `GridcastError` if a model cannot do the work.
        store: where events are kept.
        clock: monotonic seconds.
    """

    shadow: Callable[[], RegisteredModel | None]
    prove: Callable[[RegisteredModel], None]
    store: Store
    clock: Callable[[], float] = time.monotonic
    _looked: float = field(default=float("-inf"), init=False)
    _seen: str | None = field(default=None, init=False)
    _model: RegisteredModel | None = field(default=None, init=False)

    def __call__(self) -> RegisteredModel | None:
        """Who forecasts beside the model in service now."""
        now = self.clock()
        if now - self._looked >= LOOK_EVERY.total_seconds():
            self._looked = now
            self._look()
        return self._model

    def _look(self) -> None:
        try:
            found = self.shadow()
        except GridcastError:
            return
        version = None if found is None else found.version
        if version == self._seen:
            return
        self._seen, self._model = version, None
        if found is None:
            return
        try:
            self.prove(found)
        except GridcastError as error:
            self.store.add_event(
                at=datetime.now(UTC), kind=SHADOW_REFUSED, message=f"model {version} is not put on trial: {error}"
            )
            return
        self._model = found


def speakers(on_duty: OnDuty, on_trial: OnTrial) -> Speakers:
    """Who forecasts now; a model that is in service is not on trial too."""
    model, shadow = on_duty(), on_trial()
    if shadow is None or shadow.version == model.version:
        return Speakers(_named(model))
    return Speakers(_named(model), _named(shadow))


def _named(model: RegisteredModel) -> Version:
    return Version(model.directory, model.version)


def proof_by_forecast(
    known: Callable[[], tuple[Known, datetime]], *, interval: timedelta
) -> Callable[[RegisteredModel], None]:
    """What `OnDuty` proves a model by: that it can be loaded, and what it forecasts from what is known now."""

    def prove(candidate: RegisteredModel) -> None:
        forecaster, (now, issue_time) = Forecaster.load(candidate.directory), known()
        require_forecast(forecaster, now, issue_time=issue_time, interval=interval, version=candidate.version)

    return prove


def require_forecast(
    forecaster: Forecaster, known: Known, *, issue_time: datetime, interval: timedelta, version: str
) -> None:
    """Let a model forecast what lies ahead of a moment, from what is known then.

    Raises:
        GridcastError: it speaks of another interval, or its forecast is none: not finite, quantiles that cross, or
            medians far beyond all loads of the weeks before.
    """
    if forecaster.interval != interval:
        raise GridcastError(
            f"model {version} forecasts intervals of {forecaster.interval}; expected {interval}, the interval of the "
            "readings. Promote a model that was trained on them."
        )
    rows = issue_forecast(forecaster, known, issue_time=issue_time, model_version=version)
    quantiles = rows.select(QUANTILE_COLUMNS).to_numpy()
    if not np.isfinite(quantiles).all() or (np.diff(quantiles, axis=1) < 0).any():
        raise GridcastError(f"model {version}: its quantiles cross or are no numbers; expected ascending numbers.")
    _require_size(rows, known, version=version)


def _require_size(rows: pl.DataFrame, known: Known, *, version: str) -> None:
    largest = known.readings.group_by("series_id").agg(pl.col("load_mw").abs().max().alias("largest"))
    strange = rows.join(largest, on="series_id").filter(pl.col("p50").abs() > LARGEST * pl.col("largest"))
    if strange.height:
        first = strange.row(0, named=True)
        raise GridcastError(
            f"model {version}: {first['p50']:.1f} MW for series {first['series_id']!r}; expected at most {LARGEST:.0f} "
            f"times the {first['largest']:.1f} MW that were the most lately."
        )
