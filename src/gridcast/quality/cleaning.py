"""Cleaning of a block of readings: every rule, in order, on a regular grid."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from gridcast.domain.tables import CLEAN_READINGS, READINGS, UTC_TIME, Quality
from gridcast.quality.estimation import Estimates, estimate
from gridcast.quality.grid import Booleans, Grid, Integers, build_clock, build_grid
from gridcast.quality.limits import CONTEXT_AFTER, CONTEXT_BEFORE, Limits, Rule
from gridcast.quality.received import sift
from gridcast.quality.rules import flatline_verdict, is_above, is_below
from gridcast.quality.spike import is_spike

_CAUSES: Final = (
    "",
    Rule.RESAMPLED,
    Rule.PARTIAL_INTERVAL,
    Rule.BELOW_MINIMUM,
    Rule.ABOVE_MAXIMUM,
    Rule.SPIKE,
    Rule.FLATLINE,
    Rule.GAP,
)
_CODE: Final = {cause: code for code, cause in enumerate(_CAUSES)}
_REMEDIES: Final = ("", f"+{Rule.INTERPOLATED}", f"+{Rule.LAST_WEEK}")
_RULES: Final = pl.Series([f"{cause}{remedy}" for cause in _CAUSES for remedy in _REMEDIES])
_QUALITIES: Final = pl.Series([Quality.GOOD, Quality.ESTIMATED, Quality.BAD, Quality.MISSING], dtype=pl.String())


class Cleaned(NamedTuple):
    """`readings`: CLEAN_READINGS inside the span, by series and time; `dead`: REMOVED readings inside the span."""

    readings: pl.DataFrame
    dead: pl.DataFrame


def clean_block(
    readings: pl.DataFrame,
    *,
    span: tuple[datetime, datetime],
    interval: timedelta,
    limits: Limits,
    time_zones: Mapping[str, str],
    series_since: Mapping[str, datetime] | None = None,
) -> Cleaned:
    """Validated readings of span start ≤ valid time < span end, one row per series and interval.

    Give the readings (READINGS, any order) from CONTEXT_BEFORE before the span to CONTEXT_AFTER behind it: what comes
    out depends on nothing else, so blocks of any size give the same rows as everything at once. A series' rows begin at
    its `series_since` (left out: at its first reading in `readings`). An estimate is available when the last value it
    rests on was, a failed value when its verdict was, a missing one at its interval's end.

    Raises:
        GridcastError: a series is coarser than the interval.
        UsageError: the interval does not divide a day.
    """
    start, end = span
    nearby = readings.filter(
        pl.col("valid_time").is_between(start - CONTEXT_BEFORE, end + CONTEXT_AFTER, closed="left")
    )
    received, removed = sift(nearby, known_series=time_zones)
    since = _first_readings(received) if series_since is None else series_since
    by_zone: dict[str, list[str]] = {}
    for series_id in sorted(each for each in since if each in time_zones):
        by_zone.setdefault(time_zones[series_id], []).append(series_id)
    blocks = [
        _clean_zone(received, series_ids=ids, time_zone=zone, span=span, interval=interval, limits=limits, since=since)
        for zone, ids in by_zone.items()
    ]
    clean = pl.concat(blocks) if blocks else CLEAN_READINGS.to_frame()
    ordered = clean if len(blocks) < 2 else clean.sort("series_id", "valid_time")
    return Cleaned(ordered, removed.filter(pl.col("valid_time").is_between(start, end, closed="left")))


def _clean_zone(
    received: pl.DataFrame,
    *,
    series_ids: list[str],
    time_zone: str,
    span: tuple[datetime, datetime],
    interval: timedelta,
    limits: Limits,
    since: Mapping[str, datetime],
) -> pl.DataFrame:
    start, end = span
    first, last = received["valid_time"].min(), received["valid_time"].max()
    lower = min(start, first) if isinstance(first, datetime) else start
    upper = max(end, last + interval) if isinstance(last, datetime) else end
    clock = build_clock(lower - interval, upper, interval=interval, time_zone=time_zone)
    grid = build_grid(received, series_ids=series_ids, clock=clock)
    cause, verdict_us = _validate(grid, limits=limits)
    is_good = cause <= _CODE[Rule.RESAMPLED]
    estimates = estimate(np.where(is_good, grid.load_mw, np.nan), grid.available_us, clock=clock, limits=limits)
    wanted = _rows_wanted(grid, span=span, since=since)
    return _to_frame(grid, cause=cause, verdict_us=verdict_us, estimates=estimates, wanted=wanted)


def _validate(grid: Grid, *, limits: Limits) -> tuple[Integers, Integers]:
    """Code of the cause and the time of the verdict, (series, slot); a later rule overrules an earlier one."""
    below, above = is_below(grid.load_mw, limits=limits), is_above(grid.load_mw, limits=limits)
    believed = np.where(below | above | grid.is_partial, np.nan, grid.load_mw)
    flat_us = flatline_verdict(believed, grid.available_us, clock=grid.clock, limits=limits)
    found: dict[str, Booleans] = {
        Rule.RESAMPLED: grid.is_resampled,
        Rule.FLATLINE: flat_us > np.iinfo(np.int64).min,
        Rule.SPIKE: is_spike(believed, clock=grid.clock, limits=limits),
        Rule.PARTIAL_INTERVAL: grid.is_partial,
        Rule.BELOW_MINIMUM: below,
        Rule.ABOVE_MAXIMUM: above,
        Rule.GAP: np.isnan(grid.load_mw),
    }
    cause = np.zeros(grid.load_mw.shape, np.int64)
    for rule, where in found.items():
        cause[where] = _CODE[rule]
    return cause, np.where(cause == _CODE[Rule.FLATLINE], flat_us, grid.available_us)


def _rows_wanted(grid: Grid, *, span: tuple[datetime, datetime], since: Mapping[str, datetime]) -> Booleans:
    times = pl.Series(grid.clock.utc_us).cast(UTC_TIME)
    in_span = times.is_between(*span, closed="left").to_numpy()
    starts = pl.Series([since[each] - grid.clock.interval for each in grid.series_ids], dtype=UTC_TIME)
    return in_span & (grid.clock.utc_us > starts.to_physical().to_numpy()[:, None])


def _to_frame(
    grid: Grid, *, cause: Integers, verdict_us: Integers, estimates: Estimates, wanted: Booleans
) -> pl.DataFrame:
    row, slot = np.nonzero(wanted)
    code, raw = cause[wanted], grid.load_mw[wanted]
    estimated = estimates.load_mw[wanted]
    is_good, is_gap = code <= _CODE[Rule.RESAMPLED], code == _CODE[Rule.GAP]
    is_estimated = ~is_good & np.isfinite(estimated)
    remedy = np.where(is_estimated, 1 + estimates.is_last_week[wanted], 0)
    quality = np.select([is_good, is_estimated, is_gap], [0, 1, 3], 2)
    time_us = grid.clock.utc_us[slot]
    step = grid.clock.interval // timedelta(microseconds=1)
    known = np.where(is_gap, np.where(is_estimated, time_us, time_us + step), verdict_us[wanted])
    known = np.where(is_estimated, np.maximum(known, estimates.available_us[wanted]), known)
    columns = {
        "series_id": pl.Series(grid.series_ids).gather(row),
        "valid_time": pl.Series(time_us).cast(UTC_TIME),
        "load_mw": pl.Series(np.where(is_good, raw, estimated)).fill_nan(None),
        "raw_load_mw": pl.Series(raw).fill_nan(None),
        "quality": _QUALITIES.gather(quality),
        "rule": _RULES.gather(code * len(_REMEDIES) + remedy),
        "available_at": pl.Series(known).cast(UTC_TIME),
    }
    return pl.DataFrame(columns, schema=CLEAN_READINGS)


def _first_readings(received: pl.DataFrame) -> dict[str, datetime]:
    firsts = received.select(READINGS.names()).group_by("series_id").agg(pl.col("valid_time").min())
    return dict(firsts.iter_rows())
