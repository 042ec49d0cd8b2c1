"""Readings as received, sifted: one per series and time, finite, of a known series."""

from collections.abc import Iterable
from typing import Final, NamedTuple

import polars as pl

from gridcast.domain.tables import READINGS
from gridcast.quality.limits import LONGEST_CLOCK_SLIP

REMOVED: Final = pl.Schema({**READINGS, "reason": pl.String()})
"""Readings left out, and why: 'unknown_series' (also see `tell_summed`), 'not_finite', 'early' (received so long before
its interval began that its clock cannot be put right) or 'duplicate' (a later one took its place)."""


class Sifted(NamedTuple):
    """`kept`: READINGS without two rows of one series and time; `removed`: REMOVED."""

    kept: pl.DataFrame
    removed: pl.DataFrame


def sift(readings: pl.DataFrame, *, known_series: Iterable[str]) -> Sifted:
    """Keep of each series and time the reading received last: the latest `available_at`, then the latest in order."""
    is_known = pl.col("series_id").is_in(sorted(known_series))
    is_finite = pl.col("load_mw").is_finite().fill_null(value=False)
    rows = readings.select(READINGS.names())
    is_usable = rows.select(is_known & is_finite & ~is_early()).to_series()
    unusable = rows.filter(~is_usable)
    reason = (
        pl.when(~is_known)
        .then(pl.lit("unknown_series"))
        .when(~is_finite)
        .then(pl.lit("not_finite"))
        .otherwise(pl.lit("early"))
    )
    kept, older = _last_received(rows if unusable.is_empty() else rows.filter(is_usable))
    removed = pl.concat(
        [unusable.with_columns(reason.alias("reason")), older.with_columns(pl.lit("duplicate").alias("reason"))]
    )
    return Sifted(kept, removed.cast(REMOVED).sort("series_id", "valid_time", "available_at", maintain_order=True))


def is_early() -> pl.Expr:
    """Whether a reading was received longer before its interval than any clock slip that is repaired."""
    return pl.col("valid_time") - pl.col("available_at") > LONGEST_CLOCK_SLIP


def _last_received(readings: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Of each series and time the last reading, and the others; only keys whose hash comes twice are compared."""
    key = readings.select(pl.col("series_id").hash(1) ^ pl.col("valid_time").hash(2)).to_series()
    if key.n_unique() == readings.height:
        return readings, readings.clear()
    is_suspect = key.is_duplicated()
    ranked = readings.filter(is_suspect).sort("available_at", maintain_order=True)
    is_last = ranked.select(pl.struct("series_id", "valid_time").is_last_distinct()).to_series()
    return pl.concat([readings.filter(~is_suspect), ranked.filter(is_last)]), ranked.filter(~is_last)
