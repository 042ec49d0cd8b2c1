"""What each local day of a series says of its forecasts, in few numbers."""

from typing import Final

import polars as pl

PARTS: Final = 6
"""Parts of the local day, four hours each."""
ERRORS: Final = tuple(f"z_{part}" for part in range(PARTS))
SIZES: Final = tuple(f"size_{part}" for part in range(PARTS))
_BAND_WIDTH: Final = 2.563
"""Of the 80 % band of a normal distribution, in standard deviations."""


def daily_errors(points: pl.DataFrame, *, time_zone: str) -> pl.DataFrame:
    """`date`, errors and sizes of its parts, `outside`, `n`, `unmeasured`, `still_h` of each local day of one series.

    points: valid_time, quantiles, `actual_mw` and `load_mw` (what came, measured or not), a row per interval. Errors
    (`ERRORS`, actual − median) and loads forecast (`SIZES`) are in standard deviations of the interval's own forecast.
    `outside`: of `n` measured intervals those outside the 90 % band; `unmeasured`: share; `still_h`: hours for which
    the load, other than zero, was the same.
    """
    local, actual = pl.col("valid_time").dt.convert_time_zone(time_zone), pl.col("actual_mw")
    width = ((pl.col("p90") - pl.col("p10")) / _BAND_WIDTH).clip(1e-9)
    rows = points.sort("valid_time").with_columns(
        date=local.dt.date(),
        part=local.dt.hour().cast(pl.Int64) * PARTS // 24,
        z=(actual - pl.col("p50")) / width,
        size=pl.col("p50") / width,
        outside=((actual < pl.col("p05")) | (actual > pl.col("p95"))).cast(pl.Float64),
        run=pl.col("load_mw").rle_id(),
    )
    hours = (pl.col("valid_time").max() - pl.col("valid_time").min()).over("run").dt.total_seconds() / 3600.0
    rows = rows.with_columns(still_h=pl.when(pl.col("load_mw") != 0).then(hours))
    parts = [
        pl.col(name.split("_")[0]).filter(pl.col("part") == number).mean().alias(name)
        for names in (ERRORS, SIZES)
        for number, name in enumerate(names)
    ]
    days = rows.group_by("date", maintain_order=True).agg(
        *parts,
        pl.col("outside").sum(),
        n=actual.count().cast(pl.Float64),
        unmeasured=actual.is_null().mean(),
        still_h=pl.col("still_h").max().fill_null(0.0),
    )
    return days.sort("date")
