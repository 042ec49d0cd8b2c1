"""What one tick of a stream does, and what a process keeps at hand from one tick to the next."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from gridcast.domain.tables import CONSUMER, FORECASTS
from gridcast.features.windows import DAYS_OF_HISTORY, LONGEST_HORIZON
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.quality.cells import Placed
from gridcast.quality.limits import CONTEXT_BEFORE
from gridcast.store.store import Store
from gridcast.workflows.clean_history import CleanHistory
from gridcast.workflows.issue_forecast import issue_forecast
from gridcast.workflows.known import DAYS_KNOWN, Known
from gridcast.workflows.placed_log import PlacedLog
from gridcast.workflows.processed import Processed
from gridcast.workflows.refresh import Refresh, refresh_at
from gridcast.workflows.refresh_ahead import RefreshAhead
from gridcast.workflows.rules import CleaningRules

SERIES_LEFT_OUT: Final = "series_left_out"
"""Kind of event."""


@dataclass(frozen=True, slots=True)
class TickJob:
    """What one tick reads, and which model forecasts: no clock decides its result.

    Attributes:
        log_offset: the newest log row to read.
        span: intervals to clean again, because new readings can change them.
        issue_time: up to when intervals are cleaned, and when the forecast is issued.
        artefact: folder of the model that forecasts.
        model_version: its version.
        is_forecast: whether to forecast; a stream that catches up only cleans.
    """

    log_offset: int
    span: tuple[datetime, datetime]
    issue_time: datetime
    artefact: Path
    model_version: str
    is_forecast: bool = True


class Ticked(NamedTuple):
    """What a tick made: `CLEAN_READINGS`, `FORECASTS`, counts, and series that were left out (`series_id`, `why`)."""

    clean: pl.DataFrame
    forecasts: pl.DataFrame
    counts: pl.DataFrame
    left_out: pl.DataFrame


@dataclass(slots=True, eq=False)
class AtHand:
    """What the ticks of a stream work with, and what they need not read again.

    The latter, the log placed on intervals, clean readings, models and their refreshes, decides no result: without it
    ticks are slower.

    Attributes:
        store: database to read from and commit to.
        processed: what the batch run handed over: history before the start, weather, holidays.
        rules: how readings are cleaned.
    """

    store: Store
    processed: Processed
    rules: CleaningRules
    log: PlacedLog = field(init=False)
    history: CleanHistory = field(init=False)
    aggregated_at: datetime = field(default=datetime.min.replace(tzinfo=UTC), init=False)
    _refreshes: RefreshAhead = field(default_factory=RefreshAhead, init=False)
    _forecaster: tuple[Path, Forecaster] | None = field(default=None, init=False)
    _left_out: frozenset[str] = field(default=frozenset(), init=False)

    def __post_init__(self) -> None:
        self.log = PlacedLog(self.store, self.rules)
        self.history = CleanHistory(self.store, timedelta(days=DAYS_KNOWN + 1))

    def placed(self, job: TickJob) -> Placed:
        """Readings of the job's span and its context."""
        begin, end = job.span
        return self.log.between(begin - CONTEXT_BEFORE, end, up_to_offset=job.log_offset)

    def forecasts(self, job: TickJob, clean: pl.DataFrame) -> pl.DataFrame:
        """`FORECASTS` issued by the job from its own clean rows and those before its span."""
        self.aggregated_at = datetime.now(UTC)
        if not job.is_forecast:
            return FORECASTS.to_frame()
        known = self._known(job, clean, days=DAYS_OF_HISTORY)
        refresh = self._refreshes.of(job.artefact, job.issue_time, lambda: self._make(job, clean))
        return issue_forecast(
            self._forecaster_of(job.artefact),
            known,
            issue_time=job.issue_time,
            model_version=job.model_version,
            refresh=refresh,
        )

    def commit(self, job: TickJob, made: Ticked) -> None:
        """Write what the job made, and begin with the refresh that may come next."""
        self.store.commit_tick(
            consumer=CONSUMER,
            log_offset=job.log_offset,
            issue_time=job.issue_time,
            readings=self.history.changes(made.clean, span=job.span),
            forecasts=made.forecasts,
            counts=made.counts,
        )
        self.history.committed(made.clean, span=job.span)
        self._tell_left_out(dict(made.left_out.iter_rows()))
        if job.is_forecast:
            self._refreshes.begin(job.artefact, job.issue_time, lambda: self._make(job, made.clean))

    def forget(self) -> None:
        """Read everything again the next time: what is here may be ahead of the store."""
        self.log.forget()
        self.history.forget()

    def _tell_left_out(self, left_out: dict[str, str]) -> None:
        """An event for each series that was used until now."""
        for series_id in left_out.keys() - self._left_out:
            self.store.add_event(at=datetime.now(UTC), kind=SERIES_LEFT_OUT, message=left_out[series_id])
        self._left_out = frozenset(left_out)

    def _make(self, job: TickJob, clean: pl.DataFrame) -> Callable[[datetime], Refresh | None]:
        known = self._known(job, clean, days=DAYS_KNOWN)
        return lambda issue_time: refresh_at(Forecaster.load(job.artefact), known, issue_time=issue_time)

    def _forecaster_of(self, artefact: Path) -> Forecaster:
        if self._forecaster is None or self._forecaster[0] != artefact:
            self._forecaster = (artefact, Forecaster.load(artefact))
        return self._forecaster[1]

    def known(self, readings: pl.DataFrame, *, issue_time: datetime, days: int) -> Known:
        """What is known at an issue time: some clean readings, and weather and holidays of the batch run."""
        start, end = issue_time - timedelta(days=days), issue_time + LONGEST_HORIZON
        weather = self.processed.weather(start=start, end=end, known_at=issue_time)
        return Known(readings, weather, self.processed.holidays(), self.rules.hierarchy)

    def _known(self, job: TickJob, clean: pl.DataFrame, *, days: int) -> Known:
        before = self.history.between(job.issue_time - timedelta(days=days), job.span[0])
        readings = pl.concat([before, clean.select(before.columns)])
        return self.known(readings, issue_time=job.issue_time, days=days)
