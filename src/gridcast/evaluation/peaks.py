"""The peak of each local day ahead: how high, in which hour, and how likely above a limit.

Columns of a peak table: `series_id`, `issue_time`, `date` (local day), `p05` … `p95` (peak size, MW),
`medians_peak_mw` and `medians_hour` (of the largest median of the day), `likely_hour` and `hour_probability`,
`limit_mw` and `p_exceed`, `hour_00` … `hour_23` (probability that the peak lies in that hour of the wall clock).
"""

import itertools
import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gridcast.domain.calendars import local_clock
from gridcast.domain.quantiles import MEDIAN, QUANTILE_COLUMNS, QUANTILE_LEVELS
from gridcast.domain.tables import UTC_TIME
from gridcast.evaluation.copula import Floats
from gridcast.evaluation.trajectories import SAMPLES, trajectory_blocks

HOUR_COLUMNS: Final = tuple(f"hour_{hour:02d}" for hour in range(24))

PEAKS: Final = pl.Schema(
    {
        "series_id": pl.String(),
        "issue_time": UTC_TIME,
        "date": pl.Date(),
        **{column: pl.Float64() for column in QUANTILE_COLUMNS},
        "medians_peak_mw": pl.Float64(),
        "medians_hour": pl.Int64(),
        "likely_hour": pl.Int64(),
        "hour_probability": pl.Float64(),
        "limit_mw": pl.Float64(),
        "p_exceed": pl.Float64(),
        **{column: pl.Float64() for column in HOUR_COLUMNS},
    }
)


class LocalDay(NamedTuple):
    """A whole local day of a forecast: leads first ≤ lead < end, and the hour of the wall clock of each."""

    date: np.datetime64
    first: int
    end: int
    hour: npt.NDArray[np.int64]


class _Windows(NamedTuple):
    """Forecasts issued at one moment for series that share a clock; quantiles (window, lead, quantile), MW."""

    issue_time: datetime
    series_ids: list[str]
    days: tuple[LocalDay, ...]
    quantiles_mw: Floats


def peaks(
    forecasts: pl.DataFrame,
    *,
    time_zones: Mapping[str, str],
    interval: timedelta,
    correlation: Floats,
    limits_mw: Mapping[str, float],
    samples: int = SAMPLES,
) -> pl.DataFrame:
    """A peak table (`PEAKS`) of forecasts: a row per series, issue time and local day that lies wholly within.

    forecasts: series_id, issue_time, valid_time and quantiles, each series and issue time without a gap from lead 0
    on. Days that the forecast covers in part, normally the first and the last, are left out. The hour that comes
    twice in autumn counts as one; a day with a NaN quantile has no probabilities. Exceeding means above the limit; a
    series without a limit has null there. Of hours equally likely the first is taken.

    Raises:
        ValueError: a forecast has a gap, or fewer correlations than leads are given.
    """
    parts: list[dict[str, npt.NDArray[np.generic]]] = []
    for windows in _windows(forecasts, time_zones=time_zones, interval=interval):
        seeds = [zlib.crc32(f"{each} {windows.issue_time.isoformat()}".encode()) for each in windows.series_ids]
        limits = np.array([limits_mw.get(each, np.nan) for each in windows.series_ids])
        blocks = trajectory_blocks(windows.quantiles_mw, correlation=correlation, seeds=seeds, samples=samples)
        for block in blocks if windows.days else ():
            part = windows._replace(
                series_ids=windows.series_ids[block.windows], quantiles_mw=windows.quantiles_mw[block.windows]
            )
            parts.extend(_day_columns(part, day, block.loads_mw, limits=limits[block.windows]) for day in windows.days)
    return _as_table(parts)


def whole_days(issue_time: datetime, *, leads: int, interval: timedelta, time_zone: str) -> tuple[LocalDay, ...]:
    """The local days of `time_zone` of which every interval lies among the leads, ascending."""
    steps = np.arange(-1, leads + 1) * np.timedelta64(interval)
    clock = local_clock(np.datetime64(issue_time.replace(tzinfo=None), "us") + steps, time_zone=time_zone)
    begins = np.flatnonzero(clock.date[1:] != clock.date[:-1])
    return tuple(
        LocalDay(clock.date[first + 1], int(first), int(end), clock.hour_of_day[first + 1 : end + 1].astype(np.int64))
        for first, end in itertools.pairwise(begins)
    )


