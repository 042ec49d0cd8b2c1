"""Real time: readings land in the log, and every tick turns what is new into clean readings and fresh forecasts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import CLEAN_READINGS, CONSUMER, FORECASTS, READINGS, earliest, latest
from gridcast.features.windows import DAYS_OF_HISTORY
from gridcast.quality.limits import CONTEXT_AFTER, CONTEXT_BEFORE
from gridcast.quality.received import is_early
from gridcast.registry.mlflow_registry import RegisteredModel
from gridcast.store.store import Position, Store
from gridcast.workflows import latency
from gridcast.workflows.known import Known
from gridcast.workflows.rules import CleaningRules
from gridcast.workflows.tick_job import AtHand, TickJob
from gridcast.workflows.watermarks import Watermarks

CLOCK_SKEW: Final = timedelta(minutes=15)
"""That clocks may be apart before an interval is taken for one of the future."""
_KEY: Final = ("series_id", "valid_time")
_EVER: Final = datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Patience:
    """What a stream waits for, and how much it takes at once.

    Attributes:
        deadline: how long after the end of an interval its forecast is issued, whatever is missing then.
        silent_after: how far a series lags behind the first one before it is not waited for.
        rows: of the log that one tick takes at most.
    """

    deadline: timedelta = timedelta(minutes=10)
    silent_after: timedelta = timedelta(hours=6)
    rows: int = 500_000


@dataclass(slots=True, eq=False)
class _Arrived:
    """What has come behind the last tick.

    Attributes:
        offset: up to where the log was looked at.
        first: the first interval with a reading that no tick has cleaned yet.
        known_at: when the newest reading was received, and when it was seen here.
    """

    offset: int
    first: datetime | None = None
    known_at: tuple[datetime, datetime] | None = None


@dataclass(slots=True, eq=False)
class Stream:
    """The real-time path of one installation.

    A tick comes when every series has reported up to the end of an interval, or when the deadline for that has passed,
    or when a reading changes an interval that had been cleaned.

    Attributes:
        here: where readings land and results go, and how they are cleaned.
        model: tells who forecasts the next tick.
        run_tick: the pipeline of one tick; tells when it had aggregated.
        log_days: how many days before the issue time are in the log: what `warm_start` takes over, or fewer.
        patience: what it waits for.
        tell_left: told how many late readings are left to the batch run, and that they are from before which time.
        clock: what time it is.
    """

    here: AtHand
    model: Callable[[], RegisteredModel]
    run_tick: Callable[[TickJob], datetime]
    log_days: int
    patience: Patience = Patience()
    tell_left: Callable[[int, datetime], None] = lambda _rows, _before: None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    is_behind: bool = field(default=False, init=False)
    """Whether more has landed than the last tick took."""
    _arrived: _Arrived = field(default_factory=lambda: _Arrived(-1), init=False)
    _marks: Watermarks = field(init=False)

    def __post_init__(self) -> None:
        self._marks = Watermarks(self.rules.interval)

    @property
    def store(self) -> Store:
        """Where readings land and results go."""
        return self.here.store

    @property
    def rules(self) -> CleaningRules:
        """How readings are cleaned."""
        return self.here.rules

    def tick(self, *, waits: bool = True) -> datetime | None:
        """Work off what landed since the last tick; its issue time, or None if there was nothing to do.

        A tick takes a bounded number of rows; while more of them wait it only cleans, and forecasts with the last ones.
        Readings so late that the log does not hold what cleaning looks at around them are left to the batch run.

        Args:
            waits: for series that have not reported yet; otherwise what has landed is all that there will be.
        """
        position = self.store.position(CONSUMER)
        self._take_in(position)
        issue_time = self._issue_time(position, waits=waits)
        if issue_time is not None and self._is_due(position, issue_time):
            self._run(position, issue_time)
            return issue_time
        is_nothing = self._arrived.first is None and self._arrived.offset > position.log_offset
        if is_nothing and position.issue_time is not None:
            self._pass_over(position.issue_time, head=self._arrived.offset)
        return None

    def reached(self) -> datetime | None:
        """End of the newest interval with a reading; None before there is any."""
        position = self.store.position(CONSUMER)
        self._take_in(position)
        ends = [each for each in (position.issue_time, self._newest_end()) if each is not None]
        return max(ends, default=None)

    def warm_start(self, raw: pl.DataFrame, *, start: datetime, days: int) -> None:
        """Take over the last `days` before `start` from the batch run, once; a stream that has begun is left alone.

        Args:
            raw: `READINGS` as received; those of the time taken over land in the log as context.
            start: where the stream begins.
            days: how much to take over.
        """
        if self.store.position(CONSUMER).issue_time is not None:
            return
        begin = start - timedelta(days=days)
        self.store.land(self.not_landed(raw.filter(pl.col("valid_time") >= begin, pl.col("valid_time") < start)))
        clean = self.here.processed.readings(start=begin).filter(pl.col("valid_time") < start)
        self.store.commit_tick(
            consumer=CONSUMER,
            log_offset=self.store.log_head(),
            issue_time=start,
            readings=clean,
            forecasts=FORECASTS.to_frame(),
        )

    def known(self) -> tuple[Known, datetime]:
        """What the newest forecast of the stream looked at, and when it was issued.

        Raises:
            GridcastError: the stream has not begun.
        """
        issue_time = self.store.position(CONSUMER).issue_time
        if issue_time is None:
            raise GridcastError("the stream has not begun; expected a warm start before it.")
        days = DAYS_OF_HISTORY
        readings = self.store.readings(start=issue_time - timedelta(days=days), end=issue_time)
        return self.here.known(readings, issue_time=issue_time, days=days), issue_time

    def not_landed(self, raw: pl.DataFrame) -> pl.DataFrame:
        """Rows of `raw` (`READINGS`) that change what cleaning takes from the log: new, late and corrected readings.

        Of each series and time it is the reading that counts in `raw`, if its load is another than that of the one
        that counts in the log and it would count there.
        """
        if raw.is_empty():
            return raw
        log = self.store.landed(
            start=earliest(raw["valid_time"]),
            end=latest(raw["valid_time"]) + timedelta(microseconds=1),
            up_to_offset=self.store.log_head(),
        )
        both = _counting(raw).join(_counting(log), on=_KEY, how="left", suffix="_landed", maintain_order="left")
        is_absent = pl.col("available_at_landed").is_null()
        is_other = pl.col("load_mw").ne_missing(pl.col("load_mw_landed"))
        is_not_older = pl.col("available_at") >= pl.col("available_at_landed")
        is_alike = pl.col("is_finite") == pl.col("is_finite_landed")
        would_count = pl.when(is_alike).then(is_not_older).otherwise("is_finite")
        return both.filter(is_absent | (is_other & would_count)).select(READINGS.names())

    def _take_in(self, position: Position) -> None:
        """Look at what has come behind the last tick."""
        if self._arrived.offset < position.log_offset:
            self._look_back(position)
        head = self.store.log_head()
        until = min(head, max(self._arrived.offset, position.log_offset) + self.patience.rows)
        if until > self._arrived.offset:
            rows = self.store.landed_after(after_offset=self._arrived.offset, up_to_offset=until)
            self._see(self._usable(rows), oldest=self._oldest(position))
            self._arrived.offset = until
        self.is_behind = until < head

    def _look_back(self, position: Position) -> None:
        """Learn from the log up to which time each series had reported at the last tick, and what no tick has cleaned.

        Only a stream that has just begun finds something of the latter: readings that had landed before it.
        """
        self._marks = Watermarks(self.rules.interval)
        self._arrived = _Arrived(position.log_offset)
        if position.issue_time is not None:
            start = position.issue_time - self.patience.silent_after - 2 * self.rules.interval
            rows = self.store.landed(start=start, end=_EVER, up_to_offset=position.log_offset)
            self._see(self._usable(rows), oldest=None)
            self._arrived.first = None

    def _usable(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.filter(pl.col("series_id").is_in(list(self.rules.hierarchy.leaves)), ~is_early())

    def _see(self, rows: pl.DataFrame, *, oldest: datetime | None) -> None:
        fresh = rows if oldest is None else rows.filter(pl.col("valid_time") >= oldest)
        if oldest is not None and fresh.height < rows.height:
            self.tell_left(rows.height - fresh.height, oldest)
        if fresh.is_empty():
            return
        self._marks.see(fresh)
        here, first, received = self._arrived, earliest(fresh["valid_time"]), latest(fresh["available_at"])
        here.first = first if here.first is None else min(first, here.first)
        if here.known_at is None or received > here.known_at[0]:
            here.known_at = (received, self.clock())

    def _issue_time(self, position: Position, *, waits: bool) -> datetime | None:
        """Up to when intervals are ready to be forecast from; None before there is any reading."""
        newest, now = self._newest_end(), self.clock()
        if newest is None:
            return position.issue_time
        due = self._end_by(self._now_there(now) - self.patience.deadline) if waits else newest
        ready = [min(due, newest)]
        complete = self._marks.complete_until(silent_after=self.patience.silent_after)
        if complete is not None:
            ready.append(min(self._end_by(complete), self._end_by(now + CLOCK_SKEW)))
        return max(ready) if position.issue_time is None else max(*ready, position.issue_time)

    def _now_there(self, now: datetime) -> datetime:
        """What time it is where the readings come from: they may be of the past, and arrive at its pace."""
        if self._arrived.known_at is None:
            return now
        received, seen = self._arrived.known_at
        return min(received + (now - seen), now)

    def _is_due(self, position: Position, issue_time: datetime) -> bool:
        if position.issue_time is None or issue_time > position.issue_time:
            return True
        if self._arrived.first is not None and self._arrived.first < position.issue_time:
            return True
        return not self.is_behind and self._owes_forecast(position.issue_time)

    def _run(self, position: Position, issue_time: datetime) -> None:
        first = min(each for each in (self._arrived.first, position.issue_time, issue_time) if each is not None)
        model = self.model()
        job = TickJob(
            log_offset=self._arrived.offset,
            span=(self.rules.start_of_interval(first) - CONTEXT_AFTER, issue_time),
            issue_time=issue_time,
            artefact=model.directory,
            model_version=model.version,
            is_forecast=not self.is_behind,
        )
        aggregated_at = self.run_tick(job)
        self._arrived.first = None
        if job.is_forecast:
            self._account(job, after_offset=position.log_offset, aggregated_at=aggregated_at)

    def _account(self, job: TickJob, *, after_offset: int, aggregated_at: datetime) -> None:
        """Count how long the reading took that came last of those that the forecast rests on, if it came live."""
        visible_at = self.clock()
        offset = self.store.newest_offset_before(
            end=job.issue_time, after_offset=after_offset, up_to_offset=job.log_offset
        )
        landing = None if offset is None else self.store.landing_of(offset)
        if landing is not None:
            taken = {
                latency.RECEIVED_LANDED: landing.landed_at - landing.received_at,
                latency.LANDED_AGGREGATED: aggregated_at - landing.landed_at,
                latency.AGGREGATED_VISIBLE: visible_at - aggregated_at,
                latency.RECEIVED_VISIBLE: visible_at - landing.received_at,
            }
            self.store.add_latencies(latency.binned(taken))

    def _newest_end(self) -> datetime | None:
        newest = self._marks.newest
        return None if newest is None else self.rules.start_of_interval(newest) + self.rules.interval

    def _end_by(self, moment: datetime) -> datetime:
        """End of the newest interval that has ended by then."""
        return self.rules.start_of_interval(moment)

    def _owes_forecast(self, issue_time: datetime) -> bool:
        """Whether the newest tick only cleaned."""
        newest = self.store.newest_issue_time()
        return newest is not None and newest < issue_time

    def _oldest(self, position: Position) -> datetime | None:
        """The first interval that can be cleaned again: all that cleaning looks at around it is in the log."""
        if position.issue_time is None:
            return None
        first = position.issue_time - timedelta(days=self.log_days) + CONTEXT_BEFORE + CONTEXT_AFTER
        start = self.rules.start_of_interval(first)
        return start if start == first else start + self.rules.interval

    def _pass_over(self, issue_time: datetime, *, head: int) -> None:
        """Move on behind readings of which none can be cleaned."""
        self.store.commit_tick(
            consumer=CONSUMER,
            log_offset=head,
            issue_time=issue_time,
            readings=CLEAN_READINGS.to_frame(),
            forecasts=FORECASTS.to_frame(),
        )


def _counting(readings: pl.DataFrame) -> pl.DataFrame:
    """Of each series and time the reading that `quality.received.sift` keeps, with `is_finite`."""
    loads = pl.col("load_mw").fill_nan(None)
    rows = readings.with_columns(loads, is_finite=loads.is_finite().fill_null(value=False))
    ranked = rows.sort("is_finite", "available_at", maintain_order=True)
    return ranked.unique(_KEY, keep="last", maintain_order=True)
