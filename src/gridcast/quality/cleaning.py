"""Cleaning of a block of readings: every rule, in order, on a regular grid."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from gridcast.domain.tables import CLEAN_READINGS, UTC_TIME
from gridcast.quality.bounds import Bounds
from gridcast.quality.cells import Placed
from gridcast.quality.edits import place_edits
from gridcast.quality.estimation import estimate
from gridcast.quality.grid import Booleans, Grid, Integers, build_clock
from gridcast.quality.limits import CONTEXT_AFTER, CONTEXT_BEFORE, Limits
from gridcast.quality.placement import build_grid, reading_spans
from gridcast.quality.rows import decide, to_rows
from gridcast.quality.summary import READING_SPAN, RECEIVED_MW, quality_counts
from gridcast.quality.validation import validate

_AT_ONCE: Final = 1 << 17
"""Values judged in one piece: enough for numpy to be fast, few enough to stay in the processor's cache."""


class Cleaned(NamedTuple):
    """A cleaned block.

    `readings`: CLEAN_READINGS inside the span, by series and time; `dead`: REMOVED readings inside the span; `counts`:
    QUALITY_COUNTS, whose energy is that of every single reading, also where some of an interval were lost.
    """

    readings: pl.DataFrame
    dead: pl.DataFrame
    counts: pl.DataFrame


@dataclass(frozen=True, slots=True)
class _Task:
    """What all series of a block have in common."""

    span: tuple[datetime, datetime]
    interval: timedelta
    limits: Limits
    series_limits: Mapping[str, Limits]
    edits: pl.DataFrame | None
    upsample: bool
    series_until: Mapping[str, datetime]


def clean_block(
    placed: Placed,
    *,
    span: tuple[datetime, datetime],
    interval: timedelta,
    limits: Limits,
    time_zones: Mapping[str, str],
    series_since: Mapping[str, datetime] | None = None,
    series_until: Mapping[str, datetime] | None = None,
    series_limits: Mapping[str, Limits] | None = None,
    edits: pl.DataFrame | None = None,
    upsample: bool = False,
) -> Cleaned:
    """Validated readings of span start ≤ valid time < span end, one row per series and interval.

    Give the readings from CONTEXT_BEFORE before the span to CONTEXT_AFTER behind it, placed on the same intervals: what
    comes out depends on nothing else, so blocks of any size give the same rows as everything at once. A series' rows
    begin at its `series_since` (left out: at its first reading in `placed`); from its `series_until` on it has rows
    only where there are readings; its limits are its `series_limits`, else `limits`. `edits` (EDITS) overrule
    everything. An estimate is available when the last value it rests on was, a failed value when its verdict was, a
    missing one at its interval's end, an edit when it was made.

    Raises:
        SeriesError: a series is coarser than the interval, and `upsample` is not set.
        UsageError: the interval does not divide a day.
    """
    task = _Task(span, interval, limits, series_limits or {}, edits, upsample, series_until or {})
    clean, dead = _clean(placed, task=task, time_zones=time_zones, series_since=series_since)
    counts = quality_counts(clean, dead, interval=interval)
    return Cleaned(clean.drop(RECEIVED_MW), dead.drop(READING_SPAN), counts)


def _clean(
    placed: Placed,
    *,
    task: _Task,
    time_zones: Mapping[str, str],
    series_since: Mapping[str, datetime] | None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """CLEAN_READINGS with RECEIVED_MW, and REMOVED with READING_SPAN, as last columns."""
    start, end = task.span
    cells = placed.between(start - CONTEXT_BEFORE, end + CONTEXT_AFTER).cells
    dead = placed.between(start, end).removed.sort("series_id", "valid_time", "available_at", maintain_order=True)
    since = _first_readings(cells) if series_since is None else series_since
    by_zone: dict[str, list[str]] = {}
    for series_id in sorted(each for each in since if each in time_zones):
        by_zone.setdefault(time_zones[series_id], []).append(series_id)
    blocks: list[pl.DataFrame] = []
    spans = np.ones(dead.height)
    for zone, series_ids in by_zone.items():
        grid = _lay_out(cells, series_ids=series_ids, time_zone=zone, task=task)
        blocks.extend(_clean_rows(each, task=task, since=since) for each in grid.cut(_AT_ONCE))
        spans *= reading_spans(dead, grid=grid)
    clean = pl.concat(blocks) if blocks else CLEAN_READINGS.to_frame().with_columns(pl.lit(0.0).alias(RECEIVED_MW))
    ordered = clean if len(by_zone) < 2 else clean.sort("series_id", "valid_time")
    return ordered, dead.with_columns(pl.Series(READING_SPAN, spans))


def _lay_out(cells: pl.DataFrame, *, series_ids: list[str], time_zone: str, task: _Task) -> Grid:
    start, end = task.span
    first, last = cells["valid_time"].min(), cells["valid_time"].max()
    lower = min(start, first) if isinstance(first, datetime) else start
    upper = max(end, last + task.interval) if isinstance(last, datetime) else end
    clock = build_clock(lower - task.interval, upper, interval=task.interval, time_zone=time_zone)
    return build_grid(cells, series_ids=series_ids, clock=clock, upsample=task.upsample)


def _clean_rows(grid: Grid, *, task: _Task, since: Mapping[str, datetime]) -> pl.DataFrame:
    """CLEAN_READINGS and RECEIVED_MW of the series of a grid."""
    bounds = Bounds([task.series_limits.get(each, task.limits) for each in grid.series_ids], task.interval)
    verdict = validate(grid, bounds=bounds)
    estimates = estimate(verdict.around, past=verdict.past, clock=grid.clock, bounds=bounds)
    edited = None if task.edits is None else place_edits(task.edits, series_ids=grid.series_ids, clock=grid.clock)
    decision = decide(grid, verdict, estimates, edited)
    return to_rows(grid, decision, wanted=_rows_wanted(grid, task=task, since=since))


def _rows_wanted(grid: Grid, *, task: _Task, since: Mapping[str, datetime]) -> Booleans:
    in_span = pl.Series(grid.clock.utc_us).cast(UTC_TIME).is_between(*task.span, closed="left").to_numpy()
    starts = _instants([since[each] - grid.clock.interval for each in grid.series_ids])
    ends = _instants([task.series_until.get(each, task.span[1]) for each in grid.series_ids])
    is_open = (grid.clock.utc_us > starts) & ((grid.clock.utc_us < ends) | np.isfinite(grid.load_mw))
    wanted: Booleans = in_span & is_open
    return wanted


def _instants(times: list[datetime]) -> Integers:
    """Microseconds since 1970, (series, 1)."""
    instants: Integers = pl.Series(times, dtype=UTC_TIME).to_physical().to_numpy()[:, None]
    return instants


def _first_readings(cells: pl.DataFrame) -> dict[str, datetime]:
    firsts = cells.group_by("series_id").agg(pl.col("valid_time").min())
    return dict(firsts.iter_rows())
