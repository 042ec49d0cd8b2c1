"""What the cleaning did to a history: the figures behind `gridcast quality` and the report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from gridcast.domain.tables import Quality
from gridcast.quality.aggregate import children_summary
from gridcast.quality.summary import corrections, energy_balance, quality_summary, rule_totals, worst_offenders
from gridcast.workflows.readings.processed import Processed

_BALANCED_MWH_PER_MWH = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class QualityReview:
    """What to tell about the quality of a history.

    Attributes:
        tables: `series` (a row for each, see `quality_summary`), `rules`, `worst`, `parents` (see
            `children_summary`), `energy` (see `energy_balance`).
        total_energy: the energy of all measured series together, one row.
        verdict: all of it in one sentence.
    """

    tables: Mapping[str, pl.DataFrame]
    total_energy: pl.DataFrame
    verdict: str


def review_quality(processed: Processed, *, series_ids: Sequence[str], worst: int) -> QualityReview:
    """The quality of some series, with the `worst` most troubled of them."""
    counts = processed.quality_counts().filter(pl.col("series_id").is_in(list(series_ids)))
    measured = counts.filter(pl.col("series_id").is_in(list(processed.hierarchy.leaves)))
    total = energy_balance(measured.with_columns(pl.lit("all measured series").alias("series_id")))
    tables = {
        "series": quality_summary(counts),
        "rules": rule_totals(measured),
        "worst": worst_offenders(counts, most=worst),
        "parents": children_summary(counts),
        "energy": energy_balance(counts),
    }
    return QualityReview(tables, total, _verdict(tables["series"], energy_balance(measured)))


def audit_trail(processed: Processed, *, series_ids: Sequence[str], edits: pl.DataFrame | None) -> pl.DataFrame:
    """Every interval of some measured series that is not as it was received; see `corrections`."""
    measured = sorted(set(series_ids) & set(processed.hierarchy.leaves))
    return corrections(processed.readings(series_ids=measured), edits=edits)


def _verdict(series: pl.DataFrame, energy: pl.DataFrame) -> str:
    rows = int(series["rows"].sum())
    flags = {each.value: int(series[each.value].sum()) for each in Quality}
    lost = flags[Quality.BAD] + flags[Quality.MISSING]
    causes = pl.sum_horizontal(pl.exclude("series_id", "received", "removed", "processed"), pl.lit(0.0))
    gap = energy.select((pl.col("received") - pl.col("removed") + causes - pl.col("processed")).abs())
    is_balanced = (gap.to_series() <= _BALANCED_MWH_PER_MWH * energy["processed"].abs().clip(1.0)).all()
    return (
        f"{series.height} series, {rows:,} intervals: {1 - lost / max(rows, 1):.2%} with a load, "
        f"{flags[Quality.ESTIMATED]:,} estimated, {flags[Quality.EDITED]:,} edited, {lost:,} bad or missing; energy "
        f"received and processed {'agree' if is_balanced else 'DO NOT AGREE'} up to the corrections listed."
    )
