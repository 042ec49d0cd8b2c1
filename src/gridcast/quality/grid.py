"""Readings of one local clock laid onto a regular grid: arrays of shape (series, slot)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.domain.tables import UTC_TIME

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

DAY: Final = timedelta(days=1)
NEVER: Final = np.iinfo(np.int64).min
ENOUGH_TO_JUDGE: Final = 24
"""Readings of a series before their spacing says that its interval is coarser than the grid's."""

_PHASE_YEAR: Final = datetime(2024, 1, 1, tzinfo=UTC)
_PER_MW: Final = 1e9


@dataclass(frozen=True, slots=True)
class Clock:
    """The slots of a grid and their local wall time, arrays of shape (slot,).

    `utc_us`: interval starts in µs since 1970; `offset_us`: local minus UTC; `is_weekend`: local Saturday or Sunday.
    """

    interval: timedelta
    utc_us: Integers
    offset_us: Integers
    is_weekend: Booleans

    @property
    def slots(self) -> int:
        """How many intervals the grid holds."""
        return len(self.utc_us)

    def count(self, span: timedelta) -> int:
        """Whole intervals in a span of time."""
        return span // self.interval

    def same_time_days_before(self, days: int) -> Integers:
        """Slot with the same local wall time some days earlier, (slot,); -1 where the grid does not reach.

        A wall time that does not exist on the earlier day gives the instant an hour later by the clock.
        """
        slot = np.arange(self.slots)
        same_utc = slot - days * self.count(DAY)
        shift = (self.offset_us - self.offset_us[np.maximum(same_utc, 0)]) // _microseconds(self.interval)
        found = same_utc + shift
        return np.where((same_utc >= 0) & (found >= 0) & (found < self.slots), found, -1)


@dataclass(frozen=True, slots=True)
class Grid:
    """Received load on a clock, arrays of shape (series, slot).

    `load_mw`: mean of the interval's readings, NaN where none came; `available_us`: when the last of them arrived,
    `NEVER` where none; `is_resampled`: finer or off-grid readings were averaged; `is_partial`: too few of them came.
    """

    series_ids: tuple[str, ...]
    clock: Clock
    load_mw: Floats
    available_us: Integers
    is_resampled: Booleans
    is_partial: Booleans


def build_clock(start: datetime, end: datetime, *, interval: timedelta, time_zone: str) -> Clock:
    """Every interval that starts in start ≤ time < end, aligned to the zone's local midnight.

    Raises:
        UsageError: a day is not a whole number of intervals.
    """
    if interval <= timedelta(0) or DAY % interval:
        raise UsageError(f"interval {interval} does not divide a day; expected 5, 15, 30 or 60 minutes.")
    step = _microseconds(interval)
    standard = _PHASE_YEAR.astimezone(ZoneInfo(time_zone))
    phase = -_microseconds((standard.utcoffset() or timedelta(0)) - (standard.dst() or timedelta(0))) % step
    first = -((phase - _since_epoch(start)) // step) * step + phase
    utc_us = np.arange(first, _since_epoch(end), step, dtype=np.int64)
    utc = pl.Series(utc_us).cast(UTC_TIME)
    local = utc.dt.convert_time_zone(time_zone).dt.replace_time_zone(None)
    offset_us = local.to_physical().to_numpy() - utc_us
    return Clock(interval, utc_us, offset_us, (local.dt.weekday() > 5).to_numpy())


def build_grid(readings: pl.DataFrame, *, series_ids: Sequence[str], clock: Clock) -> Grid:
    """Readings (READINGS, no duplicates, finite) averaged onto the clock's intervals; others are left out.

    Raises:
        GridcastError: a series comes at a coarser interval than the clock's.
    """
    shape = (len(series_ids), clock.slots)
    load, available = np.full(shape, np.nan), np.full(shape, NEVER)
    count, is_resampled = np.zeros(shape, np.int64), np.zeros(shape, np.bool_)
    cells = _cells(readings, series_ids=series_ids, clock=clock)
    cell = cells["cell"].to_numpy()
    load.reshape(-1)[cell] = cells["load_mw"].to_numpy()
    available.reshape(-1)[cell] = cells["available_us"].to_numpy()
    count.reshape(-1)[cell] = cells["n"].to_numpy()
    is_resampled.reshape(-1)[cell] = cells["is_moved"].to_numpy()
    _require_fine_enough(count > 0, series_ids=series_ids, interval=clock.interval)
    return Grid(tuple(series_ids), clock, load, available, is_resampled, _is_partial(count, clock=clock))


def _cells(readings: pl.DataFrame, *, series_ids: Sequence[str], clock: Clock) -> pl.DataFrame:
    order = pl.DataFrame({"series_id": series_ids, "row": range(len(series_ids))}, schema_overrides={"row": pl.Int64})
    step = _microseconds(clock.interval)
    since = pl.col("valid_time").to_physical() - int(clock.utc_us[0])
    placed = (
        readings.join(order, on="series_id", maintain_order="left")
        .with_columns(slot=since // step)
        .filter(pl.col("slot").is_between(0, clock.slots, closed="left"))
        .select(
            "load_mw",
            cell=pl.col("row") * clock.slots + pl.col("slot"),
            is_moved=since % step != 0,
            available_us=pl.col("available_at").to_physical(),
        )
    )
    if placed["cell"].n_unique() == placed.height:
        return placed.with_columns(n=pl.lit(1, pl.Int64))
    summed = placed.group_by("cell").agg(
        pl.col("load_mw").first(),
        pl.col("is_moved").any(),
        pl.col("available_us").max(),
        whole=(pl.col("load_mw") * _PER_MW).round().cast(pl.Int64).sum(),
        n=pl.len().cast(pl.Int64),
    )
    is_mean = pl.col("n") > 1
    mean = pl.col("whole") / (_PER_MW * pl.col("n"))
    return summed.with_columns(
        load_mw=pl.when(is_mean).then(mean).otherwise("load_mw"), is_moved=pl.col("is_moved") | is_mean
    )


def _is_partial(count: Integers, *, clock: Clock) -> Booleans:
    if count.max(initial=0) <= 1:
        return np.zeros(count.shape, np.bool_)
    seen = pl.DataFrame(np.where(count > 0, count, np.nan).T).fill_nan(None)
    usual = seen.select(pl.all().rolling_median(clock.count(DAY), min_samples=1)).to_numpy().T
    partial: Booleans = (count > 0) & (2 * count < usual)
    return partial


def _require_fine_enough(has_reading: Booleans, *, series_ids: Sequence[str], interval: timedelta) -> None:
    is_dense = (has_reading[:, 1:] & has_reading[:, :-1]).any(axis=1)
    coarse = np.flatnonzero((has_reading.sum(axis=1) >= ENOUGH_TO_JUDGE) & ~is_dense)
    if coarse.size:
        raise GridcastError(
            f"series {series_ids[coarse[0]]!r}: no two of its readings lie within {interval}; expected readings at the "
            f"interval of {interval} or finer. Set the interval to that of the coarsest series."
        )


def _since_epoch(time: datetime) -> int:
    return _microseconds(time - datetime(1970, 1, 1, tzinfo=UTC))


def _microseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
