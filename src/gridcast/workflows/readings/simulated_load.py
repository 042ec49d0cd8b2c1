"""Loads that look real: the week of a real zone at the level of each series, by its own local clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeAlias

import numpy as np
import polars as pl

from gridcast.workflows.readings.processed import Processed

Numbers: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_HOURS: Final = 7 * 24
_RECENT: Final = timedelta(days=14)
_SPREAD: Final = 0.8
"""Standard deviation of the logarithm of the levels (MW) of series that are made up."""


@dataclass(frozen=True, slots=True, eq=False)
class Shapes:
    """Load over its mean of real zones: `names`, and `week` (shape, hour of the local week from Monday 0:00)."""

    names: tuple[str, ...]
    week: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """Series that readings are made up for, each with the mean of its load and the shape and clock it follows."""

    series_ids: tuple[str, ...]
    level_mw: Numbers
    shape: Numbers
    clock: Numbers
    shapes: Shapes
    time_zones: tuple[str, ...]

    def load_mw(self, series: Numbers, *, times: pl.Series, at: Numbers) -> Numbers:
        """Mean load of the series at positions `series` in the hours of the positions `at` in `times` (UTC)."""
        hours = np.array([_week_hours(times, zone) for zone in self.time_zones])
        week: Numbers = self.shapes.week[self.shape[series], hours[self.clock[series], at]]
        return self.level_mw[series] * week


def week_shapes(readings: pl.DataFrame, *, time_zone: str) -> Shapes:
    """The mean week of every series in READINGS, which fill each hour of the week."""
    hourly = (
        readings.with_columns(pl.Series("hour", _week_hours(readings["valid_time"], time_zone)))
        .group_by("series_id", "hour")
        .agg(pl.col("load_mw").mean())
        .sort("series_id", "hour")
    )
    week = hourly["load_mw"].to_numpy().reshape(-1, _HOURS)
    names = hourly["series_id"].unique(maintain_order=True)
    return Shapes(tuple(names), week / week.mean(axis=1, keepdims=True))


def numbered(count: int, *, shapes: Shapes, time_zone: str, seed: int) -> Fleet:
    """Series `sim_00001` and so on, from single streets to towns."""
    rng = np.random.default_rng(seed)
    return Fleet(
        series_ids=tuple(f"sim_{number:05d}" for number in range(1, count + 1)),
        level_mw=rng.lognormal(0.0, _SPREAD, count),
        shape=rng.integers(0, len(shapes.names), count),
        clock=np.zeros(count, np.int64),
        shapes=shapes,
        time_zones=(time_zone,),
    )


def continued(processed: Processed, *, shapes: Shapes, seed: int) -> Fleet:
    """The measured series of a clean history that are not retired, each at the level of its last two weeks.

    A series that has a shape under its own name follows that, the others one that the seed chooses.
    """
    tree = processed.hierarchy
    leaves = [
        each for each in tree.leaves if tree.retired.get(each, processed.observed_until) >= processed.observed_until
    ]
    zones = tuple(dict.fromkeys(tree.time_zones[each] for each in leaves))
    chosen = np.random.default_rng(seed).integers(0, len(shapes.names), len(leaves))
    own = {name: number for number, name in enumerate(shapes.names)}
    return Fleet(
        series_ids=tuple(leaves),
        level_mw=_levels(leaves, _recent_mw(processed, leaves)),
        shape=np.array([own.get(name, other) for name, other in zip(leaves, chosen, strict=True)], np.int64),
        clock=np.array([zones.index(tree.time_zones[each]) for each in leaves], np.int64),
        shapes=shapes,
        time_zones=zones,
    )


def _recent_mw(processed: Processed, leaves: Sequence[str]) -> dict[str, float]:
    """Mean load of the last days, of the series that have any."""
    rows = processed.readings(start=processed.observed_until - _RECENT, series_ids=leaves)
    return dict(rows.group_by("series_id").agg(pl.col("load_mw").mean()).drop_nulls().iter_rows())


def _levels(leaves: Sequence[str], recent: Mapping[str, float]) -> Numbers:
    """Those means; a series without one is as large as most."""
    usual = float(np.median(list(recent.values()))) if recent else 1.0
    return np.array([recent.get(each, usual) for each in leaves])


def _week_hours(times: pl.Series, time_zone: str) -> Numbers:
    local = times.dt.convert_time_zone(time_zone).dt
    return (24 * (local.weekday().cast(pl.Int64) - 1) + local.hour()).to_numpy()
