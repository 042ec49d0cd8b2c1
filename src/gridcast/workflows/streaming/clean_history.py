"""The newest clean readings, kept at hand between ticks instead of read again."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import polars as pl

from gridcast.domain.tables import CLEAN_READINGS

_Span = tuple[datetime, datetime]


class Readable(Protocol):
    """Where clean readings are kept."""

    def readings(self, *, start: datetime, end: datetime) -> pl.DataFrame:
        """`CLEAN_READINGS` of start ≤ valid time < end."""
        ...


@dataclass(slots=True, eq=False)
class CleanHistory:
    """Clean readings as they are kept elsewhere.

    Attributes:
        where: what they are read from.
        kept: how much of it, back from the end of what was written last.
    """

    where: Readable
    kept: timedelta
    _rows: pl.DataFrame = field(default_factory=CLEAN_READINGS.to_frame, init=False)
    _held: _Span | None = field(default=None, init=False)

    def between(self, start: datetime, end: datetime) -> pl.DataFrame:
        """`CLEAN_READINGS` of start ≤ valid time < end."""
        if self._held is None or start < self._held[0] or end > self._held[1]:
            self._rows, self._held = self.where.readings(start=start, end=end), (start, end)
        return self._rows.filter(pl.col("valid_time").is_between(start, end, closed="left"))

    def changes(self, clean: pl.DataFrame, *, span: _Span) -> pl.DataFrame:
        """Those of the clean rows of a span that are not the same here."""
        if self._held is None or span[0] < self._held[0] or span[0] > self._held[1]:
            return clean
        here = self._rows.filter(pl.col("valid_time").is_between(*span, closed="left"))
        return clean.join(here, on=CLEAN_READINGS.names(), how="anti", nulls_equal=True, maintain_order="left")

    def committed(self, clean: pl.DataFrame, *, span: _Span) -> None:
        """Take over what was written over a span."""
        if self._held is None or span[0] > self._held[1]:
            self.forget()
            return
        start, end = max(self._held[0], span[1] - self.kept), max(span[1], self._held[1])
        is_outside = ~pl.col("valid_time").is_between(*span, closed="left")
        outside = self._rows.filter(is_outside, pl.col("valid_time") >= start)
        self._rows, self._held = pl.concat([outside, clean.select(CLEAN_READINGS.names())]), (start, end)

    def forget(self) -> None:
        """Read them again the next time."""
        self._rows, self._held = CLEAN_READINGS.to_frame(), None
