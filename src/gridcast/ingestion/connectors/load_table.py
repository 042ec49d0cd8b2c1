"""Tables of loads that other libraries give, as readings."""

from typing import Any

import polars as pl

from gridcast.domain.tables import READINGS, UTC_TIME
from gridcast.ingestion.tabular.columns import DEAD_ROWS, Parsed

NO_LOADS = Parsed(READINGS.to_frame(), DEAD_ROWS.to_frame())


def utc_times(column: Any) -> pl.Series:
    """Times of a pandas column with a time zone."""
    naive = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    return pl.Series(naive).dt.replace_time_zone("UTC").cast(UTC_TIME)


def loads(column: Any) -> pl.Series:
    """Loads of a pandas column; NaN is null."""
    return pl.Series(column.to_numpy(dtype=float), nan_to_null=True)


def parse_loads(rows: pl.DataFrame, *, source: str) -> Parsed:
    """READINGS of rows with a load, and DEAD_ROWS of the others; `rows` has the columns of READINGS and `row`."""
    has_load = pl.col("load_mw").is_finite().fill_null(value=False)
    dead = rows.filter(~has_load).select(
        pl.lit(source).alias("source"),
        "row",
        pl.lit("missing_load").alias("reason"),
        pl.concat_str("series_id", pl.col("valid_time").cast(pl.String), separator=",").alias("raw"),
    )
    return Parsed(rows.filter(has_load).select(READINGS.names()).cast(READINGS), dead.cast(DEAD_ROWS))
