"""Loads set by people, from a CSV file. A wrong file is refused as a whole, before any work starts."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

import polars as pl

from gridcast.domain.errors import UsageError
from gridcast.domain.tables import EDITS
from gridcast.ingestion.tabular.columns import ROW, Table
from gridcast.ingestion.tabular.csv_text import read_csv
from gridcast.ingestion.tabular.file_content import read_content
from gridcast.ingestion.tabular.formats import TextFormat
from gridcast.quality.edits import LINE, parse_edits

_HEADER_LINE: Final = 1
_COLUMNS: Final = f"expected a CSV file with the columns {', '.join(EDITS.names())}"


def read_edits(path: Path, *, known_series: Collection[str] | None = None) -> pl.DataFrame:
    """EDITS in a CSV file with their columns, in any order; times carry a UTC offset, other columns are not read.

    With `known_series`, an edit of any other series is refused.

    Raises:
        UsageError: there is no such file, or it is wrong; wrong rows are told with line, value and expectation.
    """
    table = _table(path)
    missing = [name for name in EDITS.names() if name not in table.header]
    if missing:
        raise UsageError(f"{path}:{_HEADER_LINE}: there is no column {missing[0]!r}; {_COLUMNS}.")
    for _, row, reason, raw in table.dead.iter_rows():
        raise UsageError(f"{path}:{_HEADER_LINE + row}: no row of a CSV file ({reason}): {raw!r}; {_COLUMNS}.")
    columns = [pl.col(name) for name in EDITS.names()]
    filled = table.rows.filter(pl.any_horizontal(*(each.str.strip_chars() != "" for each in columns)))
    numbered = filled.select(*columns, (pl.col(ROW) + _HEADER_LINE).alias(LINE))
    return parse_edits(numbered, source=str(path), known_series=known_series)


def _table(path: Path) -> Table:
    if not path.is_file():
        raise UsageError(
            f"{path}: there is no such file; {_COLUMNS}. Set quality.edits in config/pipeline_config.yaml."
        )
    table = read_csv(read_content(path), file=path, text=TextFormat())
    if table is None:
        raise UsageError(f"{path}: the file is empty; {_COLUMNS}.")
    return table
