"""From what is known about each slot of a grid to one clean row: value, flag, rule, time it was known."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from gridcast.domain.tables import CLEAN_READINGS, UTC_TIME, Quality
from gridcast.quality.edits import Edited
from gridcast.quality.estimation import Estimates
from gridcast.quality.grid import Booleans, Floats, Grid, Integers, microseconds
from gridcast.quality.limits import Rule
from gridcast.quality.summary import RECEIVED_MW
from gridcast.quality.validation import (
    CAUSE_CODE,
    CAUSES,
    REMEDIES,
    REMEDY_CODE,
    Codes,
    Verdict,
)

_QUALITIES: Final = tuple(Quality)
_QUALITY_CODE: Final = {quality: code for code, quality in enumerate(_QUALITIES)}
_RULES: Final = pl.Series([f"{cause}+{remedy}" if remedy else str(cause) for cause in CAUSES for remedy in REMEDIES])


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of each slot, arrays of shape (series, slot); `load_mw` is NaN where there is none."""

    cause: Codes
    remedy: Codes
    quality: Codes
    load_mw: Floats
    known_us: Integers


def decide(grid: Grid, verdict: Verdict, estimates: Estimates, edited: Edited | None) -> Decision:
    """The believed or repaired value, else the estimate; an edit overrules both."""
    utc_us, step = grid.clock.utc_us, microseconds(grid.clock.interval)
    is_gap = verdict.cause == CAUSE_CODE[Rule.GAP]
    has_value = np.isfinite(verdict.load_mw)
    is_estimated = ~has_value & np.isfinite(estimates.load_mw)
    is_measured = has_value & (verdict.remedy == 0) & (verdict.cause != CAUSE_CODE[Rule.UPSAMPLED])
    quality = np.select(
        [is_measured, has_value | is_estimated, is_gap],
        [np.int8(_QUALITY_CODE[each]) for each in (Quality.GOOD, Quality.ESTIMATED, Quality.MISSING)],
        np.int8(_QUALITY_CODE[Quality.BAD]),
    )
    estimator = np.where(
        estimates.is_like_days, np.int8(REMEDY_CODE[Rule.LIKE_DAYS]), np.int8(REMEDY_CODE[Rule.INTERPOLATED])
    )
    known = np.where(is_gap, utc_us + step, verdict.known_us)
    known_estimate = np.maximum(estimates.available_us, np.where(is_gap, utc_us, verdict.known_us))
    decision = Decision(
        verdict.cause,
        np.where(is_estimated, estimator, verdict.remedy),
        quality,
        np.where(is_estimated, estimates.load_mw, verdict.load_mw),
        np.where(is_estimated, known_estimate, known),
    )
    return decision if edited is None else _overruled(decision, edited)


def _overruled(decision: Decision, edited: Edited) -> Decision:
    where, is_bad = edited.is_edited, np.isnan(edited.load_mw)
    flag = np.where(is_bad, np.int8(_QUALITY_CODE[Quality.BAD]), np.int8(_QUALITY_CODE[Quality.EDITED]))
    return Decision(
        np.where(where, np.int8(CAUSE_CODE[Rule.EDIT]), decision.cause),
        np.where(where, np.int8(0), decision.remedy),
        np.where(where, flag, decision.quality),
        np.where(where, edited.load_mw, decision.load_mw),
        np.where(where, edited.known_us, decision.known_us),
    )


def to_rows(grid: Grid, decision: Decision, *, wanted: Booleans) -> pl.DataFrame:
    """CLEAN_READINGS of the wanted slots by series and time, and RECEIVED_MW."""
    row, slot = np.nonzero(wanted)
    raw = pl.Series(grid.load_mw[wanted]).fill_nan(None)
    rule = decision.cause[wanted].astype(np.int32) * len(REMEDIES) + decision.remedy[wanted]
    columns = {
        "series_id": pl.Series(grid.series_ids, dtype=pl.String()).gather(row),
        "valid_time": pl.Series(grid.clock.utc_us[slot]).cast(UTC_TIME),
        "load_mw": pl.Series(decision.load_mw[wanted]).fill_nan(None),
        "raw_load_mw": raw,
        "quality": pl.Series(_QUALITIES, dtype=pl.String()).gather(decision.quality[wanted]),
        "rule": _RULES.gather(rule),
        "available_at": pl.Series(decision.known_us[wanted]).cast(UTC_TIME),
        RECEIVED_MW: raw * pl.Series(grid.received_share[wanted]),
    }
    return pl.DataFrame(columns, schema={**CLEAN_READINGS, RECEIVED_MW: pl.Float64()})
