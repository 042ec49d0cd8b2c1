"""Readings as received, sifted: one per series and time, finite, of a known series."""

from collections.abc import Iterable
from typing import Final, NamedTuple

import polars as pl

from gridcast.domain.tables import READINGS

REMOVED: Final = pl.Schema({**READINGS, "reason": pl.String()})
"""Readings left out, and why: 'unknown_series', 'not_finite' or 'duplicate' (a later one took its place)."""


class Sifted(NamedTuple):
    """`kept`: READINGS without two rows of one series and time; `removed`: REMOVED."""

    kept: pl.DataFrame
    removed: pl.DataFrame


def sift(readings: pl.DataFrame, *, known_series: Iterable[str]) -> Sifted:
    """Keep of each series and time the reading received last: the latest `available_at`, then the latest in order."""
    is_known = pl.col("series_id").is_in(sorted(known_series))
    is_finite = pl.col("load_mw").is_finite().fill_null(value=False)
    reason = pl.when(~is_known).then(pl.lit("unknown_series")).when(~is_finite).then(pl.lit("not_finite"))
    judged = readings.select(READINGS.names()).with_columns(reason.otherwise(None).alias("reason"))
    usable = judged.filter(pl.col("reason").is_null())
    unusable = judged.filter(pl.col("reason").is_not_null())
    kept, older = _last_received(usable.drop("reason"))
    removed = pl.concat([unusable, older.with_columns(pl.lit("duplicate").alias("reason"))])
    return Sifted(kept, removed.cast(REMOVED).sort("series_id", "valid_time", "available_at", maintain_order=True))


def _last_received(readings: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    key = ["series_id", "valid_time"]
    if readings.select(pl.struct(key).n_unique()).item() == readings.height:
        return readings, readings.clear()
    ranked = readings.sort("available_at", maintain_order=True)
    is_last = ranked.select(pl.struct(key).is_last_distinct()).to_series()
    return ranked.filter(is_last), ranked.filter(~is_last)
