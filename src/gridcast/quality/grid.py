"""Readings of one local clock laid onto a regular grid: arrays of shape (series, slot)."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gridcast.domain.errors import UsageError
from gridcast.domain.tables import UTC_TIME

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

Number = TypeVar("Number", np.float32, np.int64)

DAY: Final = timedelta(days=1)
NEVER: Final = np.iinfo(np.int64).min
_PHASE_YEAR: Final = datetime(2024, 1, 1, tzinfo=UTC)


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
        shift = (self.offset_us - self.offset_us[np.maximum(same_utc, 0)]) // microseconds(self.interval)
        found = same_utc + shift
        return np.where((same_utc >= 0) & (found >= 0) & (found < self.slots), found, -1)


@dataclass(frozen=True, slots=True)
class Grid:
    """Received load on a clock, arrays of shape (series, slot).

    `load_mw`: mean of the interval's readings, NaN where none came; `available_us`: when the last of them arrived,
    `NEVER` where none; `is_resampled`: finer or off-grid readings were averaged; `is_upsampled`: a coarser reading is
    held over it; `is_partial`: too few readings came. `reading_span`: intervals that one reading in the slot stands for
    (a quarter for the usual four); `received_share`: part of the interval that its readings stand for.
    """

    series_ids: tuple[str, ...]
    clock: Clock
    load_mw: Floats
    available_us: Integers
    is_resampled: Booleans
    is_upsampled: Booleans
    is_partial: Booleans
    reading_span: Floats
    received_share: Floats

    def cut(self, values: int) -> Iterator["Grid"]:
        """The same in pieces of so many values or one series."""
        rows = max(1, values // max(1, self.clock.slots))
        for start in range(0, len(self.series_ids), rows):
            some = slice(start, start + rows)
            arrays = (getattr(self, each.name)[some] for each in fields(self)[2:])
            yield Grid(self.series_ids[some], self.clock, *arrays)


def build_clock(start: datetime, end: datetime, *, interval: timedelta, time_zone: str) -> Clock:
    """Every interval that starts in start ≤ time < end, aligned to the zone's local midnight.

    Raises:
        UsageError: a day is not a whole number of intervals.
    """
    if interval <= timedelta(0) or DAY % interval:
        raise UsageError(f"interval {interval} does not divide a day; expected 5, 15, 30 or 60 minutes.")
    step, phase = microseconds(interval), phase_us(time_zone, interval=interval)
    first = -((phase - _since_epoch(start)) // step) * step + phase
    utc_us = np.arange(first, _since_epoch(end), step, dtype=np.int64)
    utc = pl.Series(utc_us).cast(UTC_TIME)
    local = utc.dt.convert_time_zone(time_zone).dt.replace_time_zone(None)
    offset_us = local.to_physical().to_numpy() - utc_us
    return Clock(interval, utc_us, offset_us, (local.dt.weekday() > 5).to_numpy())


def phase_us(time_zone: str, *, interval: timedelta) -> int:
    """Where intervals aligned to a zone's local midnight start, in µs behind whole intervals since 1970."""
    standard = _PHASE_YEAR.astimezone(ZoneInfo(time_zone))
    offset = (standard.utcoffset() or timedelta(0)) - (standard.dst() or timedelta(0))
    return -microseconds(offset) % microseconds(interval)


def _since_epoch(time: datetime) -> int:
    return microseconds(time - datetime(1970, 1, 1, tzinfo=UTC))


def microseconds(span: timedelta) -> int:
    """A span of time as a whole number of µs."""
    return span // timedelta(microseconds=1)


def running_maximum(values: NDArray[Number], *, slots: int) -> NDArray[Number]:
    """Largest of so many slots up to each one, (series, slot)."""
    largest, width = values, 1
    while width < min(slots, values.shape[1]):
        step = min(width, slots - width)
        wider = largest.copy()
        np.maximum(largest[:, step:], largest[:, :-step], out=wider[:, step:])
        largest, width = wider, width + step
    return largest
