"""Readings averaged over intervals laid onto a clock: coarser ones refused or held."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from gridcast.domain.errors import SeriesError
from gridcast.quality.grid import DAY, NEVER, Booleans, Clock, Floats, Grid, Integers, microseconds, running_maximum

ENOUGH_TO_JUDGE: Final = 24
"""Intervals of a series with a reading before their spacing says that its interval is coarser than the grid's."""

_COARSEST: Final = timedelta(hours=1)


class _Held(NamedTuple):
    """Coarse readings held over their intervals, (series, slot): where, and the slot of the reading held there.

    `span`: intervals that a reading in the slot stands for; `seen`: the slot of the last reading that says so.
    """

    is_held: Booleans
    source: Integers
    span: Integers
    seen: Integers


def build_grid(cells: pl.DataFrame, *, series_ids: Sequence[str], clock: Clock, upsample: bool = False) -> Grid:
    """`CELLS` of some series laid onto a clock; those of other series and beyond the clock are left out.

    With `upsample`, a reading of up to an hour is held over its intervals: the closest distance of two readings in the
    24 hours up to it, or to the next one where there are none.

    Raises:
        SeriesError: a series comes at a coarser interval than the clock's, and `upsample` is not set.
    """
    shape = (len(series_ids), clock.slots)
    load, available = np.full(shape, np.nan), np.full(shape, NEVER)
    count, is_resampled = np.zeros(shape, np.int64), np.zeros(shape, np.bool_)
    placed = _numbered(cells, series_ids=series_ids, clock=clock)
    place = placed["place"].to_numpy()
    load.reshape(-1)[place] = placed["load_mw"].to_numpy()
    available.reshape(-1)[place] = placed["available_at"].to_physical().to_numpy()
    count.reshape(-1)[place] = placed["readings"].to_numpy()
    is_resampled.reshape(-1)[place] = placed["is_moved"].to_numpy()
    usual, typical = _usual_counts(count, clock=clock)
    is_resampled |= (usual > 1) & (count > 0)
    grid = Grid(
        tuple(series_ids),
        clock,
        load,
        available,
        is_resampled,
        np.zeros(shape, np.bool_),
        (count > 0) & (2 * count < usual),
        1 / typical,
        count / typical,
    )
    if upsample:
        return _with_held(grid, _hold(count > 0, clock=clock))
    _require_fine_enough(count, series_ids=series_ids, interval=clock.interval)
    return grid


def reading_spans(readings: pl.DataFrame, *, grid: Grid) -> Floats:
    """Intervals that each of some other readings stands for, (reading,); one where the grid does not know it."""
    clock = grid.clock
    row = (
        readings["series_id"]
        .replace_strict(list(grid.series_ids), range(len(grid.series_ids)), default=-1, return_dtype=pl.Int64)
        .to_numpy()
    )
    slot = (readings["valid_time"].to_physical().to_numpy() - clock.utc_us[0]) // microseconds(clock.interval)
    is_known = (row >= 0) & (slot >= 0) & (slot < clock.slots)
    spans = np.ones(len(row))
    spans[is_known] = grid.reading_span[row[is_known], slot[is_known]]
    return spans


def _numbered(cells: pl.DataFrame, *, series_ids: Sequence[str], clock: Clock) -> pl.DataFrame:
    """The cells of some series on the clock, with their `place` in an array (series, slot)."""
    order = pl.DataFrame({"series_id": series_ids, "row": range(len(series_ids))}, schema_overrides={"row": pl.Int64})
    slot = (pl.col("valid_time").to_physical() - int(clock.utc_us[0])) // microseconds(clock.interval)
    return (
        cells.join(order, on="series_id", maintain_order="left")
        .with_columns(slot=slot)
        .filter(pl.col("slot").is_between(0, clock.slots, closed="left"))
        .with_columns(place=pl.col("row") * clock.slots + pl.col("slot"))
    )


