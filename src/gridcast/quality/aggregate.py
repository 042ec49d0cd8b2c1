"""Parents as sums of their children, in two steps that can run apart: sums of any part, and the sum of those."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from gridcast.domain.tables import CLEAN_READINGS, UTC_TIME, Quality
from gridcast.quality.grid import Floats
from gridcast.quality.limits import Rule

PARTIAL_SUMS: Final = pl.Schema(
    {
        "series_id": pl.String(),
        "valid_time": UTC_TIME,
        "load_mw_e9": pl.Int64(),
        "raw_load_mw_e9": pl.Int64(),
        "children": pl.Int64(),
        "loads": pl.Int64(),
        "raw_loads": pl.Int64(),
        "estimated": pl.Int64(),
        "edited": pl.Int64(),
        "available_at": UTC_TIME,
    }
)
"""Sums over some of a parent's children, whole multiples of 1e-9 MW so that their order does not matter, and how many
children have a row, a load, a raw load, an estimate, an edit."""

_PER_MW: Final = 1e9


def partial_sums(clean: pl.DataFrame, *, parents: Mapping[str, str]) -> pl.DataFrame:
    """PARTIAL_SUMS of every ancestor over the measured series in `clean` (CLEAN_READINGS).

    `parents` is child id → parent id. Series without a parent, and parents' own rows, add nothing.
    """
    pairs = [(leaf, ancestor) for leaf in _leaves(parents) for ancestor in _ancestors(leaf, parents=parents)]
    lineage = pl.DataFrame(pairs, schema={"series_id": pl.String(), "ancestor": pl.String()}, orient="row")
    summed = (
        clean.join(lineage, on="series_id")
        .group_by("ancestor", "valid_time")
        .agg(
            _exact("load_mw").sum().alias("load_mw_e9"),
            _exact("raw_load_mw").sum().alias("raw_load_mw_e9"),
            pl.len().alias("children"),
            pl.col("load_mw").count().alias("loads"),
            pl.col("raw_load_mw").count().alias("raw_loads"),
            (pl.col("quality") == Quality.ESTIMATED).sum().alias("estimated"),
            (pl.col("quality") == Quality.EDITED).sum().alias("edited"),
            pl.col("available_at").max(),
        )
    )
    return summed.rename({"ancestor": "series_id"}).select(PARTIAL_SUMS.names()).cast(PARTIAL_SUMS)


def combine_sums(partials: pl.DataFrame) -> pl.DataFrame:
    """CLEAN_READINGS of the parents, by series and time, from all their PARTIAL_SUMS in any order and cut.

    A child counts from its first row on. A parent with a child that has no load is missing; with an estimated (edited)
    child, estimated (edited). Its raw load is null unless every child has one. It is available when its last child is.
    """
    added = partials.group_by("series_id", "valid_time").agg(
        pl.col("load_mw_e9", "raw_load_mw_e9", "children", "loads", "raw_loads", "estimated", "edited").sum(),
        pl.col("available_at").max(),
    )
    sums = added.with_columns(load_mw=_megawatts(added["load_mw_e9"]), raw_load_mw=_megawatts(added["raw_load_mw_e9"]))
    is_whole = pl.col("loads") == pl.col("children")
    quality = (
        pl.when(~is_whole)
        .then(pl.lit(Quality.MISSING))
        .when(pl.col("estimated") > 0)
        .then(pl.lit(Quality.ESTIMATED))
        .when(pl.col("edited") > 0)
        .then(pl.lit(Quality.EDITED))
        .otherwise(pl.lit(Quality.GOOD))
    )
    rows = sums.select(
        "series_id",
        "valid_time",
        pl.when(is_whole).then("load_mw").alias("load_mw"),
        pl.when(pl.col("raw_loads") == pl.col("children")).then("raw_load_mw").alias("raw_load_mw"),
        quality.alias("quality"),
        pl.lit(Rule.SUM_OF_CHILDREN.value).alias("rule"),
        "available_at",
    )
    return rows.cast(CLEAN_READINGS).sort("series_id", "valid_time")


def aggregate_to_parents(clean: pl.DataFrame, *, parents: Mapping[str, str]) -> pl.DataFrame:
    """CLEAN_READINGS of every parent, on every level, from all its children's rows at once."""
    return combine_sums(partial_sums(clean, parents=parents))


def _exact(column: str) -> pl.Expr:
    return (pl.col(column) * _PER_MW).round().cast(pl.Int64)


def _megawatts(exact: pl.Series) -> Floats:
    """Correctly rounded, which polars is not: it multiplies by the reciprocal of a constant."""
    quotient: Floats = exact.to_numpy() / _PER_MW
    return quotient


def _leaves(parents: Mapping[str, str]) -> list[str]:
    return sorted(set(parents) - set(parents.values()))


def _ancestors(series_id: str, *, parents: Mapping[str, str]) -> list[str]:
    found: list[str] = []
    while series_id in parents and parents[series_id] not in found:
        series_id = parents[series_id]
        found.append(series_id)
    return found
