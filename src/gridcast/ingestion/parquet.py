"""Parquet files: the user's as tables; gridcast's own written or refused as one, named when damaged."""

import contextlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from polars import selectors as cs

from gridcast.domain.errors import GridcastError
from gridcast.ingestion.atomic import disk_error
from gridcast.ingestion.tabular.columns import DEAD_ROWS, ROW, Table, unique_names


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


def read_table(file: Path) -> Table:
    """Every row of a user's Parquet file; columns of lists, structures or bytes are left out.

    Raises:
        GridcastError: it is not a whole Parquet file.
    """
    try:
        table = pq.ParquetFile(file, page_checksum_verification=True).read()
        table.validate(full=True)
        columns = dict(zip(unique_names(table.column_names), map(pl.from_arrow, table.columns), strict=True))
        numbered = pl.DataFrame(columns).with_row_index(ROW, offset=1)
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        raise GridcastError(f"{file}: not a whole Parquet file ({error}); copy or export it again.") from error
    except pl.exceptions.PanicException as error:
        raise GridcastError(
            f"{file}: a column has a type that cannot be read ({error}); export numbers as double or decimal(38)."
        ) from error
    texts = cs.by_dtype(pl.Null) | cs.categorical() | cs.enum()
    rows = numbered.select(~(cs.nested() | cs.binary() | cs.object())).with_columns(texts.cast(pl.String))
    names = zip(table.column_names, columns, strict=True)
    return Table(
        tuple(name for name, own in names if own in rows.columns), rows.cast({ROW: pl.Int64}), DEAD_ROWS.to_frame()
    )


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
