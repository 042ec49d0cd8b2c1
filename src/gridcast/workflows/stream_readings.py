"""Real time: readings land in the log, and every tick turns what is new into clean readings and fresh forecasts."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import CLEAN_READINGS, FORECASTS, READINGS, earliest, latest
from gridcast.features.windows import DAYS_OF_HISTORY, LONGEST_HORIZON
from gridcast.quality.limits import CONTEXT_AFTER, CONTEXT_BEFORE
from gridcast.registry.mlflow_registry import RegisteredModel
from gridcast.store.sqlite import Position, Store
from gridcast.workflows.known import Known
from gridcast.workflows.processed import Processed
from gridcast.workflows.rules import CleaningRules

CONSUMER = "stream"
_KEY: Final = ("series_id", "valid_time")


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

    def known(self, store: Store, clean: pl.DataFrame, *, days: int = DAYS_OF_HISTORY) -> Known:
        """What is known at the issue time: the tick's own clean rows behind the history before its span."""
        history = store.readings(start=self.issue_time - timedelta(days=days), end=self.span[0])
        readings = pl.concat([history, clean])
        return _known(readings, self.processed, self.rules, issue_time=self.issue_time, days=days)


@dataclass(frozen=True, slots=True)
class Stream:
    """The real-time path of one installation.

    Attributes:
        store: where readings land and results go.
        path: the file of the store.
        processed: what the batch run handed over: history before the start, weather, holidays.
        rules: how to clean.
        model: tells who forecasts the next tick.
        run_tick: the pipeline of one tick.
        log_days: how many days before the issue time are in the log: what `warm_start` takes over, or fewer.
        tell_left: told how many late readings are left to the batch run, and that they are from before which time.
    """

    store: Store
    path: Path
    processed: Processed
    rules: CleaningRules
    model: Callable[[], RegisteredModel]
    run_tick: Callable[[TickJob], None]
    log_days: int
    tell_left: Callable[[int, datetime], None] = lambda _rows, _before: None

    def tick(self) -> datetime | None:
        """Work off everything that landed since the last tick; its issue time, or None if nothing was new.

        Readings so late that the log does not hold what cleaning looks at around them are left to the batch run.
        """
        position, head = self.store.position(CONSUMER), self.store.log_head()
        oldest = None if position.issue_time is None else self._oldest(position.issue_time)
        job = self._next_job(position, head=head, oldest=oldest)
        if job is not None:
            self.run_tick(job)
        elif position.issue_time is not None and head > position.log_offset:
            self._pass_over(position.issue_time, head=head)
        if oldest is not None:
            self._tell_left(position, head=head, oldest=oldest)
        return None if job is None else job.issue_time

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

    def known(self) -> tuple[Known, datetime]:
        """What the newest forecast of the stream looked at, and when it was issued.

        Raises:
            GridcastError: the stream has not begun.
        """
        issue_time = self.store.position(CONSUMER).issue_time
        if issue_time is None:
            raise GridcastError("the stream has not begun; expected a warm start before it.")
        readings = self.store.readings(start=issue_time - timedelta(days=DAYS_OF_HISTORY), end=issue_time)
        return _known(readings, self.processed, self.rules, issue_time=issue_time, days=DAYS_OF_HISTORY), issue_time

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

    def _next_job(self, position: Position, *, head: int, oldest: datetime | None) -> TickJob | None:
        touched = self._touched(after_offset=position.log_offset, head=head, start=oldest)
        touched = touched or self._not_cleaned(position, head=head)
        if touched is None:
            return None
        first, last = touched
        newest = self.rules.start_of_interval(last) + self.rules.interval
        issue_time = max(newest, position.issue_time or newest)
        model = self.model()
        return TickJob(
            store=self.path,
            processed=self.processed,
            log_offset=head,
            span=(self.rules.start_of_interval(min(first, position.issue_time or first)) - CONTEXT_AFTER, issue_time),
            issue_time=issue_time,
            rules=self.rules,
            artefact=model.directory,
            model_version=model.version,
        )

    def _oldest(self, issue_time: datetime) -> datetime:
        """The first interval that can be cleaned again: all that cleaning looks at around it is in the log."""
        first = issue_time - timedelta(days=self.log_days) + CONTEXT_BEFORE + CONTEXT_AFTER
        start = self.rules.start_of_interval(first)
        return start if start == first else start + self.rules.interval

    def _touched(self, *, after_offset: int, head: int, start: datetime | None) -> tuple[datetime, datetime] | None:
        """First and last interval from `start` on with readings of measured series behind a log offset."""
        spans = self.store.landed_spans(after_offset=after_offset, up_to_offset=head, start=start)
        measured = [spans[each] for each in self.rules.hierarchy.leaves if each in spans]
        return (min(each.first for each in measured), max(each.last for each in measured)) if measured else None

    def _not_cleaned(self, position: Position, *, head: int) -> tuple[datetime, datetime] | None:
        """Intervals behind the start of the stream with readings that had landed before it began."""
        begun, newest = position.issue_time, self.store.newest_landed()
        if begun is None or newest is None or newest < begun:
            return None
        return self._touched(after_offset=0, head=head, start=begun)

    def _pass_over(self, issue_time: datetime, *, head: int) -> None:
        """Move on behind readings of which none can be cleaned."""
        self.store.commit_tick(
            consumer=CONSUMER,
            log_offset=head,
            issue_time=issue_time,
            readings=CLEAN_READINGS.to_frame(),
            forecasts=FORECASTS.to_frame(),
        )

    def _tell_left(self, position: Position, *, head: int, oldest: datetime) -> None:
        spans = self.store.landed_spans(after_offset=position.log_offset, up_to_offset=head, end=oldest)
        left = sum(spans[each].rows for each in self.rules.hierarchy.leaves if each in spans)
        if left:
            self.tell_left(left, oldest)


def _known(
    readings: pl.DataFrame, processed: Processed, rules: CleaningRules, *, issue_time: datetime, days: int
) -> Known:
    start, end = issue_time - timedelta(days=days), issue_time + LONGEST_HORIZON
    weather = processed.weather(start=start, end=end, known_at=issue_time)
    return Known(readings, weather, processed.holidays(), rules.hierarchy)


def _counting(readings: pl.DataFrame) -> pl.DataFrame:
    """Of each series and time the reading that `quality.received.sift` keeps, with `is_finite`."""
    loads = pl.col("load_mw").fill_nan(None)
    rows = readings.with_columns(loads, is_finite=loads.is_finite().fill_null(value=False))
    ranked = rows.sort("is_finite", "available_at", maintain_order=True)
    return ranked.unique(_KEY, keep="last", maintain_order=True)


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

    Who forecasts is asked all the while, so that a new champion is taken over, or refused, before it is needed.

    Args:
        stream: a stream that has been warm-started.
        stop: set to end.
        every: how often to look.
    """
    while not stop.wait(every / timedelta(seconds=1)):
        stream.model()
        issued = stream.tick()
        if issued is not None:
            yield issued


def pacer(*, interval: timedelta, speed: float | None, stop: threading.Event) -> Callable[[], bool]:
    """A pause that makes `interval` of data take `interval / speed`; no speed, no wait. True once `stop` is set."""
    seconds = 0.0 if speed is None else interval.total_seconds() / speed
    return lambda: stop.wait(seconds)
