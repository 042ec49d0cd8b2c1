"""What moved a forecast: what weather, calendar and load contribute to its difference from an earlier one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from gridcast.domain.calendars import same_wall_time_days_before
from gridcast.domain.errors import UsageError
from gridcast.domain.quantiles import MEDIAN
from gridcast.evaluation.attribution import all_subsets, quantities_of, shapley
from gridcast.features.panel import Panel
from gridcast.features.windows import LONGEST_HORIZON, Inputs
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.workflows.forecasts.explained import Asked, Contributions, Explained, asked_of
from gridcast.workflows.forecasts.known import KnownPanel, known_at, known_panel
from gridcast.workflows.forecasts.refresh import Refresh, unrefreshed
from gridcast.workflows.readings.processed import Processed

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]

INPUT_GROUPS: Final = {
    "weather": ("temperature_c", "reference_temperature_c"),
    "calendar": ("hour_of_day", "weekday", "day_of_year", "holiday", "reference_weekday", "reference_holiday"),
    "recent_load": ("recent_load_mw", "reference_load_mw"),
}
"""Inputs of the model that are exchanged together for those of the reference window."""
NEWS: Final = ("newer_readings", "newer_weather")
"""What becomes known between two issue times."""
NEARER: Final = "nearer_issue_time"
"""What a later forecast says otherwise without any news, because less time lies ahead."""
_NOT_BY_LEAD: Final = ("series", "recent_load_mw")


def explain_against(
    forecaster: Forecaster, processed: Processed, explained: Explained, *, days: int, refresh: Refresh | None = None
) -> pl.DataFrame:
    """Why a forecast (`EXPLANATIONS`) differs from that of the same wall times so many local days earlier.

    Both are what `issue_forecast` gives with what was known at their issue times and the same `refresh`, or none.
    Contributions are Shapley values over `INPUT_GROUPS`, each taken from one window or the other, lead by lead
    (M. Sundararajan, A. Najmi 2020, The many Shapley values for model explanation). Where a clock change makes the
    earlier horizon shorter, its last hour stands twice.

    Raises:
        GridcastError: there are no readings before the earlier issue time, or the issue time is no interval start.
    """
    zones = {each.series_id: each.time_zone for each in processed.hierarchy.select(explained.series_ids)}
    known = known_at(processed, explained.issue_time, is_newest=explained.is_newest)
    now = known_panel(forecaster, known, issue_time=explained.issue_time)
    adapted = refresh or unrefreshed(forecaster, now.panel)
    parts = []
    for zone in dict.fromkeys(zones.values()):
        alike = replace(explained, series_ids=tuple(each for each in explained.series_ids if zones[each] == zone))
        back = _steps_back(now, days=days, time_zone=zone, leads=forecaster.leads)
        windows = asked_of(forecaster, adapted, now.panel, series_ids=alike.series_ids)
        parts.append(_contributions_against(windows, processed, now, explained=alike, back=back).rows(alike))
    return pl.concat(parts)


def explain_daily(
    forecaster: Forecaster,
    processed: Processed,
    explained: Explained,
    *,
    days: int,
    last: int,
    refresh: Refresh | None = None,
) -> pl.DataFrame:
    """`explain_against` of the forecast and of those issued at the same wall time on the days before it, `last` in all.

    Raises:
        GridcastError: see `explain_against`.
    """
    newest = np.array([explained.issue_time.replace(tzinfo=None)], dtype="datetime64[us]")
    zone = processed.hierarchy.time_zones[processed.hierarchy.root]
    parts = [explain_against(forecaster, processed, explained, days=days, refresh=refresh)]
    for back in range(1, last):
        earlier = same_wall_time_days_before(newest, days=back, time_zone=zone)[0].item().replace(tzinfo=UTC)
        issued = replace(explained, issue_time=earlier, is_newest=False)
        parts.append(explain_against(forecaster, processed, issued, days=days, refresh=refresh))
    return pl.concat(parts)


def explain_since(
    forecaster: Forecaster,
    processed: Processed,
    explained: Explained,
    *,
    since: datetime,
    refresh: Refresh | None = None,
) -> pl.DataFrame:
    """Why a forecast (`EXPLANATIONS`) differs from the one issued at `since`, where both speak of the same intervals.

    `newer_readings` is what readings add by not being what was forecast for them at `since`, `newer_weather` what
    temperatures add that became known since: Shapley values at the later issue time. `nearer_issue_time` is the rest,
    what the later forecast says otherwise while it knows nothing new. Both are adapted by the same `refresh`.

    Raises:
        UsageError: the two forecasts have no interval in common.
        GridcastError: there are no readings before `since`, or one of the times is no interval start.
    """
    issue_time = explained.issue_time
    _require_overlap(issue_time, since=since, horizon=forecaster.leads * forecaster.interval)
    known, earlier = known_at(processed, issue_time, is_newest=explained.is_newest), known_at(processed, since)
    before = known_panel(forecaster, earlier, issue_time=since)
    stale = replace(known, weather=earlier.weather)
    without = known_panel(forecaster, stale, issue_time=issue_time)
    now = known_panel(forecaster, known, issue_time=issue_time)
    adapted = refresh or unrefreshed(forecaster, now.panel)
    asked = asked_of(forecaster, adapted, now.panel, series_ids=explained.series_ids)
    first = asked.quantiles(asked.inputs(before.panel, origin=before.origin))
    passed = now.origin - now.panel.index_of(since)
    values = _values_of_news(asked, without, now, expected_mw=first[:, :passed, MEDIAN])
    common = forecaster.leads - passed
    reference, later = quantities_of(first)[:, passed:], values[:, :, :common]
    valid = now.panel.time[now.origin : now.origin + common]
    contribution = np.concatenate([shapley(later), (later[0] - reference)[np.newaxis]])
    return Contributions((*NEWS, NEARER), since, valid, valid, later[-1], reference, contribution).rows(explained)


def _values_of_news(asked: Asked, without: KnownPanel, now: KnownPanel, *, expected_mw: Floats) -> Floats:
    """Quantities (subset, series, lead, quantity) of `NEWS`; `without` is what is known without news of the weather."""
    told = []
    for has_readings, has_weather in all_subsets(len(NEWS)):
        panel = now.panel if has_weather else without.panel
        if not has_readings:
            panel = _as_expected(panel, rows=asked.rows, until=now.origin, expected_mw=expected_mw)
        told.append(asked.inputs(panel, origin=now.origin))
    return asked.quantities(told)


def _contributions_against(
    asked: Asked, processed: Processed, now: KnownPanel, *, explained: Explained, back: Ints
) -> Contributions:
    """Contributions of series of one clock; `back` (lead,) leads from the issue time to the intervals compared with."""
    forecaster, interval = asked.forecaster, asked.forecaster.interval
    issue_time = explained.issue_time + int(back[0]) * interval
    leads = min(int(back.max() - back[0]) + 1, LONGEST_HORIZON // interval)
    lead = np.clip(back - back[0], 0, leads - 1)
    before = known_panel(forecaster, known_at(processed, issue_time), issue_time=issue_time, leads=leads)
    there = asked.inputs(before.panel, origin=before.origin, leads=leads)
    reference = {name: values if name in _NOT_BY_LEAD else values[:, lead] for name, values in there.items()}
    inputs = asked.inputs(now.panel, origin=now.origin)
    values = asked.quantities([_mixed(inputs, reference, has=has) for has in all_subsets(len(INPUT_GROUPS))])
    return Contributions(
        groups=tuple(INPUT_GROUPS),
        reference_issue_time=issue_time,
        valid_time=now.panel.time[now.origin : now.origin + forecaster.leads],
        reference_valid_time=before.panel.time[before.origin + lead],
        forecast_mw=values[-1],
        reference_mw=values[0],
        contribution_mw=shapley(values),
    )


def _steps_back(now: KnownPanel, *, days: int, time_zone: str, leads: int) -> Ints:
    """How many intervals after the issue time (before: negative) the same wall times lie days earlier, (lead,)."""
    valid = now.panel.time[now.origin : now.origin + leads]
    earlier = same_wall_time_days_before(valid, days=days, time_zone=time_zone)
    steps: Ints = (earlier - valid[0]) // np.timedelta64(now.panel.interval)
    return steps


def _mixed(inputs: Inputs, reference: Inputs, *, has: npt.NDArray[np.bool_]) -> Inputs:
    """Inputs of the groups that `has` (group,) names, all others those of the reference."""
    taken = {name for group, is_in in zip(INPUT_GROUPS, has, strict=True) if is_in for name in INPUT_GROUPS[group]}
    return {name: (inputs if name in taken else reference)[name] for name in reference}


def _as_expected(panel: Panel, *, rows: Ints, until: int, expected_mw: Floats) -> Panel:
    """The panel as if the last loads before position `until` had come as expected, (series, step).

    Those that are missing stay missing, older ones that came late are missing too.
    """
    at = until - expected_mw.shape[1]
    load = panel.load_mw.copy()
    load[:, :at][panel.known_from[:, :at] > at] = np.nan
    span = slice(at, until)
    load[rows, span] = np.where(np.isnan(load[rows, span]), load[rows, span], expected_mw)
    return replace(panel, load_mw=load)


def _require_overlap(issue_time: datetime, *, since: datetime, horizon: timedelta) -> None:
    if not since < issue_time < since + horizon:
        raise UsageError(
            f"the forecasts issued {since:%Y-%m-%d %H:%MZ} and {issue_time:%Y-%m-%d %H:%MZ} have no interval in "
            f"common, or are in the wrong order; expected the first less than {horizon} before the second."
        )
