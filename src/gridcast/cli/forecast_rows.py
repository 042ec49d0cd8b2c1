"""Forecast rows for screens and files."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from gridcast.domain.errors import UsageError


def peaks(rows: pl.DataFrame) -> Sequence[dict[str, object]]:
    """The hour of each series' highest median: a table short enough for a screen."""
    highest = rows.sort("p50", descending=True).group_by("series_id", maintain_order=True).first()
    return (
        highest.sort("series_id")
        .select("series_id", pl.col("valid_time").alias("peak_at"), "p05", "p50", "p95")
        .to_dicts()
    )


def write(rows: pl.DataFrame, path: Path) -> None:
    """Write rows as the file's name asks.

    Raises:
        UsageError: the name ends in neither .csv nor .parquet, or the file cannot be written.
    """
    if path.suffix not in {".csv", ".parquet"}:
        raise UsageError(f"--to {path}: expected a name ending in .csv or .parquet.")
    try:
        rows.write_csv(path) if path.suffix == ".csv" else rows.write_parquet(path)
    except OSError as error:
        raise UsageError(f"--to {path}: {error.strerror or error}; expected a file gridcast may write.") from error
