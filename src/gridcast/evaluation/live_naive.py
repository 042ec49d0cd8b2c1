"""The weekly naive at single points, from readings alone: what live forecasts are compared with."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from gridcast.domain.quantiles import QUANTILE_COLUMNS, QUANTILE_LEVELS
from gridcast.domain.tables import UTC_TIME
from gridcast.evaluation.point_scores import point_scores, says_one_number
from gridcast.evaluation.scorecard import scorecard
from gridcast.evaluation.scored import KEYS

WEEK: Final = timedelta(days=7)
SPREAD: Final = timedelta(days=13)
"""Over how long before the day of issue the naive's spread is taken."""
REACH: Final = timedelta(days=7, hours=2)
"""How far before a time the same wall time a week earlier is at most."""


def week_before(points: pl.DataFrame, loads: pl.DataFrame, *, time_zones: Mapping[str, str]) -> pl.DataFrame:
    """`points` with `week_ago_mw`, the load at the same wall time seven local days earlier; null where there is none.

    points: series_id, valid_time. loads: series_id, valid_time, load_mw. Of the hour that comes twice the first counts.
    """
    zone = pl.col("series_id").replace_strict(dict(time_zones), default=None, return_dtype=pl.String)
    asked = points.with_columns(zone=zone)
    times = asked.select("zone", "valid_time").unique().with_columns(week_ago=_week_ago(set(time_zones.values())))
    known = loads.select("series_id", week_ago="valid_time", week_ago_mw="load_mw")
    return (
        asked.join(times, on=["zone", "valid_time"], how="left", maintain_order="left")
        .join(known, on=["series_id", "week_ago"], how="left", maintain_order="left")
        .drop("zone", "week_ago")
    )


def _week_ago(time_zones: Iterable[str]) -> pl.Expr:
    """When the clocks of a `zone` showed seven days earlier what they show at `valid_time`; null if they never did."""
    found = pl.lit(None, UTC_TIME)
    for each in time_zones:
        wall = pl.col("valid_time").dt.convert_time_zone(each).dt.replace_time_zone(None) - WEEK
        there = wall.dt.replace_time_zone(each, ambiguous="earliest", non_existent="null")
        found = pl.when(pl.col("zone") == each).then(there.dt.convert_time_zone("UTC")).otherwise(found)
    return found


def naive_spread(loads: pl.DataFrame, *, days: Sequence[datetime], time_zones: Mapping[str, str]) -> pl.DataFrame:
    """Quantiles of load − load a week before, over `SPREAD` before each day: `series_id`, `day`, quantile columns, MW.

    It depends on these loads alone: forecasts that are scored again, with others, have the same naive.
    """
    looked_at = loads.filter(pl.col("valid_time") >= min(days) - SPREAD, pl.col("valid_time") < max(days))
    pairs = week_before(looked_at.select("series_id", "valid_time", "load_mw"), loads, time_zones=time_zones)
    off = (pl.col("load_mw") - pl.col("week_ago_mw")).fill_nan(None)
    quantiles = [
        off.quantile(level, interpolation="linear").alias(column)
        for level, column in zip(QUANTILE_LEVELS, QUANTILE_COLUMNS, strict=True)
    ]
    return pl.concat(
        pairs.filter(pl.col("valid_time").is_between(day - SPREAD, day, closed="left"))
        .group_by("series_id", day=pl.lit(day, UTC_TIME))
        .agg(quantiles)
        for day in days
    )


def day_of_issue() -> pl.Expr:
    """The day, UTC, on which a forecast was issued."""
    return pl.col("issue_time").dt.truncate("1d")


def naive_points(
    points: pl.DataFrame, loads: pl.DataFrame, *, spread: pl.DataFrame, time_zones: Mapping[str, str]
) -> pl.DataFrame:
    """The weekly naive in place of the forecasts of `points` (a scored frame): other quantiles, all else the same.

    spread: `naive_spread` of the days on which they were issued, UTC.
    """
    found = week_before(points.drop(QUANTILE_COLUMNS), loads, time_zones=time_zones)
    around = found.with_columns(day=day_of_issue()).join(
        spread, on=["series_id", "day"], how="left", maintain_order="left"
    )
    quantiles = ((pl.col("week_ago_mw") + pl.col(column)).alias(column) for column in QUANTILE_COLUMNS)
    return around.with_columns(quantiles).drop("week_ago_mw").select(points.columns)


def scores_beside_naive(points: pl.DataFrame, naive: pl.DataFrame, *, by: Sequence[str]) -> pl.DataFrame:
    """The scorecard of forecasts with `naive_mae_mw` and `naive_pinball_mw`, the weekly naive's at the same points.

    points: the scored frame of one forecaster. naive: `KEYS` and quantiles; where they are missing nothing is said.
    Forecasts of one number only have no scores that need quantiles.
    """
    bare = points.filter(says_one_number())
    if not bare.is_empty():
        rest = scores_beside_naive(points.filter(~says_one_number()), naive, by=by)
        return pl.concat([rest, point_scores(bare, naive, by=by)], how="diagonal")
    same = points.drop(QUANTILE_COLUMNS).join(naive.select(*KEYS, *QUANTILE_COLUMNS).unique(KEYS), on=KEYS, how="left")
    beside = scorecard(same.select(points.columns), by=by)
    beside = beside.select(*by, naive_mae_mw="mae_mw", naive_pinball_mw="pinball_mw")
    return scorecard(points, by=by).join(beside, on=list(by), how="left")
