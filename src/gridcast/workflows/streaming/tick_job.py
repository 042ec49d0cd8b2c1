"""What one tick of a stream does, and what a process keeps at hand from one tick to the next."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import polars as pl

from gridcast.domain.tables import CONSUMER, FORECASTS, earliest
from gridcast.quality.cells import Placed
from gridcast.quality.limits import CONTEXT_BEFORE
from gridcast.store.store import Store
from gridcast.workflows.forecasts.known import DAYS_KNOWN
from gridcast.workflows.forecasts.live_scores import FURTHEST, NAIVE_DAYS, scores_due
from gridcast.workflows.forecasts.operators import with_operators
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.readings.rules import CleaningRules
from gridcast.workflows.streaming.clean_history import CleanHistory
from gridcast.workflows.streaming.live_forecasts import LiveForecasts, Span, Speakers
from gridcast.workflows.streaming.placed_log import PlacedLog

SERIES_LEFT_OUT: Final = "series_left_out"
"""Kind of event."""


@dataclass(frozen=True, slots=True)
class TickJob:
    """What one tick reads, and who forecasts: no clock decides its result.

    Attributes:
        log_offset: the newest log row to read.
        span: intervals to clean again, because new readings can change them; the forecast is issued at their end.
        by: who forecasts; nobody while a stream catches up.
    """

    log_offset: int
    span: Span
    by: Speakers | None

    @property
    def issue_time(self) -> datetime:
        """Up to when intervals are cleaned, and when the forecast is issued."""
        return self.span[1]


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
    live: LiveForecasts = field(init=False)
    aggregated_at: datetime = field(default=datetime.min.replace(tzinfo=UTC), init=False)
    forecast_at: datetime = field(default=datetime.min.replace(tzinfo=UTC), init=False)
    _left_out: frozenset[str] = field(default=frozenset(), init=False)

    def __post_init__(self) -> None:
        self.log = PlacedLog(self.store, self.rules)
        history = CleanHistory(self.store, timedelta(days=DAYS_KNOWN + 1))
        self.live = LiveForecasts(self.processed, self.rules, history)

    def hand_on(self, rows: pl.DataFrame, after_offset: int, up_to_offset: int) -> None:
        """Rows of the log that have been read: they need not be read again."""
        self.log.take(rows, after_offset=after_offset, up_to_offset=up_to_offset)

    def placed(self, job: TickJob) -> Placed:
        """Readings of the job's span and its context."""
        begin, end = job.span
        return self.log.between(begin - CONTEXT_BEFORE, end, up_to_offset=job.log_offset)

    def forecasts(self, job: TickJob, clean: pl.DataFrame) -> pl.DataFrame:
        """`FORECASTS` issued by the job from its own clean rows and those before its span."""
        self.aggregated_at = datetime.now(UTC)
        return FORECASTS.to_frame() if job.by is None else self.live.issue(clean, span=job.span, by=job.by)

    def commit(self, job: TickJob, made: Ticked) -> None:
        """Write what the job made, and how earlier forecasts have done."""
        self.forecast_at = datetime.now(UTC)
        changes = self.live.history.changes(made.clean, span=job.span)
        self.store.commit_tick(
            consumer=CONSUMER,
            log_offset=job.log_offset,
            issue_time=job.issue_time,
            readings=changes,
            forecasts=with_operators(self.store, made.forecasts),
            counts=made.counts,
            scores=self._scores(job, made.clean, changes=changes),
        )
        self.live.take_over(made.clean, span=job.span, by=job.by)
        self._tell_left_out(dict(made.left_out.iter_rows()))

    def forget(self) -> None:
        """Read everything again the next time: what is here may be ahead of the store."""
        self.log.forget()
        self.live.history.forget()

    def _scores(self, job: TickJob, clean: pl.DataFrame, *, changes: pl.DataFrame) -> pl.DataFrame | None:
        """Scores of all that ended since the last tick, or that holds an actual which has changed."""
        if changes.is_empty():
            return None
        after = min(earliest(changes["valid_time"]), self.store.position(CONSUMER).issue_time or job.issue_time)
        before = self.live.history.between(after - FURTHEST - NAIVE_DAYS, job.span[0])
        actual = pl.concat([before, clean.select(before.columns)])
        zones = self.rules.hierarchy.time_zones
        return scores_due(self.store, actual, after=after, until=job.issue_time, time_zones=zones)

    def _tell_left_out(self, left_out: dict[str, str]) -> None:
        """An event for each series that was used until now."""
        for series_id in left_out.keys() - self._left_out:
            self.store.add_event(at=datetime.now(UTC), kind=SERIES_LEFT_OUT, message=left_out[series_id])
        self._left_out = frozenset(left_out)
