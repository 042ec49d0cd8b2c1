"""The peak of each local day that was measured, and the limit a series usually stays below."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import polars as pl

DAILY_PEAKS: Final = pl.Schema(
    {"series_id": pl.String(), "date": pl.Date(), "peak_mw": pl.Float64(), "peak_hour": pl.Int64()}
)
"""Largest load of a local day, MW, and the hour of the wall clock in which it first came."""


def daily_peaks(loads: pl.DataFrame, *, time_zones: Mapping[str, str], interval: timedelta) -> pl.DataFrame:
    """The peak of every whole local day (`DAILY_PEAKS`), ordered by series and date.

    loads: series_id, valid_time, load_mw. A day of which any interval is absent, null or NaN has no peak: it might have
    come then. Days of 23 and 25 hours are whole with 23 and 25.
    """
    time, load = pl.col("valid_time"), pl.col("load_mw").fill_nan(None)
    before, date, after = (
        wall_time(time + shift, time_zones).dt.date() for shift in (-interval, 0 * interval, interval)
    )
    days = (
        loads.sort("series_id", "valid_time")
        .with_columns(date=date, is_first=before != date, is_last=after != date, wall_time=wall_time(time, time_zones))
        .group_by("series_id", "date", maintain_order=True)
        .agg(
            load.max().alias("peak_mw"),
            pl.col("wall_time").get(load.arg_max()).dt.hour().cast(pl.Int64).alias("peak_hour"),
            has_ends=pl.col("is_first").any() & pl.col("is_last").any(),
            is_complete=(load.null_count() == 0) & (pl.len() * interval == time.max() - time.min() + interval),
        )
    )
    return days.filter("has_ends", "is_complete").select(DAILY_PEAKS.names()).cast(DAILY_PEAKS)


def usual_limits(peaks: pl.DataFrame, *, quantile: float) -> dict[str, float]:
    """The load, MW, that a share `quantile` of the daily peaks (`DAILY_PEAKS`) of each series stays below."""
    limits = peaks.group_by("series_id").agg(pl.col("peak_mw").quantile(quantile, interpolation="linear"))
    return dict(limits.sort("series_id").iter_rows())


def wall_time(time: pl.Expr, time_zones: Mapping[str, str]) -> pl.Expr:
    """What clocks where each `series_id` is show at a UTC time, without a zone; null for an unknown series."""
    wall = pl.lit(None, dtype=pl.Datetime("us"))
    for time_zone in dict.fromkeys(time_zones.values()):
        here = [series for series, its in time_zones.items() if its == time_zone]
        shown = time.dt.convert_time_zone(time_zone).dt.replace_time_zone(None)
        wall = pl.when(pl.col("series_id").is_in(here)).then(shown).otherwise(wall)
    return wall
