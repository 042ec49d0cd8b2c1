"""What cleaning did to rows and energy, counted per series; counts of blocks can be added."""

from datetime import timedelta
from typing import Final

import polars as pl

from gridcast.domain.tables import Quality
from gridcast.quality.limits import NOTES, REMEDIES, Rule

QUALITY_COUNTS: Final = pl.Schema(
    {
        "series_id": pl.String(),
        "kind": pl.String(),
        "name": pl.String(),
        "rows": pl.Int64(),
        "energy_mwh": pl.Float64(),
    }
)
"""What became of a series, by `kind` and `name`. received − removed + rule = quality, in MWh, for each series.

- 'received', 'readings': intervals with a reading and removed readings with a finite load, and the energy of them all.
- 'removed', reason: readings that were taken out, and their energy.
- 'rule', cause or remedy: intervals it concerned. What was added to their energy stands with the cause.
- 'quality', flag: intervals handed on, and their energy.
- 'children', of a parent: see `child_counts`.
"""

RECEIVED_MW: Final = "received_mw"
"""Column beside CLEAN_READINGS: energy of the interval's readings / interval; `raw_load_mw` where it is left out."""

READING_SPAN: Final = "reading_span"
"""Column beside REMOVED: intervals that a reading stood for; one where it is left out."""

_KEY: Final = ("series_id", "kind", "name")
_NO_CAUSES: Final = [*NOTES, *REMEDIES]


def quality_counts(clean: pl.DataFrame, dead: pl.DataFrame, *, interval: timedelta) -> pl.DataFrame:
    """QUALITY_COUNTS of a block: its CLEAN_READINGS and the REMOVED readings behind them."""
    hours = interval / timedelta(hours=1)
    received = RECEIVED_MW if RECEIVED_MW in clean.columns else "raw_load_mw"
    grouped = clean.group_by("series_id", "quality", "rule").agg(
        pl.len().alias("rows"),
        pl.col(received).count().alias("with_reading"),
        pl.col("load_mw").sum() * hours,
        (pl.col(received).sum() * hours).alias("received_mwh"),
    )
    finite = pl.col("load_mw").is_finite().fill_null(value=False)
    span = READING_SPAN if READING_SPAN in dead.columns else 1.0
    energy = pl.when(finite).then("load_mw") * span * hours
    taken = dead.select("series_id", "reason", finite.alias("rows"), energy.alias("energy_mwh"))
    parts = [
        grouped.select("series_id", *_kind("quality", pl.col("quality")), "rows", energy_mwh="load_mw"),
        *_by_rule(grouped.filter(pl.col("rule") != "")),
        taken.select("series_id", *_kind("removed", pl.col("reason")), pl.lit(1).alias("rows"), "energy_mwh"),
        taken.select("series_id", *_kind("received", pl.lit("readings")), "rows", "energy_mwh"),
        grouped.select(
            "series_id", *_kind("received", pl.lit("readings")), rows="with_reading", energy_mwh="received_mwh"
        ),
    ]
    return add_counts(pl.concat([each.cast(QUALITY_COUNTS) for each in parts]))


def add_counts(counts: pl.DataFrame) -> pl.DataFrame:
    """QUALITY_COUNTS of several blocks (concatenated) as one, sorted."""
    return counts.group_by(_KEY).agg(pl.col("rows", "energy_mwh").sum()).sort(_KEY)


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


def worst_offenders(counts: pl.DataFrame, *, most: int = 10) -> pl.DataFrame:
    """The series with the largest share of intervals that are bad, missing or estimated, the worst first.

    Columns: those shares, `troubled` (their sum) and `main_rule`, the cause behind most of them ('' without any).
    Series without rows, and those without trouble, are left out.
    """
    names = [Quality.BAD.value, Quality.MISSING.value, Quality.ESTIMATED.value]
    causes = add_counts(counts).filter(kind="rule").filter(~pl.col("name").is_in(_NO_CAUSES))
    main = causes.sort("rows", "name", descending=[True, False]).group_by("series_id", maintain_order=True).first()
    summary = quality_summary(counts).filter(pl.col("rows") > 0)
    return (
        summary.select("series_id", *(pl.col(name) / pl.col("rows") for name in names))
        .with_columns(troubled=pl.sum_horizontal(names))
        .filter(pl.col("troubled") > 0)
        .join(main.select("series_id", main_rule="name"), on="series_id", how="left")
        .with_columns(pl.col("main_rule").fill_null(""))
        .sort("troubled", "series_id", descending=[True, False])
        .head(most)
    )


