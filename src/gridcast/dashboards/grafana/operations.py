"""The board of the control room: what is coming, how sure that is, and what operators changed."""

from typing import Final

from gridcast.dashboards.grafana import annotations, chances, panels, runs, theme, variables
from gridcast.dashboards.grafana.board import board
from gridcast.dashboards.grafana.frames import MEGAWATTS, SHARE, Frame
from gridcast.dashboards.grafana.queries import POSTGRES, SERIES, ZONES, local, rows, time_of, within
from gridcast.dashboards.grafana.sdk import dashboard

_NO_FORECAST: Final = "no forecast here: choose another time range, or run gridcast forecast"
_RUN: Final = f"run AS (SELECT {runs.chosen()} AS issue_time)"
_OF_RUN: Final = f"issue_time = (SELECT issue_time FROM run) AND series_id = {SERIES} AND layer = 'model'"
_CHANCE: Final = chances.above("bound.limit_mw")

_FACTS: Final = f"""
SELECT to_char({local("issue_time")}, 'YYYY-MM-DD HH24:MI') AS "issued", model_version AS "model",
  (SELECT to_char({local("max(valid_time)")}, 'YYYY-MM-DD HH24:MI') FROM readings WHERE series_id = {SERIES})
  AS "newest reading"
FROM runs WHERE series_id = {SERIES} AND layer = 'model' AND issue_time = {runs.chosen()}
"""  # noqa: S608
_PEAK: Final = f"""
WITH {_RUN}, bound AS (SELECT {chances.limit("(SELECT issue_time FROM run)")} AS limit_mw)
SELECT max(p50) AS "median", max(p90) AS "upper end, 80 % band", max({_CHANCE}) AS "above the limit",
  min(limit_mw) AS "limit"
FROM forecasts CROSS JOIN bound
WHERE {_OF_RUN} AND valid_time < (SELECT issue_time FROM run) + 86400000000 HAVING count(*) > 0
"""  # noqa: S608
_DAYS: Final = f"""
WITH {_RUN}, bound AS (SELECT {chances.limit("(SELECT issue_time FROM run)")} AS limit_mw)
SELECT to_char({local("valid_time")}, 'YYYY-MM-DD') AS "day", max(p50) AS "p50", max(p90) AS "p90",
  to_char((array_agg({local("valid_time")} ORDER BY p50 DESC))[1], 'HH24:MI') AS "hour of p50",
  max({_CHANCE}) AS "above the limit"
FROM forecasts CROSS JOIN bound WHERE {_OF_RUN} GROUP BY 1 ORDER BY 1
"""  # noqa: S608
_CHANGE: Final = f"""
WITH {_RUN}, before AS (
  SELECT max(issue_time) AS issue_time FROM runs
  WHERE series_id = {SERIES} AND layer = 'model' AND issue_time < (SELECT issue_time FROM run)
)
SELECT {time_of("newer.valid_time")} AS "time", newer.p50 - older.p50 AS "change"
FROM forecasts AS newer JOIN forecasts AS older USING (series_id, valid_time, layer)
WHERE newer.issue_time = (SELECT issue_time FROM run) AND older.issue_time = (SELECT issue_time FROM before)
AND series_id = {SERIES} AND layer = 'model' AND {within("newer.valid_time")} ORDER BY 1
"""  # noqa: S608
_OVERRIDES: Final = f"""
SELECT series_id AS "series", {time_of("start")} AS "start", {time_of('"end"')} AS "end", operation, value, author,
  reason, {time_of("expires_at")} AS "expires"
FROM overrides WHERE withdrawn_at IS NULL AND expires_at > {runs.chosen()} ORDER BY "start"
"""  # noqa: S608


def operations() -> dashboard.Dashboard:
    """The board."""
    made = board(
        "Operations",
        uid="gridcast-operations",
        description="What load is coming, how sure that is, what changed since the last forecast and who overrode it.",
        span=("now-48h", "now+48h"),
        variables=[
            variables.datasource(),
            variables.series(),
            variables.zones(),
            variables.issue(),
            variables.ahead(),
            variables.limit(),
        ],
        annotations=[annotations.now(), annotations.issued(runs.chosen()), annotations.models()],
    )
    for panel in (_facts(), _peak(), _fan(), _change(), _days(), _overrides()):
        made = made.with_panel(panel)
    return made.with_row(dashboard.Row("Side by side")).with_panel(_fans())


def _facts() -> panels.stat.Panel:
    text = "The forecast in the panels of this series: when it was issued, by which model, and how far readings reach."
    return panels.card(
        Frame(
            title="$series: forecast shown",
            description=text,
            queries=[rows(_FACTS)],
            no_value=_NO_FORECAST,
            width=12,
            height=4,
        )
    )


def _peak() -> panels.stat.Panel:
    text = (
        "The next 24 hours of the forecast: the largest median, the largest upper end of the 80 % band, and the chance "
        "that the load of the riskiest interval is above the limit, read off its quantiles: 5 % stands for 5 % or less, "
        "95 % for 95 % or more. That a peak is above it at any time of the day is at least as likely."
    )
    frame = Frame(
        title="$series: peak of the next 24 hours",
        description=text,
        queries=[rows(_PEAK)],
        no_value=_NO_FORECAST,
        width=12,
        height=4,
        unit=MEGAWATTS,
        decimals=1,
    )
    return panels.card(frame).override_by_name("above the limit", panels.properties(unit=SHARE, decimals=0))


def _fan() -> panels.timeseries.Panel:
    text = (
        "Bands hold the load with a probability of 50 and 80 %. Left of 'issued' is what had been forecast before each "
        "interval, right of it the forecast shown; dashed is what operators made of it."
    )
    return panels.fan(
        Frame(
            title="$series",
            description=text,
            queries=[rows(runs.fan())],
            no_value=_NO_FORECAST,
            width=24,
            height=12,
            unit=MEGAWATTS,
        )
    )


def _change() -> panels.timeseries.Panel:
    text = "Median of the forecast shown minus median of the one issued before it, of the same intervals."
    frame = Frame(
        title="$series: change since the last issue",
        description=text,
        queries=[rows(_CHANGE)],
        no_value=_NO_FORECAST,
        unit=MEGAWATTS,
    )
    return panels.bars_over_time(frame, colors={"change": theme.between("issue")}, is_stacked=False)


def _days() -> panels.table.Panel:
    text = (
        "Largest median and largest upper end of the 80 % band of each local day, in the time zone of this board, and "
        "the chance that its riskiest interval is above the limit. The first and the last day are not whole."
    )
    units = {"p50": MEGAWATTS, "p90": MEGAWATTS, "above the limit": SHARE}
    return panels.listing(
        Frame(title="$series: days ahead", description=text, queries=[rows(_DAYS)], no_value=_NO_FORECAST), units=units
    )


def _overrides() -> panels.table.Panel:
    text = "What operators set in place of forecasts, of every series, as far as it changes the forecast shown."
    frame = Frame(
        title="Active overrides",
        description=text,
        queries=[rows(_OVERRIDES)],
        source=POSTGRES,
        no_value="no override is in force",
        width=24,
        height=6,
    )
    return panels.listing(frame)


def _fans() -> panels.timeseries.Panel:
    text = "The forecast of each series chosen under 'Compared', drawn as above."
    frame = Frame(
        title="$zones",
        description=text,
        queries=[rows(runs.fan(ZONES))],
        no_value=_NO_FORECAST,
        width=8,
        height=7,
        unit=MEGAWATTS,
    )
    return panels.fan(frame, has_names=False).repeat("zones").repeat_direction("h").max_per_row(3)
