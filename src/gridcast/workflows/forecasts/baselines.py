"""The forecasters every model must beat, fitted on the same history and asked for the same windows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from gridcast.domain.lead_time import bucket_of_lead
from gridcast.domain.quantiles import QUANTILE_LEVELS
from gridcast.evaluation.baselines import LinearBaseline, NaiveWeek, fit_linear_baseline, fit_naive_week
from gridcast.features.day_calendar import LAG_DAYS
from gridcast.features.known_temperature import was_known
from gridcast.features.linear_terms import linear_terms
from gridcast.features.panel import Panel
from gridcast.features.windows import RECENT_DAYS, intervals_per_day, window_targets

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

TRAINING_DAYS = 730
"""Baselines learn from at most this many days before the first origin."""
FEWEST_ROWS = 500
"""A series with fewer complete training rows gets no regression: its forecasts are NaN and are not scored."""


@dataclass(frozen=True, slots=True)
class LinearBaselines:
    """One regression for each series with enough history."""

    by_series: Mapping[int, LinearBaseline]

    def forecast(self, panel: Panel, *, series: Ints, origin: Ints, leads: int) -> Floats:
        """Quantiles (window, lead, quantile), MW."""
        bucket = lead_buckets(leads, interval=panel.interval)
        parts = []
        for row, start in zip(series, origin, strict=True):
            if int(row) not in self.by_series:
                parts.append(np.full((leads, len(QUANTILE_LEVELS)), np.nan))
                continue
            design = linear_terms(panel, series=[row], origin=[start], leads=leads)[0]
            parts.append(self.by_series[int(row)].forecast(design, groups=bucket))
        return np.stack(parts)


def fit_linear_baselines(panel: Panel, *, until: int, leads: int) -> LinearBaselines:
    """A regression per series on the windows of daily origins whose horizon ends by position `until`.

    Of a panel with vintages, intervals whose temperature was not known at the origin are left out.
    """
    per_day = intervals_per_day(panel.interval)
    first = max(RECENT_DAYS * per_day, until - TRAINING_DAYS * per_day)
    origins = np.arange(first, until - leads + 1, per_day, dtype=np.int32)
    groups = np.tile(lead_buckets(leads, interval=panel.interval), len(origins))
    fits = {}
    for row in range(len(panel.series_ids)):
        series = np.full(len(origins), row)
        design = linear_terms(panel, series=series, origin=origins, leads=leads)
        target = window_targets(panel, series=series, origin=origins, leads=leads).astype(np.float64)
        target[~was_known(panel, series=series, origin=origins, leads=leads)] = np.nan
        terms, loads = design.reshape(-1, design.shape[-1]), target.ravel()
        if (np.isfinite(loads) & np.isfinite(terms).all(axis=1)).sum() >= FEWEST_ROWS:
            fits[row] = fit_linear_baseline(terms, loads, groups=groups)
    return LinearBaselines(fits)


def fit_naive(panel: Panel, *, until: int) -> NaiveWeek:
    """The weekly naive, its spread taken from the last years before position `until`."""
    first = max(0, until - TRAINING_DAYS * intervals_per_day(panel.interval))
    at = np.arange(first, until, dtype=np.int32)
    rows = np.repeat(np.arange(len(panel.series_ids), dtype=np.int32), len(at))
    positions = np.tile(at, len(panel.series_ids))
    actual = panel.load_mw[rows, positions].astype(np.float64)
    return fit_naive_week(actual, week_ago(panel, rows, positions), series_ids=np.array(panel.series_ids)[rows])


def naive_forecast(naive: NaiveWeek, panel: Panel, *, series: Ints, origin: Ints, leads: int) -> Floats:
    """Quantiles (window, lead, quantile), MW, of the weekly naive."""
    rows = np.repeat(series, leads)
    positions = (origin[:, np.newaxis] + np.arange(leads, dtype=np.int32)).ravel()
    quantiles = naive.forecast(week_ago(panel, rows, positions), series_ids=np.array(panel.series_ids)[rows])
    return quantiles.reshape(len(series), leads, -1)


def week_ago(panel: Panel, series: npt.NDArray[Any], position: npt.NDArray[Any]) -> Floats:
    """Load (point,), MW, at the same wall time seven local days before each position; NaN where unknown."""
    before = panel.calendar.lag[panel.zone_of_series[series], LAG_DAYS.index(7), position]
    load = panel.load_mw[series, np.maximum(before, 0)].astype(np.float64)
    return np.where(before >= 0, load, np.nan)


def lead_buckets(leads: int, *, interval: timedelta) -> npt.NDArray[np.str_]:
    """Label of the lead bucket of each lead, (lead,)."""
    return np.array([bucket_of_lead(lead * interval).label for lead in range(leads)])
