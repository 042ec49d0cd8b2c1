"""Real time: readings land in the log, and every tick turns what is new into clean readings and fresh forecasts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import CLEAN_READINGS, CONSUMER, FORECASTS, READINGS, earliest, latest
from gridcast.features.windows import DAYS_OF_HISTORY
from gridcast.store.store import Position, Store
from gridcast.workflows.forecasts.known import Known
from gridcast.workflows.readings.rules import CleaningRules
from gridcast.workflows.streaming import latency
from gridcast.workflows.streaming.arrivals import Arrivals, Patience
from gridcast.workflows.streaming.live_forecasts import Speakers
from gridcast.workflows.streaming.tick_job import AtHand, TickJob
from gridcast.workflows.streaming.told_ticks import told_tick

_KEY: Final = ("series_id", "valid_time")


@dataclass(slots=True, eq=False)
class Stream:
    """The real-time path of one installation.

    A tick comes when every series has reported up to the end of an interval, or when the deadline for that has passed,
    or when a reading changes an interval that had been cleaned.

    Attributes:
        here: where readings land and results go, and how they are cleaned.
        speakers: tells who forecasts the next tick.
        run_tick: the pipeline of one tick; tells when it had aggregated.
        log_days: how many days before the issue time are in the log: what `warm_start` takes over, or fewer.
        patience: what it waits for.
        tell_left: told how many late readings are left to the batch run, and that they are from before which time.
        clock: what time it is.
    """

    here: AtHand
    speakers: Callable[[], Speakers]
    run_tick: Callable[[TickJob], datetime]
    log_days: int
    patience: Patience = field(default_factory=Patience)
    tell_left: Callable[[int, datetime], None] = lambda _rows, _before: None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _arrivals: Arrivals = field(init=False)
    _ticks: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._arrivals = Arrivals(
            self.store, self.rules, self.log_days, self.patience, self.tell_left, self.here.hand_on, self.clock
        )

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
        position, arrivals = self._looked(), self._arrivals
        until = arrivals.ready_until(position, waits=waits)
        if until is None:
            return None
        if arrivals.are_due(position, until) or self._owes_forecast(until):
            self._run(position, until)
            return until
        if arrivals.first is None and arrivals.offset > position.log_offset:
            self._pass_over(until, head=arrivals.offset)
        return None

    @property
    def is_behind(self) -> bool:
        """Whether more has landed than the last tick took."""
        return self._arrivals.is_behind

    def reached(self) -> datetime | None:
        """End of the newest interval with a reading; None before there is any."""
        position = self._looked()
        ends = [each for each in (position.issue_time, self._arrivals.newest_end) if each is not None]
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
        return self.here.live.known(readings, issue_time=issue_time, days=days), issue_time

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

    def _looked(self) -> Position:
        position = self.store.position(CONSUMER)
        self._arrivals.look(position)
        return position

    def _run(self, position: Position, until: datetime) -> None:
        by = None if self.is_behind else self.speakers()
        job = TickJob(self._arrivals.offset, self._arrivals.span(position, until), by)
        self._ticks += 1
        with told_tick(self.here, job, number=self._ticks, rows=job.log_offset - position.log_offset):
            aggregated_at = self.run_tick(job)
        self._arrivals.worked_off()
        if by is not None:
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

    def _owes_forecast(self, issue_time: datetime) -> bool:
        """Whether the newest tick only cleaned, and nothing is left to be caught up with."""
        newest = None if self.is_behind else self.store.newest_issue_time()
        return newest is not None and newest < issue_time

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
