"""Forecast rows for screens and files."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from gridcast.domain.errors import UsageError
from gridcast.ingestion.atomic import write_files
from gridcast.ingestion.parquet import to_parquet


def peaks(rows: pl.DataFrame) -> Sequence[dict[str, object]]:
    """The hour of each series' highest median: a table short enough for a screen."""
    highest = rows.sort("p50", descending=True).group_by("series_id", maintain_order=True).first()
    return (
        highest.sort("series_id")
        .select("series_id", pl.col("valid_time").alias("peak_at"), "p05", "p50", "p95")
        .to_dicts()
    )


def require_name(path: Path) -> None:
    """Refuse early what `write` could not write.

    Raises:
        UsageError: the name ends in neither .csv nor .parquet, or its folder does not exist.
    """
    if path.suffix not in {".csv", ".parquet"}:
        raise UsageError(f"--to {path}: expected a name ending in .csv or .parquet.")
    if not path.parent.is_dir():
        raise UsageError(f"--to {path}: {path.parent} is not a folder; expected one that exists.")


def write(rows: pl.DataFrame, path: Path) -> None:
    """Write rows as the file's name asks, whole or not at all.

    Raises:
        GridcastError: the disk is full or cannot be written to.
    """
    content = rows.write_csv().encode() if path.suffix == ".csv" else to_parquet(rows)
    write_files({path: content}, scratch=path.parent / ".gridcast" / path.name)
