"""Parquet files of gridcast's own: written or refused as one, read back or named when damaged."""

import contextlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.ingestion.atomic import disk_error


def to_parquet(frame: pl.DataFrame) -> bytes:
    """`frame` as the bytes of a Parquet file."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def write_parquet(frame: pl.DataFrame, path: Path) -> None:
    """Write `frame` to `path`, with its folder.

    Raises:
        GridcastError: the disk is full or cannot be written to.
    """
    content = to_parquet(frame)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise disk_error(error, path) from error


@contextlib.contextmanager
def parquet_read(files: Sequence[Path], *, remedy: str) -> Iterator[None]:
    """Tell which of `files` is damaged, and the `remedy`, when reading them inside the block fails.

    Raises:
        GridcastError: one of them is not a whole Parquet file.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        damaged = next((path for path in files if not _is_whole(path)), None)
        if damaged is None:
            raise
        raise GridcastError(f"{damaged}: not a whole Parquet file ({error}); {remedy}.") from error


def _is_whole(path: Path) -> bool:
    try:
        pl.read_parquet(path, hive_partitioning=False)
    except (pl.exceptions.PolarsError, OSError):
        return False
    return True
