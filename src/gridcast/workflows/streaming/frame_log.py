"""A log of readings in memory: what a worker of a cluster has of the series that are its own."""

from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from gridcast.domain.tables import READINGS


@dataclass(slots=True, eq=False)
class FrameLog:
    """Readings in order of arrival, numbered from 1 on; a `Log`."""

    rows: pl.DataFrame = field(default_factory=READINGS.to_frame)

    def append(self, rows: pl.DataFrame) -> None:
        """Put `READINGS` behind the others."""
        self.rows = pl.concat([self.rows, rows.select(READINGS.names())])

    def log_head(self) -> int:
        """See `Log`."""
        return self.rows.height

    def landed(self, *, start: datetime, end: datetime, up_to_offset: int) -> pl.DataFrame:
        """See `Log`."""
        is_inside = pl.col("valid_time").is_between(start, end, closed="left")
        return self.rows.head(up_to_offset).filter(is_inside)

    def landed_after(self, *, after_offset: int, up_to_offset: int) -> pl.DataFrame:
        """See `Log`."""
        start = max(after_offset, 0)
        return self.rows.slice(start, max(up_to_offset - start, 0))
