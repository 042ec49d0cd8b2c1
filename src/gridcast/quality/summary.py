"""What cleaning did, counted per series; counts of blocks can be added."""

from typing import Final

import polars as pl

from gridcast.domain.tables import Quality

QUALITY_COUNTS: Final = pl.Schema(
    {"series_id": pl.String(), "kind": pl.String(), "name": pl.String(), "rows": pl.Int64()}
)
"""`kind` is 'quality', 'rule' (a row changed by a cause and a remedy counts for both) or 'removed' (by reason)."""


def quality_counts(clean: pl.DataFrame, dead: pl.DataFrame) -> pl.DataFrame:
    """QUALITY_COUNTS of a block: its CLEAN_READINGS and the REMOVED readings behind them."""
    grouped = clean.group_by("series_id", "quality", "rule").len("rows")
    by_quality = grouped.select("series_id", pl.lit("quality").alias("kind"), pl.col("quality").alias("name"), "rows")
    rules = grouped.filter(pl.col("rule") != "").with_columns(pl.col("rule").str.split("+")).explode("rule")
    by_rule = rules.select("series_id", pl.lit("rule").alias("kind"), pl.col("rule").alias("name"), "rows")
    removed = dead.select(
        "series_id", pl.lit("removed").alias("kind"), pl.col("reason").alias("name"), pl.lit(1).alias("rows")
    )
    return add_counts(pl.concat([each.cast(QUALITY_COUNTS) for each in (by_quality, by_rule, removed)]))


def add_counts(counts: pl.DataFrame) -> pl.DataFrame:
    """QUALITY_COUNTS of several blocks (concatenated) as one, sorted."""
    return counts.group_by("series_id", "kind", "name").agg(pl.col("rows").sum()).sort("series_id", "kind", "name")


def quality_summary(counts: pl.DataFrame) -> pl.DataFrame:
    """One row per series: `rows`, one column per quality, `completeness`, `removed`, one column per rule that was used.

    `completeness` is the share of rows with a load, null without rows.
    """
    added = add_counts(counts)
    qualities = _wide(added, kind="quality", names=[each.value for each in Quality])
    rules = _wide(added, kind="rule", names=[])
    removed = added.filter(kind="removed").group_by("series_id").agg(pl.col("rows").sum().alias("removed"))
    series = added.select("series_id").unique()
    whole = series.join(qualities, on="series_id", how="left").join(removed, on="series_id", how="left")
    filled = whole.join(rules, on="series_id", how="left").fill_null(0)
    total = pl.sum_horizontal(each.value for each in Quality)
    with_load = pl.sum_horizontal(Quality.GOOD.value, Quality.ESTIMATED.value, Quality.EDITED.value)
    completeness = pl.when(total > 0).then(with_load / total).alias("completeness")
    names = [each.value for each in Quality]
    return filled.select(
        "series_id", total.alias("rows"), *names, completeness, "removed", pl.exclude("series_id", *names, "removed")
    ).sort("series_id")


def _wide(counts: pl.DataFrame, *, kind: str, names: list[str]) -> pl.DataFrame:
    chosen = counts.filter(kind=kind).select("series_id", "name", "rows")
    columns = names or sorted(chosen["name"].unique())
    return (
        chosen.pivot("name", on_columns=columns, index="series_id", values="rows")
        if columns
        else chosen.select("series_id").unique()
    )
