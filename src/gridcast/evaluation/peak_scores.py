"""How good forecasts of daily peaks were: size, hour, probability of exceeding a limit, and as an alarm."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from gridcast.domain.quantiles import BANDS, QUANTILE_COLUMNS, QUANTILE_LEVELS

SCORED_COLUMNS: Final = ("actual_peak_mw", "actual_hour", "naive_peak_mw", "days_ahead")
"""What `with_actual_peaks` adds to a peak table."""


def with_actual_peaks(table: pl.DataFrame, *, actual: pl.DataFrame, naive: pl.DataFrame) -> pl.DataFrame:
    """A peak table beside what then happened, null where a day was not measured whole.

    Args:
        table: see `peaks`.
        actual: `DAILY_PEAKS`.
        naive: series_id, issue_time, date and `naive_peak_mw`, the peak of the weekly naive's medians.
    """
    measured = actual.select("series_id", "date", actual_peak_mw="peak_mw", actual_hour="peak_hour")
    return (
        table.join(measured, on=["series_id", "date"], how="left", maintain_order="left")
        .join(naive, on=["series_id", "issue_time", "date"], how="left", maintain_order="left")
        .with_columns(
            days_ahead=pl.col("date").rank("dense").over("series_id", "issue_time", order_by="date").cast(pl.Int64)
        )
    )


def peak_scores(table: pl.DataFrame, *, alarm_threshold: float, by: Sequence[str] = ()) -> pl.DataFrame:
    """One row per group of `by` of a table of `with_actual_peaks`; an empty `by` pools all days.

    `n` and `missing_share`: days scored, and those not measured whole. Sizes are MW, hours those between likely and
    actual hour. `brier_reference` is the score of always saying the share of each series' own scored days that
    exceeded, known with hindsight; `brier_skill` the share of it that is saved. An alarm is raised where the
    probability of exceeding reaches `alarm_threshold`: `tp` of the `tp + fp` alarms were right, `fn` were missed.
    Ratios without a denominator are null.

    Reference: Brier (1950), Verification of forecasts expressed in terms of probability.
    """
    names = list(by) or ["pooled"]
    days = table.with_columns(
        pooled=pl.lit(value=True),
        is_scored=pl.col("actual_peak_mw").is_not_null() & pl.col("p50").is_not_null(),
        exceeded=(pl.col("actual_peak_mw") > pl.col("limit_mw")).cast(pl.Float64),
        is_alarm=pl.col("p_exceed") >= alarm_threshold,
    )
    scored = days.filter("is_scored").with_columns(usual_share=pl.col("exceeded").mean().over("series_id"))
    counts = days.group_by(names).agg(
        pl.col("is_scored").sum().cast(pl.Int64).alias("n"), (1.0 - pl.col("is_scored").mean()).alias("missing_share")
    )
    figures = scored.group_by(names).agg(*_size_scores(), *_hour_scores(), *_probability_scores(), *_alarm_counts())
    joined = counts.join(figures, on=names, how="left", nulls_equal=True).with_columns(*_alarm_scores())
    return joined.sort(names) if by else joined.drop("pooled")


def _size_scores() -> list[pl.Expr]:
    actual = pl.col("actual_peak_mw")
    error, of_medians, of_naive = (pl.col(name) - actual for name in ("p50", "medians_peak_mw", "naive_peak_mw"))
    losses = [
        pl.max_horizontal(level * (actual - pl.col(column)), (level - 1.0) * (actual - pl.col(column)))
        for level, column in zip(QUANTILE_LEVELS, QUANTILE_COLUMNS, strict=True)
    ]
    saved = 1.0 - _ratio(error.abs().filter(of_naive.is_not_null()).sum(), of_naive.abs().sum())
    coverages = [
        actual.is_between(pl.col(lower), pl.col(upper)).mean().alias(f"coverage_{round(100 * nominal)}")
        for nominal, (lower, upper) in BANDS.items()
    ]
    return [
        error.abs().mean().alias("size_mae_mw"),
        error.mean().alias("size_bias_mw"),
        pl.mean_horizontal(*losses).mean().alias("size_pinball_mw"),
        of_medians.abs().mean().alias("medians_mae_mw"),
        of_medians.mean().alias("medians_bias_mw"),
        saved.alias("skill_mae_vs_naive"),
        *coverages,
    ]


def _hour_scores() -> list[pl.Expr]:
    apart, of_medians = ((pl.col(name) - pl.col("actual_hour")).abs() for name in ("likely_hour", "medians_hour"))
    return [
        (apart == 0).mean().alias("hour_hit_rate"),
        apart.mean().alias("hour_mae_h"),
        (of_medians == 0).mean().alias("medians_hour_hit_rate"),
    ]


def _probability_scores() -> list[pl.Expr]:
    brier, reference = (
        (pl.col(forecast) - pl.col("exceeded")).pow(2).filter(pl.col("p_exceed").is_not_null()).mean()
        for forecast in ("p_exceed", "usual_share")
    )
    return [
        pl.col("exceeded").mean().alias("exceeded_share"),
        brier.alias("brier"),
        reference.alias("brier_reference"),
        (1.0 - _ratio(brier, reference)).alias("brier_skill"),
    ]


def _alarm_counts() -> list[pl.Expr]:
    alarm, happened = pl.col("is_alarm"), pl.col("exceeded") > 0.5
    outcomes = {"tp": alarm & happened, "fp": alarm & ~happened, "fn": ~alarm & happened, "tn": ~alarm & ~happened}
    return [outcome.sum().cast(pl.Int64).alias(name) for name, outcome in outcomes.items()]


def _alarm_scores() -> list[pl.Expr]:
    tp, fp, fn, tn = (pl.col(name) for name in ("tp", "fp", "fn", "tn"))
    return [
        _ratio(tp + tn, tp + fp + fn + tn).alias("accuracy"),
        _ratio(tp, tp + fp).alias("precision"),
        _ratio(tp, tp + fn).alias("recall"),
        _ratio(2 * tp, 2 * tp + fp + fn).alias("f1"),
    ]


def _ratio(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole > 0).then(part / whole)
