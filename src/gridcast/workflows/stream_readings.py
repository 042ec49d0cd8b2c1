"""Real time: readings land in the log, and every tick turns what is new into clean readings and fresh forecasts."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from gridcast.domain.tables import FORECASTS, READINGS, earliest, latest
from gridcast.features.windows import DAYS_OF_HISTORY, LONGEST_HORIZON
from gridcast.quality.limits import CONTEXT_AFTER, CONTEXT_BEFORE
from gridcast.registry.mlflow_registry import RegisteredModel
from gridcast.store.sqlite import Position, Store
from gridcast.workflows.issue_forecast import Known
from gridcast.workflows.processed import Processed
from gridcast.workflows.rules import CleaningRules

CONSUMER = "stream"


@dataclass(frozen=True, slots=True)
class TickJob:
    """What one tick reads, by which rules, and where it commits: no clock and no other input decides its result.

    Attributes:
        store: database to read from and commit to.
        processed: what the batch run handed over.
        log_offset: the newest log row to read.
        span: intervals to clean again, because new readings can change them.
        issue_time: end of the newest interval with a reading.
        rules: how to clean.
        artefact: folder of the model that forecasts.
        model_version: its version.
    """

    store: Path
    processed: Processed
    log_offset: int
    span: tuple[datetime, datetime]
    issue_time: datetime
    rules: CleaningRules
    artefact: Path
    model_version: str

    def raw(self, store: Store) -> pl.DataFrame:
        """`READINGS` of the span and its context, in order of arrival."""
        begin, end = self.span
        return store.landed(start=begin - CONTEXT_BEFORE, end=end, up_to_offset=self.log_offset)

    def known(self, store: Store, clean: pl.DataFrame) -> Known:
        """What is known at the issue time: the tick's own clean rows behind the history before its span."""
        start = self.issue_time - timedelta(days=DAYS_OF_HISTORY)
        history = store.readings(start=start, end=self.span[0])
        end = self.issue_time + LONGEST_HORIZON
        weather = self.processed.weather(start=start, end=end, known_at=self.issue_time)
        return Known(pl.concat([history, clean]), weather, self.processed.holidays(), self.rules.hierarchy)


@dataclass(frozen=True, slots=True)
class Stream:
    """The real-time path of one installation.

    Attributes:
        store: where readings land and results go.
        path: the file of the store.
        processed: what the batch run handed over: history before the start, weather, holidays.
        rules: how to clean.
        model: the champion.
        run_tick: the pipeline of one tick.
    """

    store: Store
    path: Path
    processed: Processed
    rules: CleaningRules
    model: RegisteredModel
    run_tick: Callable[[TickJob], None]

    def tick(self) -> datetime | None:
        """Work off everything that landed since the last tick; its issue time, or None if nothing was new."""
        job = self._next_job()
        if job is None:
            return None
        self.run_tick(job)
        return job.issue_time

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
        clean = self.processed.readings(start=begin).filter(pl.col("valid_time") < start)
        self.store.commit_tick(
            consumer=CONSUMER,
            log_offset=self.store.log_head(),
            issue_time=start,
            readings=clean,
            forecasts=FORECASTS.to_frame(),
        )

    def not_landed(self, raw: pl.DataFrame) -> pl.DataFrame:
        """Rows of `raw` (`READINGS`) that are not in the log as they stand: new, late and corrected readings."""
        if raw.is_empty():
            return raw
        log = self.store.landed(
            start=earliest(raw["valid_time"]),
            end=latest(raw["valid_time"]) + timedelta(microseconds=1),
            up_to_offset=self.store.log_head(),
        )
        return raw.join(log, on=READINGS.names(), how="anti", maintain_order="left")

    def _next_job(self) -> TickJob | None:
        position, head = self.store.position(CONSUMER), self.store.log_head()
        landed = self.store.landed_span(after_offset=position.log_offset, up_to_offset=head)
        touched = landed or self._not_cleaned(position)
        if touched is None:
            return None
        first, last = touched
        newest = self.rules.start_of_interval(last) + self.rules.interval
        issue_time = max(newest, position.issue_time or newest)
        return TickJob(
            store=self.path,
            processed=self.processed,
            log_offset=head,
            span=(self.rules.start_of_interval(min(first, position.issue_time or first)) - CONTEXT_AFTER, issue_time),
            issue_time=issue_time,
            rules=self.rules,
            artefact=self.model.directory,
            model_version=self.model.version,
        )

    def _not_cleaned(self, position: Position) -> tuple[datetime, datetime] | None:
        """Intervals behind the start of the stream with readings that had landed before it began."""
        begun, newest = position.issue_time, self.store.newest_landed()
        return None if begun is None or newest is None or newest < begun else (begun, newest)


def replay(
    stream: Stream,
    readings: pl.DataFrame,
    *,
    start: datetime,
    step: timedelta,
    pause: Callable[[], bool],
) -> Iterator[datetime]:
    """Let readings arrive step by step from `start`, or from where an earlier replay ended; yields each issue time.

    Readings that lie before that and never landed, because they came late or were corrected, arrive first, together;
    those in the first weeks of `readings` are left alone, as the context to clean them again is not there.

    Args:
        stream: a stream that has been warm-started.
        readings: `READINGS` to replay, with those of the weeks before them.
        start: the first interval to replay.
        step: how much arrives before each tick.
        pause: called after each tick; true means stop.
    """
    unfinished = stream.tick()
    if unfinished is not None:
        yield unfinished
    landed = stream.store.newest_landed()
    at = start if landed is None else stream.rules.start_of_interval(landed) + stream.rules.interval
    pending = stream.not_landed(readings)
    ahead = pending.filter(pl.col("valid_time") >= at)
    oldest = at if readings.is_empty() else earliest(readings["valid_time"]) + CONTEXT_BEFORE + CONTEXT_AFTER
    arriving = pending.filter(pl.col("valid_time") >= oldest, pl.col("valid_time") < at)
    newest = at if ahead.is_empty() else latest(ahead["valid_time"])
    while True:
        stream.store.land(arriving.select(READINGS.names()))
        issued = stream.tick()
        if issued is not None:
            yield issued
            if pause():
                return
        if at > newest or ahead.is_empty():
            return
        arriving = ahead.filter(pl.col("valid_time") >= at, pl.col("valid_time") < at + step)
        at += step


def follow(stream: Stream, *, stop: threading.Event, every: timedelta) -> Iterator[datetime]:
    """Tick whenever readings have landed, until `stop` is set; yields each issue time.

    Args:
        stream: a stream that has been warm-started.
        stop: set to end.
        every: how often to look.
    """
    while not stop.wait(every / timedelta(seconds=1)):
        issued = stream.tick()
        if issued is not None:
            yield issued


def pacer(*, interval: timedelta, speed: float | None, stop: threading.Event) -> Callable[[], bool]:
    """A pause that makes `interval` of data take `interval / speed`; no speed, no wait. True once `stop` is set."""
    seconds = 0.0 if speed is None else interval.total_seconds() / speed
    return lambda: stop.wait(seconds)
