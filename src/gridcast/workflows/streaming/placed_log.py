"""The newest weeks of the log on the intervals of their series, kept up with what lands instead of read again."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl

from gridcast.domain.tables import READINGS, earliest, latest
from gridcast.quality.cells import Placed
from gridcast.workflows.readings.rules import CleaningRules
from gridcast.workflows.streaming.arrivals import EVER, Log

_KEY = ("series_id", "interval_start")


@dataclass(frozen=True, slots=True)
class _Held:
    """What of the log is placed: rows of start ≤ valid time < end up to an offset; and rows that are ahead of that."""

    placed: Placed
    ahead: pl.DataFrame
    start: datetime
    end: datetime
    offset: int

    def are_ahead(self, rows: pl.DataFrame) -> bool:
        """Whether none of them changes what is placed."""
        return bool((rows["valid_time"] >= self.end).all())


@dataclass(slots=True, eq=False)
class PlacedLog:
    """Readings of the log, placed.

    Attributes:
        log: holds them.
        rules: how readings are placed.
    """

    log: Log
    rules: CleaningRules
    _held: _Held | None = field(default=None, init=False)

    def between(self, start: datetime, end: datetime, *, up_to_offset: int) -> Placed:
        """Readings of start ≤ valid time < end that had landed by an offset, placed."""
        held = self._held
        if held is None or start < held.start or end < held.end or up_to_offset < held.offset:
            held = self._read(start, end, up_to_offset)
        else:
            held = self._brought_up(held, end, up_to_offset)
        self._held = _Held(held.placed.between(start, end), held.ahead, start, end, up_to_offset)
        return self._held.placed

    def take(self, rows: pl.DataFrame, *, after_offset: int, up_to_offset: int) -> None:
        """`READINGS` that landed between two offsets: what is handed over here is not read later."""
        held = self._held
        if held is not None and held.offset == after_offset and held.are_ahead(rows):
            ahead = pl.concat([held.ahead, rows.select(READINGS.names())])
            self._held = replace(held, ahead=ahead, offset=up_to_offset)

    def forget(self) -> None:
        """Read the log again the next time."""
        self._held = None

    def _read(self, start: datetime, end: datetime, up_to_offset: int) -> _Held:
        rows = self.log.landed(start=start, end=EVER, up_to_offset=up_to_offset)
        is_ahead = pl.col("valid_time") >= end
        return _Held(self.rules.place(rows.filter(~is_ahead)), rows.filter(is_ahead), start, end, up_to_offset)

    def _brought_up(self, held: _Held, end: datetime, up_to_offset: int) -> _Held:
        """With every interval placed again of which something is new."""
        landed = self.log.landed_after(after_offset=held.offset, up_to_offset=up_to_offset)
        new = pl.concat([held.ahead, landed.select(READINGS.names())]).filter(pl.col("valid_time") >= held.start)
        is_ahead = pl.col("valid_time") >= end
        inside = self.rules.interval_of(new.filter(~is_ahead))
        is_behind = pl.col("interval_start") >= held.end
        fresh = inside.filter(is_behind).select(READINGS.names())
        again = self._again(inside.filter(~is_behind).select(_KEY).unique(), held, end, up_to_offset)
        rest = held.placed if again is None else self.rules.without(held.placed, again[0])
        parts = [rest, self.rules.place(fresh), *(() if again is None else (again[1],))]
        return _Held(Placed.together(parts), new.filter(is_ahead), held.start, end, up_to_offset)

    def _again(
        self, touched: pl.DataFrame, held: _Held, end: datetime, up_to_offset: int
    ) -> tuple[pl.DataFrame, Placed] | None:
        """Intervals that had been placed and have changed, and what they hold now; None if there are none."""
        if touched.is_empty():
            return None
        runs = ((max(held.start, first), min(end, last)) for first, last in _runs(touched, self.rules))
        rows = pl.concat([self.log.landed(start=a, end=b, up_to_offset=up_to_offset) for a, b in runs])
        whole = self.rules.interval_of(rows).join(touched, on=_KEY, how="semi", maintain_order="left")
        return touched, self.rules.place(whole.select(READINGS.names()))


def _runs(touched: pl.DataFrame, rules: CleaningRules) -> Iterator[tuple[datetime, datetime]]:
    """Stretches of time without a hole that the intervals make up."""
    starts = touched["interval_start"].unique().sort()
    is_first = (starts.diff() > rules.interval).fill_null(value=True)
    numbered = starts.to_frame().with_columns(run=is_first.cum_sum())
    for run in numbered.partition_by("run", maintain_order=True):
        yield earliest(run["interval_start"]), latest(run["interval_start"]) + rules.interval
