"""Parents from all their children's rows at once."""

import polars as pl

from gridcast.domain.series import Hierarchy
from gridcast.quality.aggregate import combine_sums, partial_sums


def aggregate_to_parents(clean: pl.DataFrame, *, hierarchy: Hierarchy, min_completeness: float = 1.0) -> pl.DataFrame:
    """CLEAN_READINGS of every parent, on every level."""
    return combine_sums(partial_sums(clean, hierarchy=hierarchy), min_completeness=min_completeness)
