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
from gridcast.workflows.issue_forecast import issue_forecast
from gridcast.workflows.known import Known

LOOK_EVERY = timedelta(seconds=1)
LARGEST = 5.0
"""Times the largest load of the weeks before that a median may be."""
TOOK_OVER, REFUSED, NO_ANSWER = "model_took_over", "model_refused", "registry_unreachable"
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
