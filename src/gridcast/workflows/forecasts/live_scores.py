"""How the forecasts of a stream did, as soon as the last actual of a lead bucket is in."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Protocol

import polars as pl

from gridcast.domain.lead_time import LEAD_BUCKETS
from gridcast.domain.tables import Quality
from gridcast.evaluation.live_naive import (
    REACH,
    SPREAD,
    day_of_issue,
    naive_points,
    naive_spread,
    scores_beside_naive,
)
from gridcast.evaluation.scored import MODEL

FURTHEST: Final = LEAD_BUCKETS[-1].end
NAIVE_DAYS: Final = SPREAD + REACH + timedelta(days=1)
"""Of readings before the oldest forecast that is scored: its weekly naive, and how far that was off."""
_MEASURED: Final = (Quality.GOOD.value, Quality.EDITED.value)
_BY: Final = ("series_id", "issue_time", "layer", "lead_bucket", "model_version")


class Issued(Protocol):
    """Where forecasts are kept."""

    def forecasts_ahead(self, *, start: datetime, end: datetime, lead: timedelta, lead_end: timedelta) -> pl.DataFrame:
        """`FORECASTS` with start ≤ issue time < end and lead ≤ valid time − issue time < lead_end."""
        ...


def scores_due(
    issued: Issued, clean: pl.DataFrame, *, after: datetime, until: datetime, time_zones: Mapping[str, str]
) -> pl.DataFrame | None:
    """Scores of every lead bucket of a forecast that ended in after < end ≤ until; None if there are none.

    Args:
        issued: where forecasts are kept.
        clean: `CLEAN_READINGS` of these buckets, of which only measured ones count, and of `NAIVE_DAYS` before, from
            which the weekly naive is taken.
        after: up to when buckets had been scored.
        until: up to when actuals are in.
        time_zones: series → IANA zone.
    """
    moment = timedelta(microseconds=1)
    parts = [
        issued.forecasts_ahead(
            start=after - each.end + moment, end=until - each.end + moment, lead=each.start, lead_end=each.end
        )
        for each in LEAD_BUCKETS
    ]
    forecasts = pl.concat(parts)
    actual = clean.filter(pl.col("quality").is_in(_MEASURED)).select(
        "series_id", "valid_time", actual_mw=pl.col("load_mw")
    )
    points = forecasts.join(actual, on=["series_id", "valid_time"]).with_columns(forecaster=pl.lit(MODEL))
    if points.is_empty():
        return None
    naive = naive_beside(points, clean, time_zones=time_zones)
    return scores_beside_naive(points, naive, by=_BY)


def naive_beside(points: pl.DataFrame, clean: pl.DataFrame, *, time_zones: Mapping[str, str]) -> pl.DataFrame:
    """The weekly naive at the points of a scored frame, from `CLEAN_READINGS` that reach `NAIVE_DAYS` farther back."""
    days = points.select(day_of_issue().unique().sort()).to_series().to_list()
    spread = naive_spread(clean, days=days, time_zones=time_zones)
    return naive_points(points, clean, spread=spread, time_zones=time_zones)