def _windows(forecasts: pl.DataFrame, *, time_zones: Mapping[str, str], interval: timedelta) -> Iterator[_Windows]:
    zone = pl.col("series_id").replace_strict(dict(time_zones), return_dtype=pl.String)
    rows = forecasts.sort("series_id", "valid_time").with_columns(
        time_zone=zone, leads=pl.len().over("series_id", "issue_time")
    )
    lead = pl.int_range(pl.len()).over("series_id", "issue_time")
    if not rows.select((pl.col("valid_time") == pl.col("issue_time") + lead * interval).all()).item():
        raise ValueError(f"forecasts have gaps; expected each from its issue time on, every {interval}.")
    keys = ["issue_time", "time_zone", "leads"]
    for (issue_time, time_zone, leads), group in rows.group_by(keys, maintain_order=True):
        quantiles = group.select(QUANTILE_COLUMNS).to_numpy().reshape(-1, leads, len(QUANTILE_COLUMNS))
        days = whole_days(issue_time, leads=leads, interval=interval, time_zone=time_zone)
        yield _Windows(issue_time, group["series_id"].unique(maintain_order=True).to_list(), days, quantiles)


def _day_columns(
    windows: _Windows, day: LocalDay, loads_mw: Floats, *, limits: Floats
) -> dict[str, npt.NDArray[np.generic]]:
    """The columns of `PEAKS` for one day, a value per window, from trajectories (sample, window, lead)."""
    loads = loads_mw[:, :, day.first : day.end]
    medians = windows.quantiles_mw[:, day.first : day.end, MEDIAN]
    at = loads.argmax(axis=2)
    size = np.take_along_axis(loads, at[..., np.newaxis], axis=2)[..., 0]
    is_known = np.asarray(np.isfinite(size).all(axis=0))
    shares = np.where(is_known[:, np.newaxis], _hour_shares(day.hour[at]), np.nan)
    return {
        "series_id": np.array(windows.series_ids, dtype=np.object_),
        "issue_time": np.full(len(is_known), np.datetime64(windows.issue_time.replace(tzinfo=None), "us")),
        "date": np.full(len(is_known), day.date),
        **dict(zip(QUANTILE_COLUMNS, np.quantile(size, QUANTILE_LEVELS, axis=0), strict=True)),
        "medians_peak_mw": medians.max(axis=1),
        "medians_hour": day.hour[medians.argmax(axis=1)],
        "likely_hour": shares.argmax(axis=1),
        "hour_probability": shares.max(axis=1),
        "limit_mw": limits,
        "p_exceed": np.where(is_known & np.isfinite(limits), (size > limits).mean(axis=0), np.nan),
        **dict(zip(HOUR_COLUMNS, shares.T, strict=True)),
    }


def _as_table(parts: list[dict[str, npt.NDArray[np.generic]]]) -> pl.DataFrame:
    columns = {name: np.concatenate([each[name] for each in parts]) for name in PEAKS} if parts else {}
    hour_known = pl.when(pl.col("hour_probability").is_not_null()).then("likely_hour")
    return (
        pl.DataFrame(columns, schema=None if parts else PEAKS)
        .fill_nan(None)
        .with_columns(likely_hour=hour_known, issue_time=pl.col("issue_time").dt.replace_time_zone("UTC"))
        .cast(PEAKS)
        .sort("issue_time", "series_id", "date")
    )


def _hour_shares(hours: npt.NDArray[np.int64]) -> Floats:
    """Share of the samples that name each hour: hours (sample, window) → (window, 24)."""
    samples, windows = hours.shape
    counts = np.bincount((hours + 24 * np.arange(windows)).ravel(), minlength=24 * windows)
    shares: Floats = counts.reshape(windows, 24) / samples
    return shares
