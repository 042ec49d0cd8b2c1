"""The board of the control room: what is coming, how sure that is, and what operators changed."""

from typing import Final

from gridcast.dashboards.grafana import annotations, operations_rows, panels, runs, theme, variables
from gridcast.dashboards.grafana.board import board
from gridcast.dashboards.grafana.frames import MEGAWATTS, SHARE, Drawn, Frame, properties
from gridcast.dashboards.grafana.queries import ZONES, rows
from gridcast.dashboards.grafana.sdk import dashboard

_NO_FORECAST: Final = "no forecast here: choose another time range, or run gridcast forecast"


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


def _facts() -> Drawn:
    text = "The forecast in the panels of this series: when it was issued, by which model, and how far readings reach."
    query = rows(operations_rows.FACTS)
    frame = Frame("$series: forecast shown", description=text, queries=[query], no_value=_NO_FORECAST, height=4)
    return panels.card(frame)


def _peak() -> Drawn:
    text = (
        "The next 24 hours of the forecast: the largest median, the largest upper end of the 80 % band, and the chance "
        "that the load of the riskiest interval is above the limit, read off its quantiles (5 % stands for 5 % or "
        "less, 95 % for 95 % or more). That the peak of all the hours is above it is at least as likely."
    )
    frame = Frame(
        "$series: peak of the next 24 hours",
        description=text,
        queries=[rows(operations_rows.PEAK)],
        no_value=_NO_FORECAST,
        unit=MEGAWATTS,
        decimals=1,
        height=4,
    )
    return panels.card(frame).override_by_name("above the limit", properties(unit=SHARE, decimals=0))


def _fan() -> Drawn:
    text = (
        "Bands hold the load with a probability of 50 and 80 %. Left of 'issued' is what had been forecast before each "
        "interval, right of it the forecast shown; dashed is what operators made of it."
    )
    queries = [rows(runs.fan())]
    frame = Frame(
        "$series", description=text, queries=queries, no_value=_NO_FORECAST, unit=MEGAWATTS, width=24, height=12
    )
    return panels.fan(frame)


def _change() -> Drawn:
    text = "Median of the forecast shown minus median of the one issued before it, of the same intervals."
    frame = Frame(
        "$series: change since the last issue",
        description=text,
        queries=[rows(operations_rows.CHANGE)],
        no_value=_NO_FORECAST,
        unit=MEGAWATTS,
    )
    return panels.bars_over_time(frame, colors={"change": theme.between("issue")}, is_stacked=False)


def _days() -> Drawn:
    text = (
        "Largest median and largest upper end of the 80 % band of each local day, in the time zone of this board, and "
        "the chance that its riskiest interval is above the limit. The first and the last day are not whole."
    )
    query = rows(operations_rows.DAYS)
    frame = Frame("$series: days ahead", description=text, queries=[query], no_value=_NO_FORECAST)
    return panels.listing(frame, units={"p50": MEGAWATTS, "p90": MEGAWATTS, "above the limit": SHARE})


def _overrides() -> Drawn:
    text = "What operators set in place of forecasts, of every series, as far as it changes the forecast shown."
    query = rows(operations_rows.OVERRIDES)
    frame = Frame("Active overrides", description=text, queries=[query], no_value="no override", width=24, height=6)
    return panels.listing(frame)


def _fans() -> Drawn:
    text = "The forecast of each series chosen under 'Compared', drawn as above."
    queries = [rows(runs.fan(ZONES))]
    frame = Frame("$zones", description=text, queries=queries, no_value=_NO_FORECAST, unit=MEGAWATTS, width=8, height=7)
    return panels.fan(frame, has_names=False).repeat("zones").repeat_direction("h").max_per_row(3)
