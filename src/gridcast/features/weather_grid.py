"""Temperatures of stations on the intervals of the loads, every vintage of them."""

from datetime import timedelta
from typing import Final

import polars as pl

from gridcast.domain.tables import WEATHER

LONGEST_STEP: Final = timedelta(hours=3)
"""Temperatures further apart than this are not interpolated."""
_MICROSECOND: Final = timedelta(microseconds=1)
VINTAGE: Final = ("station_id", "valid_time", "available_at")


def on_grid(weather: pl.DataFrame, *, interval: timedelta, time_zone: str) -> pl.DataFrame:
    """Vintages (`WEATHER`) on the intervals of the loads: finer ones averaged, coarser ones interpolated.

    Averaged and interpolated are the newest rows of a station, and those that became available together, such as a
    weather forecast. What comes of several rows is available once the last of them was. Between rows further apart
    than `LONGEST_STEP` nothing is made up.

    Args:
        weather: rows of `WEATHER`; rows without a temperature do not count.
        interval: length of an interval; intervals are counted from local midnight.
        time_zone: whose midnight.

    Returns:
        `WEATHER` by station, interval and `available_at`, each of which comes once.
    """
    rows = (
        weather.drop_nulls("temperature_c")
        .unique(VINTAGE, keep="last", maintain_order=True)
        .with_columns(_start(interval, time_zone))
    )
    is_old = pl.col("available_at") < pl.col("available_at").max().over("station_id", "valid_time")
    has_company = pl.len().over("station_id", "available_at") > 1
    parts = [
        _regular(newest_vintages(rows), by=["station_id"], interval=interval),
        _regular(rows.filter(is_old | has_company), by=["station_id", "available_at"], interval=interval),
    ]
    return pl.concat(parts).unique(VINTAGE, keep="first").sort(VINTAGE)


def newest_vintages(weather: pl.DataFrame) -> pl.DataFrame:
    """The row of each station and valid time that became available last, by station and time."""
    return weather.sort(VINTAGE).unique(["station_id", "valid_time"], keep="last", maintain_order=True)


def mean_over_stations(weather: pl.DataFrame) -> pl.DataFrame:
    """The plain mean over the newest vintages of the stations that reported: `valid_time`, `temperature_c`.

    One row per time of the `WEATHER` rows handed in, ascending; a time no station reported is absent.
    """
    return (
        newest_vintages(weather.drop_nulls("temperature_c"))
        .sort("valid_time", "station_id")
        .group_by("valid_time", maintain_order=True)
        .agg(pl.col("temperature_c").mean())
    )


def are_forecasts() -> pl.Expr:
    """Which rows of `WEATHER` are forecasts: those that were available when their interval began."""
    return pl.col("available_at") <= pl.col("valid_time")


def _start(interval: timedelta, time_zone: str) -> pl.Expr:
    local = pl.col("valid_time").dt.convert_time_zone(time_zone).dt.truncate(interval)
    return local.dt.convert_time_zone("UTC").alias("start")


def _regular(rows: pl.DataFrame, *, by: list[str], interval: timedelta) -> pl.DataFrame:
    """Mean of each interval, and a straight line to the next interval of the same group where that is near."""
    kept = [] if "available_at" in by else [pl.col("available_at").max()]
    averaged = rows.group_by(*by, "start").agg(pl.col("temperature_c").mean(), *kept).sort(*by, "start")
    following = {name: pl.col(name).shift(-1).over(by) for name in ("start", "temperature_c", "available_at")}
    ahead = (following["start"] - pl.col("start")).dt.total_microseconds()
    is_near = ahead <= LONGEST_STEP // _MICROSECOND
    steps = pl.when(is_near).then(ahead // (interval // _MICROSECOND)).otherwise(1).clip(1)
    expanded = averaged.with_columns(
        following["temperature_c"].alias("next_c"),
        pl.max_horizontal("available_at", following["available_at"]).alias("both_at"),
        steps.cast(pl.Int64).alias("steps"),
    ).with_columns(pl.int_ranges(0, "steps").alias("step"))
    between, share = pl.col("step") > 0, pl.col("step") / pl.col("steps")
    line = pl.col("temperature_c") + (pl.col("next_c") - pl.col("temperature_c")) * share
    return (
        expanded.explode("step", empty_as_null=False, keep_nulls=False)
        .select(
            "station_id",
            (pl.col("start") + pl.col("step") * interval).alias("valid_time"),
            pl.when(between).then(line).otherwise("temperature_c").alias("temperature_c"),
            pl.when(between).then("both_at").otherwise("available_at").alias("available_at"),
        )
        .cast(WEATHER)
    )
