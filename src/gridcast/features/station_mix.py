"""One temperature for a group of series, mixed from the stations around them."""

import polars as pl


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
