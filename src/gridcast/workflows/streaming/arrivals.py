"""What has come behind the last tick of a stream, and up to when it is ready to be worked off."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import polars as pl

from gridcast.domain.tables import earliest, latest
from gridcast.quality.limits import CONTEXT_AFTER, CONTEXT_BEFORE
from gridcast.quality.received import is_early
from gridcast.store.store import Position
from gridcast.workflows.readings.rules import CleaningRules
from gridcast.workflows.streaming.watermarks import Watermarks

CLOCK_SKEW: Final = timedelta(minutes=15)
"""That clocks may be apart before an interval is taken for one of the future."""
EVER: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""Later than every reading."""


class Log(Protocol):
    """Readings in order of arrival, numbered from 1 on; rows are appended and never changed."""

    def log_head(self) -> int:
        """Number of the newest row, 0 when there is none."""
        ...

    def landed(self, *, start: datetime, end: datetime, up_to_offset: int) -> pl.DataFrame:
        """`READINGS` of start ≤ valid time < end up to a number, in order of arrival."""
        ...

    def landed_after(self, *, after_offset: int, up_to_offset: int) -> pl.DataFrame:
        """`READINGS` behind a number up to another, in order of arrival."""
        ...


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
class Arrivals:
    """Readings of the measured series that no tick has taken yet.

    Intervals are ready as soon as every series has reported up to their end, or when the deadline for that has passed.
    Readings so late that the log does not hold what cleaning looks at around them are left to the batch run.

    Attributes:
        log: where readings land.
        rules: how they are cleaned.
        log_days: how many days before the last tick are in the log, or fewer.
        patience: what is waited for.
        tell_left: told how many late readings are left to the batch run, and that they are from before which time.
        hand_on: given the rows that are looked at, and between which offsets they landed.
        clock: what time it is.
        offset: up to where the log was looked at.
        first: the first interval with a reading that no tick has cleaned yet.
        is_behind: whether more has landed than was looked at.
    """

    log: Log
    rules: CleaningRules
    log_days: int
    patience: Patience = field(default_factory=Patience)
    tell_left: Callable[[int, datetime], None] = lambda _rows, _before: None
    hand_on: Callable[[pl.DataFrame, int, int], None] = lambda _rows, _after, _until: None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    offset: int = field(default=-1, init=False)
    first: datetime | None = field(default=None, init=False)
    is_behind: bool = field(default=False, init=False)
    _marks: Watermarks = field(init=False)
    _newest_received: tuple[datetime, datetime] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._marks = Watermarks(self.rules.interval)

    def look(self, position: Position) -> None:
        """Take note of what has come behind the last tick."""
        if self.offset < position.log_offset:
            self._look_back(position)
        head = self.log.log_head()
        until = min(head, self.offset + self.patience.rows)
        if until > self.offset:
            rows = self.log.landed_after(after_offset=self.offset, up_to_offset=until)
            self.hand_on(rows, self.offset, until)
            self._see(self._usable(rows), oldest=self._oldest(position))
            self.offset = until
        self.is_behind = until < head

    def ready_until(self, position: Position, *, waits: bool) -> datetime | None:
        """Up to when intervals are ready, at least as far as the last tick; None before there is any reading.

        Args:
            position: of the last tick.
            waits: for series that have not reported yet; otherwise what has landed is all that there will be.
        """
        newest, now = self.newest_end, self.clock()
        if newest is None:
            return position.issue_time
        due = self.rules.start_of_interval(self._now_there(now) - self.patience.deadline) if waits else newest
        ready = [min(due, newest)]
        complete = self._marks.complete_until(silent_after=self.patience.silent_after)
        if complete is not None:
            ready.append(self.rules.start_of_interval(min(complete, now + CLOCK_SKEW)))
        return max(ready) if position.issue_time is None else max(*ready, position.issue_time)

    def are_due(self, position: Position, until: datetime) -> bool:
        """Whether a tick up to then has anything to clean."""
        before = position.issue_time
        return before is None or until > before or (self.first is not None and self.first < before)

    def span(self, position: Position, until: datetime) -> tuple[datetime, datetime]:
        """What a tick up to then cleans again: all that the readings it takes can change."""
        first = min(each for each in (self.first, position.issue_time, until) if each is not None)
        return self.rules.start_of_interval(first) - CONTEXT_AFTER, until

    def worked_off(self) -> None:
        """A tick has taken all of it."""
        self.first = None

    @property
    def newest_end(self) -> datetime | None:
        """End of the newest interval with a reading; None before there is any."""
        newest = self._marks.newest
        return None if newest is None else self.rules.start_of_interval(newest) + self.rules.interval

    def _look_back(self, position: Position) -> None:
        """Learn from the log up to when each series had reported at the last tick."""
        self._marks, self.offset = Watermarks(self.rules.interval), position.log_offset
        if position.issue_time is not None:
            start = position.issue_time - self.patience.silent_after - 2 * self.rules.interval
            rows = self.log.landed(start=start, end=EVER, up_to_offset=position.log_offset)
            self._see(self._usable(rows), oldest=None)
        self.first = None

    def _usable(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.filter(pl.col("series_id").is_in(list(self.rules.hierarchy.leaves)), ~is_early())

    def _see(self, rows: pl.DataFrame, *, oldest: datetime | None) -> None:
        fresh = rows if oldest is None else rows.filter(pl.col("valid_time") >= oldest)
        if oldest is not None and fresh.height < rows.height:
            self.tell_left(rows.height - fresh.height, oldest)
        if fresh.is_empty():
            return
        self._marks.see(fresh)
        first, received = earliest(fresh["valid_time"]), latest(fresh["available_at"])
        self.first = first if self.first is None else min(first, self.first)
        if self._newest_received is None or received > self._newest_received[0]:
            self._newest_received = (received, self.clock())

    def _now_there(self, now: datetime) -> datetime:
        """What time it is where the readings come from: they may be of the past, and arrive at its pace."""
        if self._newest_received is None:
            return now
        received, seen = self._newest_received
        return min(received + (now - seen), now)

    def _oldest(self, position: Position) -> datetime | None:
        """The first interval that can be cleaned again: all that cleaning looks at around it is in the log."""
        if position.issue_time is None:
            return None
        first = position.issue_time - timedelta(days=self.log_days) + CONTEXT_BEFORE + CONTEXT_AFTER
        start = self.rules.start_of_interval(first)
        return start if start == first else start + self.rules.interval
