"""One temperature for a group of series, mixed from the stations around them."""

from datetime import timedelta
from typing import Final

import polars as pl

from gridcast.domain.tables import earliest, latest

LONGEST_STEP: Final = timedelta(hours=3)
"""Temperatures further apart than this are not interpolated."""


def mean_over_stations(weather: pl.DataFrame) -> pl.DataFrame:
    """The plain mean over the stations that reported, one row per interval in order of time.

    Args:
        weather: rows of `WEATHER`; a station without a temperature does not count.

    Returns:
        `valid_time` (UTC) and `temperature_c`; an interval no station reported is absent.
    """
    return (
        weather.drop_nulls("temperature_c")
        .sort("valid_time", "station_id")
        .group_by("valid_time", maintain_order=True)
        .agg(pl.col("temperature_c").mean())
    )


def on_grid(temperature: pl.DataFrame, *, interval: timedelta, time_zone: str) -> pl.DataFrame:
    """Temperatures on the intervals of the loads: finer ones averaged, coarser ones interpolated.

    Args:
        temperature: `valid_time` (UTC) and `temperature_c`, one row per time, ascending.
        interval: length of an interval; intervals are counted from local midnight.
        time_zone: whose midnight.

    Returns:
        The same columns, one row per interval; one between neighbours further apart than `LONGEST_STEP` is absent.
    """
    if temperature.is_empty():
        return temperature
    local = pl.col("valid_time").dt.convert_time_zone(time_zone).dt.truncate(interval).dt.convert_time_zone("UTC")
    averaged = temperature.group_by(local.alias("valid_time"), maintain_order=True).agg(pl.col("temperature_c").mean())
    first, last = earliest(averaged["valid_time"]), latest(averaged["valid_time"])
    grid = pl.datetime_range(first, last, interval, time_unit="us", time_zone="UTC", eager=True).alias("valid_time")
    known = averaged.with_columns(pl.col("valid_time").alias("at"))
    between = pl.col("at").backward_fill() - pl.col("at").forward_fill() <= LONGEST_STEP
    return (
        grid.to_frame()
        .join(known, on="valid_time", how="left", maintain_order="left")
        .with_columns(pl.col("temperature_c").interpolate(), between.alias("is_near"))
        .filter("is_near")
        .select("valid_time", "temperature_c")
    )