def totals(counts: pl.DataFrame) -> pl.DataFrame:
    """QUALITY_COUNTS of all series together: `kind`, `name`, `rows`, `energy_mwh`."""
    return counts.group_by("kind", "name").agg(pl.col("rows", "energy_mwh").sum()).sort("kind", "name")


def rule_totals(counts: pl.DataFrame) -> pl.DataFrame:
    """What each rule did to all series together: `kind` ('rule' or 'removed'), `name`, `series`, `rows`, `energy_mwh`.

    Most rows first. The energy is what a rule added to what was received, or what was removed.
    """
    return (
        add_counts(counts)
        .filter(pl.col("kind").is_in(["rule", "removed"]))
        .group_by("kind", "name")
        .agg(pl.col("series_id").n_unique().alias("series"), pl.col("rows", "energy_mwh").sum())
        .sort("rows", "name", descending=[True, False])
    )


def energy_balance(counts: pl.DataFrame) -> pl.DataFrame:
    """One row per series in MWh: `received`, `removed`, one column per cause that changed energy, `processed`.

    received − removed + the causes = processed.
    """
    added = add_counts(counts)
    parts = [
        added.filter(kind=kind).group_by("series_id").agg(pl.col("energy_mwh").sum().alias(name))
        for kind, name in (("received", "received"), ("removed", "removed"), ("quality", "processed"))
    ]
    causes = added.filter(kind="rule").filter(pl.col("energy_mwh") != 0)
    names = sorted(causes["name"].unique())
    if names:
        parts.insert(2, causes.pivot("name", on_columns=names, index="series_id", values="energy_mwh"))
    balance = added.select("series_id").unique()
    for part in parts:
        balance = balance.join(part, on="series_id", how="left")
    return balance.fill_null(0.0).sort("series_id")


def corrections(clean: pl.DataFrame, *, edits: pl.DataFrame | None = None) -> pl.DataFrame:
    """The CLEAN_READINGS that are not as they were received, with `author` and `reason` where a person set them.

    `edits` are the EDITS that were applied; notes on how a good value came about are no corrections.
    """
    changed = clean.filter(pl.col("rule") != "", ~pl.col("rule").str.split("+").list.first().is_in(list(NOTES)))
    if edits is None or edits.is_empty():
        return changed.with_columns(pl.lit(None, pl.String).alias("author"), pl.lit(None, pl.String).alias("reason"))
    newest = edits.sort("edited_at", maintain_order=True).with_row_index("order")
    is_in_force = (pl.col("start") <= pl.col("valid_time")) & (pl.col("valid_time") < pl.col("end"))
    people = (
        changed.filter(rule=Rule.EDIT)
        .join(newest.select("series_id", "start", "end", "author", "reason", "order"), on="series_id")
        .filter(is_in_force)
        .sort("order")
        .unique(["series_id", "valid_time"], keep="last")
        .select("series_id", "valid_time", "author", "reason")
    )
    return changed.join(people, on=["series_id", "valid_time"], how="left", maintain_order="left")


def _by_rule(grouped: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows and added energy by cause, rows by remedy."""
    parts = pl.col("rule").str.split("+")
    added = pl.col("load_mw") - pl.col("received_mwh")
    causes = grouped.select("series_id", *_kind("rule", parts.list.first()), "rows", energy_mwh=added)
    remedies = grouped.select("series_id", *_kind("rule", parts.list.get(1, null_on_oob=True)), "rows", energy_mwh=0.0)
    return causes, remedies.drop_nulls("name")


def _kind(kind: str, name: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    return pl.lit(kind).alias("kind"), name.alias("name")


def _wide(counts: pl.DataFrame, *, kind: str, names: list[str]) -> pl.DataFrame:
    chosen = counts.filter(kind=kind).select("series_id", "name", "rows")
    columns = names or sorted(chosen["name"].unique())
    return (
        chosen.pivot("name", on_columns=columns, index="series_id", values="rows")
        if columns
        else chosen.select("series_id").unique()
    )
