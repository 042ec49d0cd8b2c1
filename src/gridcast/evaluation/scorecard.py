"""Every score in one table: forecasters side by side, pooled or by lead bucket, series, day."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

import polars as pl

from gridcast.domain.dimensions import Dimension
from gridcast.domain.quantiles import BANDS, QUANTILE_COLUMNS
from gridcast.evaluation.dimensions import SeriesFacts, with_dimensions
from gridcast.evaluation.scored import KEYS, LINEAR, MODEL, NAIVE, in_reading_order, scored_points, with_losses

ALL: Final = "all"
"""Dimension and value of everything pooled."""


def scorecard(
    frame: pl.DataFrame, *, by: Sequence[str] = (), scales_mw: Mapping[str, float] | None = None
) -> pl.DataFrame:
    """One row per forecaster and group of `by`; an empty `by` pools everything.

    `by` names columns of the frame (see `scored`) or 'lead_bucket'. Loads are MW, shares fractions. Skill is the
    share of the reference's mean pinball that is saved, over the points both have scored. Peak errors are those of
    whole days of lead (24 h from the issue time) that lie in the group with every actual; null where there is none.
    `scales_mw` (series → error of repeating last week, MW) fills `mase`; without it `mase` is null.

    Raises:
        ValueError: the frame is not a scored frame.
    """
    return _table(_compared(scored_points(frame, by=by), scales_mw=scales_mw or {}), groups=["forecaster", *by])


def breakdowns(frame: pl.DataFrame, *, facts: SeriesFacts, scales_mw: Mapping[str, float]) -> pl.DataFrame:
    """The scorecards of every dimension below each other: `dimension`, `value`, `forecaster` and the metrics.

    The first rows pool everything: dimension and value are 'all'. Values are text, in reading order.

    Raises:
        ValueError: the frame is not a scored frame.
    """
    points = _compared(scored_points(with_dimensions(frame, facts=facts)), scales_mw=scales_mw)
    tables = [_table(points.with_columns(pl.lit(ALL).alias(ALL)), groups=["forecaster", ALL])]
    tables += [_table(points, groups=["forecaster", each]) for each in Dimension]
    return pl.concat(
        table.select(
            pl.lit(name).alias("dimension"), pl.col(name).alias("value"), "forecaster", pl.exclude("forecaster", name)
        )
        for name, table in zip((ALL, *Dimension), tables, strict=True)
    )


def broken_down(table: pl.DataFrame, *, by: str) -> pl.DataFrame:
    """The scorecard of one dimension out of a `breakdowns` table, as `scorecard` would give it."""
    rows = table.filter(pl.col("dimension") == by)
    return rows.select("forecaster", pl.col("value").alias(by), pl.exclude("dimension", "value", "forecaster"))


def headline(frame: pl.DataFrame, *, system_id: str = "system") -> dict[str, float | int | None]:
    """The handful of numbers that decide whether the model is good enough; None where there is nothing to score.

    Pooled over all series, in MW: `pinball_model`, `pinball_naive`, `pinball_linear`. `mape_system` is the
    system's MAPE, `mean_series_skill_vs_naive` the mean of each series' own skill: one vote per series.
    `n` and `missing_share` count the model's points.
    """
    pooled = {row["forecaster"]: row for row in scorecard(frame).iter_rows(named=True)}
    series = scorecard(frame.filter(pl.col("forecaster").is_in([MODEL, NAIVE])), by=["series_id"])
    series = series.filter(pl.col("forecaster") == MODEL)
    system = series.filter(pl.col("series_id") == system_id)
    model = pooled.get(MODEL, {})
    return {
        "skill_pinball_vs_naive": model.get("skill_pinball_vs_naive"),
        "skill_pinball_vs_linear": model.get("skill_pinball_vs_linear"),
        "mean_series_skill_vs_naive": _number(series["skill_pinball_vs_naive"].mean()),
        "coverage_80": model.get("coverage_80"),
        "coverage_90": model.get("coverage_90"),
        "mape_system": _number(system["mape"].mean()),
        "n": model.get("n", 0),
        "missing_share": model.get("missing_share"),
        **{f"pinball_{name}": pooled.get(name, {}).get("pinball_mw") for name in (MODEL, NAIVE, LINEAR)},
    }


def _compared(points: pl.DataFrame, *, scales_mw: Mapping[str, float]) -> pl.DataFrame:
    """Adds the losses of each point and, beside them, those of the baselines at the same point."""
    scale = pl.col("series_id").replace_strict(dict(scales_mw), default=None, return_dtype=pl.Float64)
    points = with_losses(points).with_columns(scale_mw=pl.when(scale > 0).then(scale))
    for reference in (NAIVE, LINEAR):
        points = _beside(points, reference=reference)
    return points


def _table(points: pl.DataFrame, *, groups: Sequence[str]) -> pl.DataFrame:
    """One row per group, the first of which is the forecaster."""
    table = points.group_by(groups).agg(
        pl.col("is_scored").sum().cast(pl.Int64).alias("n"),
        (1.0 - pl.col("is_scored").mean()).alias("missing_share"),
        *_point_scores(),
        *_quantile_scores(),
    )
    peaks = _peak_scores(points, groups=groups)
    skills = [table.select(*groups, pl.col(f"skill_pinball_vs_{reference}")) for reference in (NAIVE, LINEAR)]
    table = table.drop(f"skill_pinball_vs_{reference}" for reference in (NAIVE, LINEAR))
    for part in (peaks, *skills):
        table = table.join(part, on=groups, how="left", nulls_equal=True)
    return in_reading_order(table.select(*groups, pl.exclude(groups)), by=groups[1:])


def _beside(points: pl.DataFrame, *, reference: str) -> pl.DataFrame:
    """Adds the reference's pinball at the same series, issue and valid time; null where it has none."""
    losses = points.filter(pl.col("forecaster") == reference).select(*KEYS, pl.col("pinball").alias(reference))
    return points.join(losses, on=KEYS, how="left", validate="m:1")


