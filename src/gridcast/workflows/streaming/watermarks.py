"""Up to when each measured series has reported, and up to when all of them have."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from gridcast.domain.tables import READINGS, UTC_TIME

_MARKS: Final = pl.Schema({"series_id": pl.String(), "valid_time": UTC_TIME, "spacing": pl.Duration("us")})


@dataclass(slots=True, eq=False)
class Watermarks:
    """The newest reading of each series and how far it reaches.

    A reading reaches as far as the next one of its series is expected: the smallest distance of two that came one
    behind the other, at most an interval. What comes late moves no watermark back.

    Attributes:
        interval: length of the intervals that readings are averaged over.
    """

    interval: timedelta
    _marks: pl.DataFrame = field(default_factory=_MARKS.to_frame, init=False)

    def see(self, readings: pl.DataFrame) -> None:
        """Take note of `READINGS`, in any order."""
        new = readings.select("series_id", "valid_time").unique()
        before = self._marks.rename({"valid_time": "newest"})
        ahead = (
            new.join(before, on="series_id", how="left")
            .filter(pl.col("newest").is_null() | (pl.col("valid_time") > pl.col("newest")))
            .select(READINGS.names()[:2])
        )
        rows = pl.concat([self._marks.select(ahead.columns), ahead]).sort("series_id", "valid_time")
        found = rows.group_by("series_id").agg(
            pl.col("valid_time").max(), closest=pl.col("valid_time").diff().min().cast(_MARKS["spacing"])
        )
        self._marks = (
            found.join(self._marks.select("series_id", "spacing"), on="series_id", how="left")
            .with_columns(spacing=pl.min_horizontal("spacing", "closest"))
            .select(_MARKS.names())
        )

    @property
    def newest(self) -> datetime | None:
        """When the newest reading of all is from."""
        time = self._marks["valid_time"].max()
        return time if isinstance(time, datetime) else None

    def complete_until(self, *, silent_after: timedelta) -> datetime | None:
        """Up to when all series have reported; those that lag so far behind the first one are not waited for."""
        reach = pl.min_horizontal(pl.col("spacing").fill_null(self.interval), pl.lit(self.interval))
        until = self._marks.select((pl.col("valid_time") + reach).alias("until"))["until"]
        first = until.max()
        if not isinstance(first, datetime):
            return None
        time = until.filter(until > first - silent_after).min()
        return time if isinstance(time, datetime) else None
