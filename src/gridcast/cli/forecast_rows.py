"""Forecast rows for screens."""

from collections.abc import Sequence

import polars as pl


def peaks(rows: pl.DataFrame) -> Sequence[dict[str, object]]:
    """The hour of each series' highest median: a table short enough for a screen."""
    highest = rows.sort("p50", descending=True).group_by("series_id", maintain_order=True).first()
    return (
        highest.sort("series_id")
        .select("series_id", pl.col("valid_time").alias("peak_at"), "p05", "p50", "p95")
        .to_dicts()
    )
