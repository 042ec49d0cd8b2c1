"""Loads set by people, from a CSV file. A wrong file is refused as a whole, before any work starts."""

from collections.abc import Collection
from pathlib import Path

import polars as pl

from gridcast.domain.tables import EDITS
from gridcast.ingestion.tabular.handwritten import read_handwritten
from gridcast.quality.edits import parse_edits


def read_edits(path: Path, *, known_series: Collection[str] | None = None) -> pl.DataFrame:
    """EDITS in a CSV file with their columns, in any order; times carry a UTC offset, other columns are not read.

    With `known_series`, an edit of any other series is refused.

    Raises:
        UsageError: there is no such file, or it is wrong; wrong rows are told with line, value and expectation.
    """
    rows = read_handwritten(path, columns=EDITS.names(), setting="quality.edits")
    return parse_edits(rows, source=str(path), known_series=known_series)
