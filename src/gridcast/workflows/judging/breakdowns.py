"""What scores of a history are broken down by and scaled with."""

from datetime import timedelta

import numpy as np
import polars as pl

from gridcast.domain.calendars import local_clock
from gridcast.evaluation.dimensions import SeriesFacts
from gridcast.evaluation.metrics import seasonal_scale
from gridcast.evaluation.scorecard import breakdowns
from gridcast.features.day_calendar import DAY_TERMS
from gridcast.features.panel import Panel
from gridcast.features.windows import intervals_per_day
from gridcast.workflows.readings.processed import Processed

WEEK_DAYS = 7
SCALE_DAYS = 365
"""MASE is measured against what repeating last week would have cost in so many days before the first origin."""


def scores_of(points: pl.DataFrame, processed: Processed, *, known: Panel, first: int) -> pl.DataFrame:
    """The scores of a scored frame by every dimension, MASE scaled on the history before position `first`."""
    return breakdowns(points, facts=series_facts(processed, known), scales_mw=week_scales(known, until=first))


def series_facts(processed: Processed, panel: Panel) -> SeriesFacts:
    """Zone and level of every series, and its holidays within the panel."""
    is_holiday = panel.calendar.holiday[..., DAY_TERMS.index("holiday")] > 0
    zones = processed.hierarchy.time_zones
    dates: dict[tuple[int, str], list[object]] = {}
    for series_id, row in zip(panel.series_ids, panel.zone_of_series.tolist(), strict=True):
        key = (row, zones[series_id])
        if key not in dates:
            dates[key] = np.unique(local_clock(panel.time[is_holiday[row]], time_zone=key[1]).date).tolist()
    days = [dates[row, zones[each]] for each, row in zip(panel.series_ids, panel.zone_of_series.tolist(), strict=True)]
    holidays = pl.DataFrame(
        {"series_id": panel.series_ids, "date": days}, schema={"series_id": pl.String, "date": pl.List(pl.Date)}
    )
    return SeriesFacts(
        time_zones=zones,
        levels={each.series_id: each.level.value for each in processed.hierarchy.series},
        holidays=holidays.explode("date").drop_nulls(),
    )


def week_scales(panel: Panel, *, until: int) -> dict[str, float]:
    """Mean absolute change of each series over a week, MW, in the last year before position `until`."""
    per_day = intervals_per_day(panel.interval)
    season = timedelta(days=WEEK_DAYS) // panel.interval
    history = panel.load_mw[:, max(0, until - (SCALE_DAYS + WEEK_DAYS) * per_day) : until].astype(np.float64)
    scales = [seasonal_scale(row, season=season) for row in history]
    return {name: scale for name, scale in zip(panel.series_ids, scales, strict=True) if np.isfinite(scale)}
