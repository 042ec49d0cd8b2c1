"""The newest weeks of the log on the intervals of their series, kept up with what lands instead of read again."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from gridcast.domain.tables import READINGS, earliest, latest
from gridcast.quality.cells import Placed
from gridcast.workflows.arrivals import Log
from gridcast.workflows.rules import CleaningRules

_KEY = ("series_id", "interval_start")


@dataclass(frozen=True, slots=True)
class _Held:
    """What of the log is placed: rows of start ≤ valid time < end up to an offset."""

    placed: Placed
    start: datetime
    end: datetime
    offset: int


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
            held = self._read(start, end, up_to_offset=up_to_offset)
        else:
            held = self._brought_up(held, end, up_to_offset=up_to_offset)
        self._held = _Held(held.placed.between(start, end), start, end, up_to_offset)
        return self._held.placed

    def forget(self) -> None:
        """Read the log again the next time."""
        self._held = None

    def _read(self, start: datetime, end: datetime, *, up_to_offset: int) -> _Held:
        rows = self.log.landed(start=start, end=end, up_to_offset=up_to_offset)
        return _Held(self.rules.place(rows), start, end, up_to_offset)

    def _brought_up(self, held: _Held, end: datetime, *, up_to_offset: int) -> _Held:
        """With every interval placed again of which something is new."""
        landed = self.log.landed_after(after_offset=held.offset, up_to_offset=up_to_offset)
        is_new = pl.col("valid_time").is_between(held.start, held.end, closed="left")
        behind = self.log.landed(start=held.end, end=end, up_to_offset=up_to_offset)
        new = pl.concat([landed.filter(is_new).select(READINGS.names()), behind])
        if new.is_empty():
            return held
        touched = self.rules.interval_of(new).select(_KEY).unique()
        rows = pl.concat([self._rows_of(run, held.start, end, up_to_offset) for run in _runs(touched, self.rules)])
        whole = self.rules.interval_of(rows).join(touched, on=_KEY, how="semi").select(READINGS.names())
        rest = self.rules.without(held.placed, touched)
        return _Held(Placed.together([rest, self.rules.place(whole)]), held.start, end, up_to_offset)

    def _rows_of(
        self, run: tuple[datetime, datetime], start: datetime, end: datetime, up_to_offset: int
    ) -> pl.DataFrame:
        return self.log.landed(start=max(start, run[0]), end=min(end, run[1]), up_to_offset=up_to_offset)


def _runs(touched: pl.DataFrame, rules: CleaningRules) -> Iterator[tuple[datetime, datetime]]:
    """Stretches of time without a hole that the intervals make up."""
    starts = touched["interval_start"].unique().sort()
    is_first = (starts.diff() > rules.interval).fill_null(value=True)
    numbered = starts.to_frame().with_columns(run=is_first.cum_sum())
    for run in numbered.partition_by("run", maintain_order=True):
        yield earliest(run["interval_start"]), latest(run["interval_start"]) + rules.interval
