"""Six-hour means of loads and station temperatures: what a quick regression needs to tell stations apart."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gridcast.features.linear_terms import DAY_TYPES, day_types, hinges
from gridcast.features.panel import Panel
from gridcast.features.windows import intervals_per_day

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

BLOCKS_PER_DAY = 4
LEVEL_DAYS = 28
"""Days that share a level of the load: trend, season and changes of the grid are no matter of the weather."""
_DEGREES = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class BlockMeans:
    """Six-hour means, four to a local day.

    Attributes:
        load_mw: (block, series), NaN where less than half was observed.
        temperature_c: (station, block), °C; where a station is silent, the mean of the others. NaN where all are.
        calendar: (block, term): part of the day by type of day, and one level for each `LEVEL_DAYS`.
        part_of_day: (block,), 0 to 3.
        day: (block,), days since the first.
    """

    load_mw: Floats
    temperature_c: Floats
    calendar: Floats
    part_of_day: npt.NDArray[np.int64]
    day: npt.NDArray[np.int64]

    def terms(self, weights: Floats) -> Floats:
        """Temperature terms of a mix (station,) of the stations: (block, term), tens of degrees.

        Hinges of the block, each part of the day with its own, and of the trailing means of one and three days.
        """
        temperature = weights @ self.temperature_c
        now = hinges(temperature) / _DEGREES
        part = np.eye(BLOCKS_PER_DAY)[self.part_of_day]
        by_part = (part[:, :, np.newaxis] * now[:, np.newaxis, :]).reshape(len(now), -1)
        means = [hinges(_trailing_mean(temperature, days=days)) / _DEGREES for days in (1, 3)]
        return np.concatenate([by_part, *means], axis=1)


def block_means(
    panel: Panel, station_temperature_c: Floats, *, series: npt.NDArray[np.integer], start: int, stop: int
) -> BlockMeans:
    """Means of whole local days within start ≤ position < stop.

    Args:
        panel: loads and calendar.
        station_temperature_c: (station, time), °C, on the panel's grid.
        series: rows of the panel to take, all of the time zone of the first.
        start: first position.
        stop: exclusive last position.
    """
    per_day, zone = intervals_per_day(panel.interval), panel.zone_of_series[series[0]]
    hour = panel.calendar.hour_of_day[zone]
    begin = start + int(np.argmin(hour[start : start + per_day]))
    width = per_day // BLOCKS_PER_DAY
    blocks = max(0, (stop - begin) // per_day) * BLOCKS_PER_DAY
    middle = begin + np.arange(blocks) * width + width // 2
    kind = day_types(panel.calendar.weekday[zone, middle], holiday=panel.calendar.holiday[zone, middle, 0])
    part = np.minimum(hour[middle] // (24 // BLOCKS_PER_DAY), BLOCKS_PER_DAY - 1).astype(np.int64)
    day = np.arange(blocks) // BLOCKS_PER_DAY
    level = np.eye(max(1, -(-blocks // (BLOCKS_PER_DAY * LEVEL_DAYS))))[day // LEVEL_DAYS]
    span = slice(begin, begin + blocks * width)
    return BlockMeans(
        load_mw=_means(panel.load_mw[series, span], width=width).T,
        temperature_c=_without_silence(_means(station_temperature_c[:, span], width=width)),
        calendar=np.concatenate([np.eye(DAY_TYPES * BLOCKS_PER_DAY)[kind * BLOCKS_PER_DAY + part], level], axis=1),
        part_of_day=part,
        day=day,
    )


def _means(values: npt.NDArray[np.floating], *, width: int) -> Floats:
    blocks = values.reshape(len(values), -1, width)
    observed = np.isfinite(blocks)
    count = observed.sum(axis=-1)
    total = np.where(observed, blocks, 0.0).sum(axis=-1, dtype=np.float64)
    return np.where(2 * count >= width, total / np.maximum(count, 1), np.nan)


def _without_silence(temperature_c: Floats) -> Floats:
    reports = np.isfinite(temperature_c)
    total, count = np.where(reports, temperature_c, 0.0).sum(axis=0), reports.sum(axis=0)
    return np.where(reports, temperature_c, np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _trailing_mean(values: Floats, *, days: int) -> Floats:
    """Mean up to and including each block, unknown where one of them is or the first ones lack blocks before them."""
    width = days * BLOCKS_PER_DAY
    total = np.cumsum(np.concatenate([np.zeros(1), np.nan_to_num(values)]))
    silent = np.cumsum(np.concatenate([np.zeros(1), np.isnan(values)]))
    end = np.arange(1, len(values) + 1)
    begin = np.maximum(end - width, 0)
    whole = (end >= width) & (silent[end] == silent[begin])
    return np.where(whole, (total[end] - total[begin]) / width, np.nan)
