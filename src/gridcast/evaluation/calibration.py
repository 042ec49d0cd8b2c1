"""Whether forecast probabilities come true: observed against nominal, per quantile level and per band."""

from collections.abc import Sequence

import polars as pl

from gridcast.domain.quantiles import BANDS, QUANTILE_COLUMNS, QUANTILE_LEVELS
from gridcast.evaluation.scored import in_reading_order, scored_points


def calibration(frame: pl.DataFrame, *, by: Sequence[str] = ("lead_bucket",)) -> pl.DataFrame:
    """One row per forecaster, group of `by`, and quantile level or band of a scored frame (see `scored`).

    Columns: forecaster, *by, `kind` ('quantile' or 'band'), `nominal`, `observed`, `n`; shares are fractions.
    A quantile's observed share is that of actuals at or below it, a band's that of actuals inside it, bounds
    included; null when the group has no scored point.

    Raises:
        ValueError: the frame is not a scored frame.
    """
    groups = ["forecaster", *by]
    points = scored_points(frame, by=by)
    actual = pl.col("actual_mw")
    kinds = {
        ("quantile", level): actual <= pl.col(column)
        for level, column in zip(QUANTILE_LEVELS, QUANTILE_COLUMNS, strict=True)
    } | {("band", level): actual.is_between(lower, upper) for level, (lower, upper) in BANDS.items()}
    shares = points.group_by(groups).agg(
        pl.col("is_scored").sum().cast(pl.Int64).alias("n"),
        *(hit.filter("is_scored").mean().alias(f"{kind}@{level}") for (kind, level), hit in kinds.items()),
    )
    rows = [
        shares.select(*groups, kind=pl.lit(kind), nominal=pl.lit(level), observed=pl.col(f"{kind}@{level}"), n="n")
        for kind, level in kinds
    ]
    return in_reading_order(pl.concat(rows), by=[*by, "kind", "nominal"])