def _point_scores() -> list[pl.Expr]:
    error, actual = pl.col("error"), pl.col("actual_mw")
    return [
        error.abs().mean().alias("mae_mw"),
        error.pow(2).mean().sqrt().alias("rmse_mw"),
        error.mean().alias("bias_mw"),
        (error / actual).abs().filter(actual != 0.0).mean().alias("mape"),
        _ratio(error.abs().sum(), actual.abs().sum()).alias("wape"),
        (error.abs() / pl.col("scale_mw")).mean().alias("mase"),
    ]


def _quantile_scores() -> list[pl.Expr]:
    losses = [pl.col(f"pinball_{column}").mean().name.suffix("_mw") for column in QUANTILE_COLUMNS]
    scores = [pl.col("pinball").mean().alias("pinball_mw"), *losses, pl.col("crps").mean().alias("crps_mw")]
    for nominal, (lower, upper) in BANDS.items():
        percent, scored = round(100 * nominal), pl.col("is_scored")
        inside = pl.col("actual_mw").is_between(pl.col(lower), pl.col(upper))
        scores.append(inside.mean().alias(f"coverage_{percent}"))
        scores.append((pl.col(upper) - pl.col(lower)).filter(scored).mean().alias(f"width_{percent}_mw"))
    for reference in (NAIVE, LINEAR):
        both = pl.col("pinball").is_not_null() & pl.col(reference).is_not_null()
        saved = 1.0 - _ratio(pl.col("pinball").filter(both).sum(), pl.col(reference).filter(both).sum())
        scores.append(saved.alias(f"skill_pinball_vs_{reference}"))
    return scores


def _peak_scores(points: pl.DataFrame, *, groups: Sequence[str]) -> pl.DataFrame:
    day = timedelta(days=1)
    steps = points["valid_time"].unique().sort().diff().drop_nulls()
    whole_day = day // (steps.min() if len(steps) else day)  # type: ignore[operator]
    hour = (pl.col("lead").dt.total_seconds() / 3600.0).cast(pl.Float64)
    days = (
        points.filter("is_scored")
        .group_by(
            *dict.fromkeys((*groups, "series_id", "issue_time")), pl.col("lead").dt.total_days().alias("lead_day")
        )
        .agg(
            pl.len().alias("intervals"),
            (pl.col("p50").max() - pl.col("actual_mw").max()).abs().alias("size"),
            (hour.get(pl.col("p50").arg_max()) - hour.get(pl.col("actual_mw").arg_max())).abs().alias("hours"),
        )
        .filter(pl.col("intervals") == whole_day)
    )
    return days.group_by(groups).agg(
        pl.col("size").mean().alias("peak_size_error_mw"), pl.col("hours").mean().alias("peak_hour_error_h")
    )


def _ratio(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole > 0.0).then(part / whole)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
