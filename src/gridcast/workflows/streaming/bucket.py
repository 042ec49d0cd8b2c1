"""Some measured series of a stream that many workers share: their readings in, their clean rows out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import polars as pl

from gridcast.domain.tables import READINGS
from gridcast.quality.limits import CONTEXT_BEFORE
from gridcast.store.store import Position
from gridcast.workflows.readings.block_name import BlockName
from gridcast.workflows.readings.rules import CleaningRules
from gridcast.workflows.streaming.arrivals import Arrivals, Patience
from gridcast.workflows.streaming.frame_log import FrameLog
from gridcast.workflows.streaming.live_forecasts import Span
from gridcast.workflows.streaming.placed_log import PlacedLog

_NO_TIME: Final = datetime.min.replace(tzinfo=UTC)


class Worked(NamedTuple):
    """What some series have come to: `CLEAN_READINGS` of a span, ready up to its end; and who was left out, and why."""

    span: Span
    clean: pl.DataFrame
    left_out: dict[str, str]


@dataclass(slots=True, eq=False)
class Bucket:
    """Measured series that lie side by side in the alphabet, and all that has come from them.

    Attributes:
        name: the series; its times mean nothing.
        rules: how readings are cleaned.
        context: `READINGS` from before the stream.
        worked_until: up to when readings have been cleaned; at first, where the stream begins.
        worked_rows: how many rows behind the context were taken into account for that.
        log_days: how many days before that are here, or fewer.
        patience: what is waited for.
        clock: what time it is.
    """

    name: BlockName
    rules: CleaningRules
    context: pl.DataFrame
    worked_until: datetime
    worked_rows: int
    log_days: int
    patience: Patience
    clock: Callable[[], datetime]
    _log: FrameLog = field(init=False)
    _placed: PlacedLog = field(init=False)
    _arrivals: Arrivals = field(init=False)

    def __post_init__(self) -> None:
        self._begin(FrameLog(self.context))

    def take(self, readings: pl.DataFrame) -> None:
        """`READINGS` that have arrived."""
        self._log.append(readings)

    def work_off(self) -> Worked | None:
        """Clean what is ready; None if nothing is."""
        position = Position(self.context.height + self.worked_rows, self.worked_until)
        self._arrivals.look(position)
        until = self._arrivals.ready_until(position, waits=True)
        if until is None or not self._arrivals.are_due(position, until):
            return None
        span = self._arrivals.span(position, until)
        placed = self._placed.between(span[0] - CONTEXT_BEFORE, until, up_to_offset=self._arrivals.offset)
        cleaned, left_out = self.rules.clean_what_can_be(placed, self.name._replace(start=span[0], end=until))
        self._arrivals.worked_off()
        self.worked_until, self.worked_rows = until, self._arrivals.offset - self.context.height
        return Worked(span, cleaned.readings, left_out)

    def look_again_in(self) -> timedelta | None:
        """When a deadline may have passed, though nothing comes; None if nothing is waited for."""
        newest = self._arrivals.newest_end
        return self.patience.deadline if newest is not None and newest > self.worked_until else None

    def shortened(self) -> pl.DataFrame:
        """`READINGS` behind the context without those that are too old to be looked at."""
        rows = self._log.rows.slice(self.context.height)
        is_needed = pl.col("valid_time") >= self.worked_until - timedelta(days=self.log_days)
        worked = rows.head(self.worked_rows).filter(is_needed)
        kept = pl.concat([worked, rows.slice(self.worked_rows)])
        self.worked_rows = worked.height
        self._begin(FrameLog(pl.concat([self.context, kept])))
        return kept

    def _begin(self, log: FrameLog) -> None:
        self._log = log
        self._placed = PlacedLog(log, self.rules)
        self._arrivals = Arrivals(log, self.rules, self.log_days, self.patience, clock=self.clock)


def buckets_of(leaves: Sequence[str], *, count: int) -> list[BlockName]:
    """At most `count` names that share the measured series out evenly; their times mean nothing."""
    ordered = sorted(leaves)
    size = -(-len(ordered) // count)
    parts = [ordered[start : start + size] for start in range(0, len(ordered), size)]
    return [BlockName(_NO_TIME, _NO_TIME, part[0], part[-1], number) for number, part in enumerate(parts)]


def shared_out(readings: pl.DataFrame, buckets: Sequence[BlockName]) -> Iterator[tuple[int, pl.DataFrame]]:
    """`READINGS` by the number of the bucket that owns them; those of no series of the tree belong to any."""
    lasts = [each.last for each in buckets[:-1]]
    number = pl.sum_horizontal([pl.lit(0), *((pl.col("series_id") > pl.lit(last)).cast(pl.Int64) for last in lasts)])
    parts = readings.with_columns(bucket=number).partition_by("bucket", as_dict=True, include_key=False)
    for (key,), part in sorted(parts.items()):
        yield int(key), part.select(READINGS.names())
