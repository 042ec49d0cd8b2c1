"""Parents as sums of their children, in two steps that can run apart: sums of any part, and the sum of those."""

from typing import Final

import polars as pl

from gridcast.domain.series import Hierarchy
from gridcast.domain.tables import CLEAN_READINGS, UTC_TIME, Quality
from gridcast.quality.grid import Floats
from gridcast.quality.limits import Rule
from gridcast.quality.summary import QUALITY_COUNTS, add_counts

PARTIAL_SUMS: Final = pl.Schema(
    {
        "series_id": pl.String(),
        "valid_time": UTC_TIME,
        "load_mw_e9": pl.Int128(),
        "raw_load_mw_e9": pl.Int128(),
        "children": pl.Int64(),
        "loads": pl.Int64(),
        "raw_loads": pl.Int64(),
        "estimated": pl.Int64(),
        "edited": pl.Int64(),
        "available_at": UTC_TIME,
    }
)
"""Sums over some of the measured series below a parent (its children here), whole multiples of 1e-9 MW so that their
order does not matter, and how many of them have a row, a load, a raw load, an estimate, an edit."""

IS_SUMMED: Final = "is_summed"
"""Reason for which a reading is left out: its series has children, whose sum it always is."""

_PER_MW: Final = 1e9
_LARGEST_MW: Final = 1e15
_KEY: Final = ("series_id", "valid_time")
_TOTALS: Final = (pl.exclude(*_KEY, "available_at").sum(), pl.col("available_at").max())


def partial_sums(clean: pl.DataFrame, *, hierarchy: Hierarchy) -> pl.DataFrame:
    """PARTIAL_SUMS of every ancestor over the measured series in `clean` (CLEAN_READINGS).

    A series counts where the start of the interval lies in its membership, on every step of the way up. Series outside
    the tree and parents' own rows add nothing. A parent has several rows of one time if it is reached in several steps.
    """
    steps = hierarchy.memberships.cast({"parent_id": pl.Enum(hierarchy.ids)})
    is_leaf = ~pl.col("series_id").is_in(steps["parent_id"].unique().to_list())
    measured = (
        _exact("load_mw").sum().alias("load_mw_e9"),
        _exact("raw_load_mw").sum().alias("raw_load_mw_e9"),
        pl.len().alias("children"),
        pl.col("load_mw").count().alias("loads"),
        pl.col("raw_load_mw").count().alias("raw_loads"),
        (pl.col("quality") == Quality.ESTIMATED).sum().alias("estimated"),
        (pl.col("quality") == Quality.EDITED).sum().alias("edited"),
        pl.col("available_at").max(),
    )
    sums = [_sum_one_step_up(clean, steps=steps.filter(is_leaf), totals=measured)]
    while sums[-1].height:
        sums.append(_sum_one_step_up(sums[-1], steps=steps, totals=_TOTALS))
    return pl.concat(sums)


def combine_sums(partials: pl.DataFrame, *, min_completeness: float = 1.0) -> pl.DataFrame:
    """CLEAN_READINGS of the parents, by series and time, from all their PARTIAL_SUMS in any order and cut.

    A child counts from its first row on, while it is a member. Of a parent's children, at least the share
    `min_completeness` must have a load, else the parent is missing; where not all have one, the sum is scaled up to all
    and estimated. With an estimated (edited) child it is estimated (edited). Its raw load is null unless every child
    has one. It is available when its last child is.
    """
    named = partials.lazy().cast({"series_id": pl.Enum(partials["series_id"].unique().sort())})
    added = named.group_by(_KEY).agg(_TOTALS).sort(_KEY).collect(engine="streaming")
    sums = added.with_columns(load_mw=_megawatts(added["load_mw_e9"]), raw_load_mw=_megawatts(added["raw_load_mw_e9"]))
    scaled_up = pl.col("load_mw") * pl.col("children") / pl.col("loads")
    is_whole = pl.col("loads") == pl.col("children")
    is_enough = pl.col("loads") / pl.col("children") >= min_completeness
    rows = sums.select(
        *_KEY,
        pl.when(is_whole).then("load_mw").when(is_enough).then(scaled_up).alias("load_mw"),
        pl.when(pl.col("raw_loads") == pl.col("children")).then("raw_load_mw").alias("raw_load_mw"),
        _worst_quality(is_whole=is_whole, is_enough=is_enough).alias("quality"),
        pl.when(is_whole).then(_rule()).when(is_enough).then(_rule(Rule.SCALED_UP)).otherwise(_rule(Rule.INCOMPLETE)),
        "available_at",
    )
    return rows.cast(CLEAN_READINGS)


