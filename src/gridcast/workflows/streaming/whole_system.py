"""All series of a stream that many workers share: clean rows of the measured ones in, sums and forecasts out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

import polars as pl

from gridcast.domain.tables import CLEAN_READINGS, READINGS
from gridcast.quality.aggregate import combine_sums, partial_sums
from gridcast.quality.limits import CONTEXT_AFTER
from gridcast.workflows.forecasts.known import DAYS_KNOWN
from gridcast.workflows.readings.block_name import BlockName
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.readings.rules import CleaningRules
from gridcast.workflows.streaming.bucket import Worked
from gridcast.workflows.streaming.clean_history import CleanHistory
from gridcast.workflows.streaming.live_forecasts import LiveForecasts, Span, Speakers

KEPT = timedelta(days=DAYS_KNOWN + 1)


class Issued(NamedTuple):
    """`CLEAN_READINGS` that are new or other than before, and `FORECASTS`."""

    readings: pl.DataFrame
    forecasts: pl.DataFrame


@dataclass(slots=True, eq=False)
class WholeSystem:
    """Clean rows of the measured series as far as their buckets have come, and of all series as far as all have.

    Attributes:
        processed: what the batch run handed over: history before the start, weather, holidays.
        rules: how readings are cleaned and summed.
        buckets: who shares the measured series.
        silent_after: how far a bucket lags behind the first one before it is not waited for.
        issued_until: when the newest forecast was issued; at first, where the batch run ended.
    """

    processed: Processed
    rules: CleaningRules
    buckets: Sequence[BlockName]
    silent_after: timedelta
    issued_until: datetime
    live: LiveForecasts = field(init=False)
    _until: list[datetime] = field(init=False)
    _measured: pl.DataFrame = field(init=False)
    _first: datetime | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        start = self.issued_until
        self._until = [start] * len(self.buckets)
        batch = self.processed.readings(start=start - KEPT, series_ids=self.rules.hierarchy.leaves)
        self._measured = batch.filter(pl.col("valid_time") < start).select(CLEAN_READINGS.names())
        self.live = LiveForecasts(self.processed, self.rules, CleanHistory(self, KEPT))

    def take(self, number: int, worked: Worked) -> None:
        """What a bucket's series have come to."""
        span = worked.span
        self._put(self.buckets[number], worked.clean, span)
        self._until[number] = max(self._until[number], span[1])
        self._first = span[0] if self._first is None else min(span[0], self._first)

    def taken(self) -> Iterator[tuple[int, Worked]]:
        """What all buckets have come to since the batch run, in one piece each."""
        for number, (name, until) in enumerate(zip(self.buckets, self._until, strict=True)):
            begin = min(self.processed.observed_until - CONTEXT_AFTER, until)
            is_own = pl.col("series_id").is_between(pl.lit(name.first), pl.lit(name.last))
            rows = self._measured.filter(is_own, pl.col("valid_time") >= begin)
            yield number, Worked((begin, until), rows, {})

    def readings(self, *, start: datetime, end: datetime) -> pl.DataFrame:
        """`CLEAN_READINGS` of every series."""
        measured = self._measured.filter(pl.col("valid_time").is_between(start, end, closed="left"))
        sums = partial_sums(measured, hierarchy=self.rules.hierarchy)
        return pl.concat([measured, combine_sums(sums, min_completeness=self.rules.min_completeness)])

    def work_off(self, by: Speakers) -> Issued | None:
        """Sum and forecast as far as all have come; None if nothing has changed there."""
        until = self._ready_until()
        if self._first is None or self._first >= until:
            return None
        span = (self._first, until)
        self._fill_up(until)
        clean = self.readings(start=span[0], end=until)
        forecasts = self.live.issue(clean, span=span, by=by)
        changes = self.live.history.changes(clean, span=span)
        self.live.take_over(clean, span=span, by=by)
        ahead = max(self._until) > until
        self._first, self.issued_until = (until if ahead else None), until
        return Issued(changes, forecasts)

    def _ready_until(self) -> datetime:
        lagging = max(self._until) - self.silent_after
        return max(self.issued_until, min(each for each in self._until if each > lagging))

    def _fill_up(self, until: datetime) -> None:
        """Of buckets that are not waited for, nothing has come."""
        for name, reached in zip(self.buckets, self._until, strict=True):
            if reached < until:
                block = name._replace(start=max(reached, self.issued_until), end=until)
                nothing = self.rules.clean(self.rules.place(READINGS.to_frame()), block)
                self._put(name, nothing.readings, (block.start, until))

    def _put(self, name: BlockName, clean: pl.DataFrame, span: Span) -> None:
        is_own = pl.col("series_id").is_between(pl.lit(name.first), pl.lit(name.last))
        is_replaced = is_own & pl.col("valid_time").is_between(*span, closed="left")
        is_kept = ~is_replaced & (pl.col("valid_time") >= self.issued_until - KEPT)
        self._measured = pl.concat([self._measured.filter(is_kept), clean.select(CLEAN_READINGS.names())])
