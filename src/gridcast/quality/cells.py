"""Readings averaged over the intervals of their series' clocks: all that cleaning needs of them, and additive in time.

Cells of one time and those of another, put together, are the cells of both: what came since is added without looking
at the rest again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from gridcast.domain.tables import UTC_TIME
from gridcast.quality.grid import microseconds, phase_us
from gridcast.quality.received import sift

CELLS: Final = pl.Schema(
    {
        "series_id": pl.String(),
        "valid_time": UTC_TIME,
        "load_mw": pl.Float64(),
        "readings": pl.Int32(),
        "is_moved": pl.Boolean(),
        "available_at": UTC_TIME,
    }
)
"""One row per series and interval with a reading: the mean of its `readings`, whether any of them was not at the start
of the interval or it is a mean of several, and when the last of them arrived."""

_PER_MW: Final = 1e9
_LARGEST_MW: Final = 1e28


@dataclass(frozen=True, slots=True)
class Placed:
    """Readings on the intervals of their series.

    Attributes:
        cells: `CELLS`.
        removed: `REMOVED`, readings that were left out.
    """

    cells: pl.DataFrame
    removed: pl.DataFrame

    @classmethod
    def together(cls, parts: Iterable["Placed"]) -> "Placed":
        """What several stretches of time hold, none of whose intervals is in two of them; at least one."""
        cells, removed = zip(*((each.cells, each.removed) for each in parts), strict=True)
        return cls(pl.concat(cells), pl.concat(removed))

    def without(self, intervals: pl.DataFrame, *, time_zones: Mapping[str, str], interval: timedelta) -> "Placed":
        """Those of other intervals than the given ones (`series_id`, `interval_start`)."""
        removed = interval_of(self.removed, time_zones=time_zones, interval=interval)
        key = ("series_id", "interval_start")
        return Placed(
            self.cells.join(intervals, left_on=("series_id", "valid_time"), right_on=key, how="anti"),
            removed.join(intervals, on=key, how="anti").drop("interval_start"),
        )

    def without_series(self, series_id: str) -> "Placed":
        """Those of other series."""
        is_other = pl.col("series_id") != series_id
        return Placed(self.cells.filter(is_other), self.removed.filter(is_other))

    def between(self, start: datetime, end: datetime) -> "Placed":
        """Those with start ≤ valid time < end."""
        is_inside = pl.col("valid_time").is_between(start, end, closed="left")
        return Placed(self.cells.filter(is_inside), self.removed.filter(is_inside))


def place(readings: pl.DataFrame, *, time_zones: Mapping[str, str], interval: timedelta) -> Placed:
    """Sift `READINGS` and average them over the intervals of their series' clocks.

    Args:
        readings: as received; all of an interval, or none.
        time_zones: IANA zone of every known series.
        interval: length of the intervals, aligned to local midnight.
    """
    kept, removed = sift(readings, known_series=time_zones)
    placed = interval_of(kept, time_zones=time_zones, interval=interval).select(
        "series_id",
        "load_mw",
        "available_at",
        valid_time="interval_start",
        is_moved=pl.col("valid_time") != pl.col("interval_start"),
    )
    key = placed.select(pl.col("series_id").hash(1) ^ pl.col("valid_time").hash(2)).to_series()
    is_alone = key.n_unique() == placed.height
    cells = placed.with_columns(readings=pl.lit(1, pl.Int32)) if is_alone else _averaged(placed)
    return Placed(cells.select(CELLS.names()), removed)


def interval_of(rows: pl.DataFrame, *, time_zones: Mapping[str, str], interval: timedelta) -> pl.DataFrame:
    """Rows with the `interval_start` of their `valid_time` by the clock of their series, or by UTC if it is unknown."""
    step = microseconds(interval)
    phases = {zone: phase_us(zone, interval=interval) for zone in set(time_zones.values())}
    time = pl.col("valid_time").to_physical()
    if len(set(phases.values())) < 2:
        phase = pl.lit(next(iter(phases.values()), 0))
    else:
        of_series = {series_id: phases[zone] for series_id, zone in time_zones.items()}
        phase = pl.col("series_id").replace_strict(of_series, default=0, return_dtype=pl.Int64)
    start = (time - phase) // step * step + phase
    return rows.with_columns(interval_start=start.cast(UTC_TIME))


def _averaged(placed: pl.DataFrame) -> pl.DataFrame:
    summed = placed.group_by("series_id", "valid_time").agg(
        pl.col("load_mw").first(),
        pl.col("is_moved").any(),
        pl.col("available_at").max(),
        whole=(pl.col("load_mw").clip(-_LARGEST_MW, _LARGEST_MW) * _PER_MW).round().cast(pl.Int128).sum(),
        readings=pl.len().cast(pl.Int32),
    )
    is_mean = pl.col("readings") > 1
    mean = pl.col("whole") / (_PER_MW * pl.col("readings"))
    return summed.with_columns(
        load_mw=pl.when(is_mean).then(mean).otherwise("load_mw"), is_moved=pl.col("is_moved") | is_mean
    )