def child_counts(partials: pl.DataFrame) -> pl.DataFrame:
    """QUALITY_COUNTS of kind 'children': a parent's 'children' in all intervals, those 'with_load' and 'estimated'."""
    named = partials.select("series_id", "children", "estimated", with_load="loads")
    return (
        named.group_by("series_id")
        .sum()
        .unpivot(index="series_id", variable_name="name", value_name="rows")
        .select("series_id", pl.lit("children").alias("kind"), "name", "rows", pl.lit(0.0).alias("energy_mwh"))
        .cast(QUALITY_COUNTS)
        .sort("series_id", "name")
    )


def children_summary(counts: pl.DataFrame) -> pl.DataFrame:
    """How whole each sum is: `series_id`, the shares `children_with_load` and `children_estimated` of its children."""
    added = add_counts(counts.filter(kind="children"))
    wide = added.pivot("name", on_columns=["children", "with_load", "estimated"], index="series_id", values="rows")
    return wide.select(
        "series_id",
        children_with_load=pl.col("with_load") / pl.col("children"),
        children_estimated=pl.col("estimated") / pl.col("children"),
    )


def tell_summed(rows: pl.DataFrame, *, column: str, hierarchy: Hierarchy) -> pl.DataFrame:
    """REMOVED or QUALITY_COUNTS in which series of the tree are not unknown: the reason in `column` is `IS_SUMMED`.

    For readings that were cleaned with the leaves as the known series.
    """
    is_summed = (pl.col(column) == "unknown_series") & pl.col("series_id").is_in(list(hierarchy.ids))
    return rows.with_columns(pl.when(is_summed).then(pl.lit(IS_SUMMED)).otherwise(column).alias(column))


def _sum_one_step_up(rows: pl.DataFrame, *, steps: pl.DataFrame, totals: tuple[pl.Expr, ...]) -> pl.DataFrame:
    """PARTIAL_SUMS of the parents that `rows` have at their times."""
    begins = pl.col("since").is_null() | (pl.col("since") <= pl.col("valid_time"))
    ends = pl.col("until").is_null() | (pl.col("valid_time") < pl.col("until"))
    return (
        rows.lazy()
        .join(steps.lazy(), on="series_id")
        .filter(begins, ends)
        .drop("series_id", "since", "until")
        .rename({"parent_id": "series_id"})
        .group_by(_KEY)
        .agg(totals)
        .select(PARTIAL_SUMS.names())
        .cast(PARTIAL_SUMS)
        .collect(engine="streaming")
    )


def _worst_quality(*, is_whole: pl.Expr, is_enough: pl.Expr) -> pl.Expr:
    return (
        pl.when(~is_enough)
        .then(pl.lit(Quality.MISSING))
        .when(~is_whole | (pl.col("estimated") > 0))
        .then(pl.lit(Quality.ESTIMATED))
        .when(pl.col("edited") > 0)
        .then(pl.lit(Quality.EDITED))
        .otherwise(pl.lit(Quality.GOOD))
    )


def _rule(remedy: Rule | None = None) -> pl.Expr:
    parts = [Rule.SUM_OF_CHILDREN] if remedy is None else [Rule.SUM_OF_CHILDREN, remedy]
    return pl.lit("+".join(parts)).alias("rule")


def _exact(column: str) -> pl.Expr:
    return (pl.col(column).clip(-_LARGEST_MW, _LARGEST_MW) * _PER_MW).round().cast(pl.Int128)


def _megawatts(exact: pl.Series) -> Floats:
    """Correctly rounded, which polars is not: it multiplies by the reciprocal of a constant."""
    quotient: Floats = exact.cast(pl.Float64).to_numpy() / _PER_MW
    return quotient