def _usual_counts(count: Integers, *, clock: Clock) -> tuple[Floats, Floats]:
    """Readings that usually come in an interval, at least as many as came: as known by then, and in hindsight.

    It is the median over the 24 hours up to it; in hindsight, before half a day has come, over the 24 hours from it on.
    """
    if count.max(initial=0) <= 1:
        return np.broadcast_to(1.0, count.shape), np.broadcast_to(1.0, count.shape)
    day = clock.count(DAY)
    seen = pl.DataFrame(np.where(count > 0, count, np.nan).T).fill_nan(None)
    so_far = seen.select(pl.all().rolling_median(day, min_samples=1)).to_numpy().T
    settled = seen.select(pl.all().rolling_median(day, min_samples=max(1, day // 2))).to_numpy().T
    from_here = seen.reverse().select(pl.all().rolling_median(day, min_samples=1)).reverse().to_numpy().T
    typical = np.where(np.isfinite(settled), settled, from_here)
    return _at_least(so_far, count), _at_least(typical, count)


def _at_least(median: Floats, count: Integers) -> Floats:
    usual: Floats = np.fmax(np.fmax(median, count), 1.0)
    return usual


def _with_held(grid: Grid, held: _Held) -> Grid:
    rows = np.arange(len(grid.series_ids))[:, None]
    known = np.maximum(grid.available_us[rows, held.source], grid.available_us[rows, held.seen])
    return replace(
        grid,
        load_mw=np.where(held.is_held, grid.load_mw[rows, held.source], grid.load_mw),
        available_us=np.where(held.is_held, known, grid.available_us),
        is_upsampled=held.is_held,
        reading_span=grid.reading_span * held.span,
        received_share=np.where(held.is_held, 1.0, grid.received_share),
    )


def _hold(has_reading: Booleans, *, clock: Clock) -> _Held:
    slot = np.arange(clock.slots)
    rows = np.arange(len(has_reading))[:, None]
    source = np.maximum.accumulate(np.where(has_reading, slot, -1), axis=1)
    before = np.pad(source[:, :-1], ((0, 0), (1, 0)), constant_values=-1)
    following = np.minimum.accumulate(np.where(has_reading, slot, clock.slots)[:, ::-1], axis=1)[:, ::-1]
    after = np.pad(following[:, 1:], ((0, 0), (0, 1)), constant_values=clock.slots)
    coarsest = clock.count(_COARSEST)
    to_last, to_next = slot - before, after - slot
    is_close = has_reading & (before >= 0) & (to_last <= coarsest)
    closest = -running_maximum(np.where(is_close, -to_last, -coarsest - 1), slots=clock.count(DAY))
    has_past = closest <= coarsest
    has_next = ~has_past & (after < clock.slots) & (to_next <= coarsest)
    span = np.where(has_past, closest, np.where(has_next, to_next, 1))
    held_span = np.where(source >= 0, span[rows, source], 1)
    is_held = (held_span > 1) & (slot - source < held_span)
    seen = np.where(has_next, after, slot)
    return _Held(is_held, np.maximum(source, 0), span, seen[rows, np.maximum(source, 0)])


def _require_fine_enough(count: Integers, *, series_ids: Sequence[str], interval: timedelta) -> None:
    """Refuse series of which both the median and the most frequent spacing are coarser; gaps alone change only one."""
    has_reading = count > 0
    is_after_hole = has_reading[:, 1:] & ~has_reading[:, :-1]
    holes = is_after_hole.sum(axis=1) - (~has_reading[:, 0] & has_reading.any(axis=1))
    is_sparse = 2 * holes > count.sum(axis=1) - 1
    for row in np.flatnonzero(is_sparse & (has_reading.sum(axis=1) >= ENOUGH_TO_JUDGE)).tolist():
        usual = int(np.bincount(np.diff(np.flatnonzero(has_reading[row]))).argmax())
        if usual > 1:
            raise SeriesError(
                f"series {series_ids[row]!r}: its readings usually come {usual * interval} apart; expected readings at "
                f"the interval of {interval} or finer. Set the interval to that of the coarsest series, or upsample to "
                "true.",
                series_ids[row],
            )
