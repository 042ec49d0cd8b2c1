"""Tables written to a file the user names."""

from pathlib import Path

import polars as pl

from gridcast.domain.errors import UsageError
from gridcast.ingestion.atomic import write_files
from gridcast.ingestion.parquet import to_parquet


def require_name(path: Path, *, option: str) -> None:
    """Refuse early what `write` could not write.

    Raises:
        UsageError: the name ends in neither .csv nor .parquet, or its folder does not exist.
    """
    if path.suffix not in {".csv", ".parquet"}:
        raise UsageError(f"{option} {path}: expected a name ending in .csv or .parquet.")
    if not path.parent.is_dir():
        raise UsageError(f"{option} {path}: {path.parent} is not a folder; expected one that exists.")


def write(rows: pl.DataFrame, path: Path) -> None:
    """Write rows as the file's name asks, whole or not at all.

    Raises:
        GridcastError: the disk is full or cannot be written to.
    """
    content = rows.write_csv().encode() if path.suffix == ".csv" else to_parquet(rows)
    write_files({path: content}, scratch=path.parent / ".gridcast" / path.name)
