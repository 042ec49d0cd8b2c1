"""CSV files that people keep by hand: refused as a whole, with the line, where a row is none."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from gridcast.domain.errors import UsageError
from gridcast.ingestion.tabular.columns import ROW, Table
from gridcast.ingestion.tabular.csv_text import read_csv
from gridcast.ingestion.tabular.file_content import read_content
from gridcast.ingestion.tabular.formats import TextFormat
from gridcast.quality.edits import LINE

_HEADER_LINE: Final = 1


def read_handwritten(path: Path, *, columns: Sequence[str], optional: Sequence[str] = (), setting: str) -> pl.DataFrame:
    """The rows of a CSV file that are not empty, as text, with the LINE each stands in; other columns are not read.

    Args:
        path: the file.
        columns: columns it must have, in any order.
        optional: columns it may have; they are empty where it has none.
        setting: the key of the settings that names the file.

    Raises:
        UsageError: there is no such file, it is empty or lacks a column, or one of its lines is no row.
    """
    expected = f"expected a CSV file with the columns {', '.join(columns)}"
    expected += f" and, as needed, {', '.join(optional)}" if optional else ""
    table = _table(path, expected=expected, setting=setting)
    missing = [name for name in columns if name not in table.header]
    if missing:
        raise UsageError(f"{path}:{_HEADER_LINE}: there is no column {missing[0]!r}; {expected}.")
    for _, row, reason, raw in table.dead.iter_rows():
        raise UsageError(f"{path}:{_HEADER_LINE + row}: no row of a CSV file ({reason}): {raw!r}; {expected}.")
    read = [
        (pl.col(name) if name in table.header else pl.lit(None, dtype=pl.String)).fill_null("").alias(name)
        for name in (*columns, *optional)
    ]
    rows = table.rows.select(*read, (pl.col(ROW) + _HEADER_LINE).alias(LINE))
    return rows.filter(pl.any_horizontal(pl.exclude(LINE).str.strip_chars() != ""))


def _table(path: Path, *, expected: str, setting: str) -> Table:
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file; {expected}. Set {setting} in config/pipeline_config.yaml.")
    table = read_csv(read_content(path), file=path, text=TextFormat())
    if table is None:
        raise UsageError(f"{path}: the file is empty; {expected}.")
    return table
