"""Whether loads and temperatures of the newest days are spread as those of the same season before."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gridcast.evaluation.drift import WINDOW, outside_share, population_stability
from gridcast.evaluation.drift_detectors import Score

Floats = npt.NDArray[np.float64]

HOUR_GROUPS: Final = 6
"""Parts of the local day whose distributions are compared one by one."""
SEASON: Final = timedelta(days=45)
_YEAR: Final = timedelta(days=365.25)
_LEAST_LIMIT: Final = 0.25
_MARGIN: Final = 1.25
_FEWEST_WINDOWS: Final = 6
_RANGE_LIMIT: Final = 0.05
RANGE_LEARNED: Final = timedelta(days=365)
"""Of temperatures, before their range is one: a shorter history has not seen every season."""


def population_score(values: pl.DataFrame, *, end: datetime, learned_until: datetime, time_zone: str) -> Score | None:
    """How far the `WINDOW` days before `end` are from what was learned, against how far they were before.

    values: `valid_time`, `value`. The reference is the same season, within `SEASON` of the middle of the window, of
    everything learned before the window; the whole of it where that is less than a year. None without a reference.
    """
    rows = values.sort("valid_time").with_columns(
        group=pl.col("valid_time").dt.convert_time_zone(time_zone).dt.hour().cast(pl.Int64) * HOUR_GROUPS // 24
    )
    newest = _stability(rows, end=end, learned_until=learned_until)
    if newest is None:
        return None
    length, begin = timedelta(days=WINDOW), rows["valid_time"].min()
    if not isinstance(begin, datetime):
        return None
    past = []
    for number in range(int((learned_until - begin) / length)):
        at = learned_until - number * length
        found = _stability(rows, end=at, learned_until=at - length)
        if found is not None and found.is_of_season == newest.is_of_season:
            past.append(found.psi)
    limit = _MARGIN * max(past) if len(past) >= _FEWEST_WINDOWS else float("inf")
    return Score(newest.psi, max(_LEAST_LIMIT, limit))


def range_score(temperatures: pl.DataFrame, *, end: datetime, learned_until: datetime) -> Score | None:
    """Share of the temperatures of the `WINDOW` days before `end` that lie outside all that was learned.

    None where less than `RANGE_LEARNED` was learned.
    """
    time, begin = pl.col("valid_time"), temperatures["valid_time"].min()
    if not isinstance(begin, datetime) or learned_until - begin < RANGE_LEARNED:
        return None
    newest = temperatures.filter(time >= end - timedelta(days=WINDOW), time < end)["value"].to_numpy()
    learned = temperatures.filter(time < learned_until)["value"].to_numpy()
    return Score(outside_share(newest.astype(np.float64), reference=learned.astype(np.float64)), _RANGE_LIMIT)


class _Stability(NamedTuple):
    psi: float
    is_of_season: bool


def _stability(rows: pl.DataFrame, *, end: datetime, learned_until: datetime) -> _Stability | None:
    length, time = timedelta(days=WINDOW), pl.col("valid_time")
    begin = end - length
    middle = begin + length / 2
    years = (middle - time).dt.total_seconds() / _YEAR.total_seconds()
    is_season = ((years - years.round()).abs() * _YEAR.days) <= SEASON.days
    before = rows.filter(time < min(learned_until, begin))
    same = before.filter(is_season & (years > 0.5))
    reference = same if not same.is_empty() else before
    sample = rows.filter(time >= begin, time < end)
    found = [
        population_stability(_values(sample, group), reference=_values(reference, group))
        for group in range(HOUR_GROUPS)
    ]
    known = [each for each in found if np.isfinite(each)]
    return _Stability(float(np.mean(known)), not same.is_empty()) if known else None


def _values(rows: pl.DataFrame, group: int) -> Floats:
    return rows.filter(pl.col("group") == group)["value"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
