"""The board of the analyst: how far forecasts were off, whether their bands hold, and what overrides were worth."""

from typing import Final

from gridcast.dashboards.grafana import accuracy_rows, annotations, panels, theme, variables
from gridcast.dashboards.grafana.board import board
from gridcast.dashboards.grafana.frames import MEGAWATTS, SHARE, Drawn, Frame, fixed, properties
from gridcast.dashboards.grafana.queries import Shape, rows
from gridcast.dashboards.grafana.sdk import dashboard
from gridcast.domain.lead_time import LEAD_BUCKETS

_NO_SCORES: Final = "no scores here: stream keeps them as actuals come in, gridcast score makes them anew"
_SHARES: Final = ("skill", "in 80 % band", "in 90 % band")
_DASHED: Final = {"fill": "dash", "dash": [4, 6]}
_BUCKETS: Final = {each.label: color for each, color in zip(LEAD_BUCKETS, theme.OF_BUCKETS, strict=True)}


def accuracy() -> dashboard.Dashboard:
    """The board."""
    made = board(
        "Forecast accuracy",
        uid="gridcast-accuracy",
        description="How far issued forecasts were off, by lead, hour and series, and whether their bands hold.",
        span=("now-30d", "now"),
        variables=[
            variables.datasource(),
            variables.series(),
            variables.zones(),
            variables.ahead(),
            variables.step("1d"),
        ],
        annotations=[annotations.models()],
    )
    by_lead = (_metric("MAE"), _against_naive(), _metric("bias"), _metric("pinball"))
    for panel in (*by_lead, _coverage(), _by_lead(), _by_hour()):
        made = made.with_panel(panel)
    made = made.with_row(dashboard.Row("Every series"))
    for panel in (_by_zone(), _against_others(), _value_added()):
        made = made.with_panel(panel)
    return made


_METRICS: Final = {
    "MAE": ("mae_mw", "Mean absolute error of the median"),
    "bias": ("bias_mw", "Mean of forecast − actual, above zero: forecast too high"),
    "pinball": ("pinball_mw", "Mean pinball loss over the seven quantiles, the error of the whole distribution"),
}


def _metric(name: str) -> Drawn:
    column, meaning = _METRICS[name]
    text = f"{meaning}, by lead bucket; a forecast counts where it was issued."
    query = rows(accuracy_rows.over_time(column), shape=Shape.LONG)
    frame = Frame(f"$series: {name} by lead", description=text, queries=[query], no_value=_NO_SCORES, unit=MEGAWATTS)
    panel = panels.lines(frame).axis_soft_min(0)
    for label, color in _BUCKETS.items():
        panel = panel.override_by_regexp(f"^{label}$", properties(color=fixed(color)))
    return panel


def _against_naive() -> Drawn:
    text = "Mean absolute error, all leads, beside that of repeating the week before, at the same points."
    query = rows(accuracy_rows.AGAINST_NAIVE)
    title = "$series: MAE against last week repeated"
    frame = Frame(title, description=text, queries=[query], no_value=_NO_SCORES, unit=MEGAWATTS)
    colors = {"model": theme.between("model"), "last week repeated": theme.between("naive")}
    return panels.lines(frame, colors=colors).axis_soft_min(0)


def _coverage() -> Drawn:
    text = (
        "Share of actuals inside the 80 and 90 % bands, all leads. Below its nominal line a band is too narrow, above "
        "it too wide."
    )
    frame = Frame(
        "$series: coverage",
        description=text,
        queries=[rows(accuracy_rows.COVERAGE)],
        no_value=_NO_SCORES,
        unit=SHARE,
        decimals=0,
        width=8,
    )
    model, other = theme.between("model"), theme.between("linear")
    panel = panels.lines(frame, colors={"80 % band": model, "90 % band": other}).axis_soft_min(0.5).max(1)
    for name, color in (("nominal 80 %", model), ("nominal 90 %", other)):
        looks = properties(color=fixed(color), custom_lineWidth=1, custom_lineStyle=_DASHED, custom_showPoints="never")
        panel = panel.override_by_name(name, looks)
    return panel


def _by_lead() -> Drawn:
    text = "Errors over the time range by how long before its interval a forecast was issued."
    query = rows(accuracy_rows.BY_LEAD)
    frame = Frame(
        "$series: error by lead", description=text, queries=[query], no_value=_NO_SCORES, unit=MEGAWATTS, width=8
    )
    return panels.bars(frame, along="lead", colors=_errors("MAE", "pinball", "bias"))


def _by_hour() -> Drawn:
    text = (
        "Errors by hour of the day, in the time zone of this board, of the forecasts chosen under 'Past forecasts'; "
        "measured intervals only."
    )
    query = rows(accuracy_rows.BY_HOUR)
    frame = Frame("$series: error by hour", description=text, queries=[query], unit=MEGAWATTS, width=8)
    return panels.bars(frame, along="hour", colors=_errors("MAE", "bias"))


def _by_zone() -> Drawn:
    text = (
        "Means over all leads of the time range, the largest error first. Skill is 1 − pinball loss ÷ that of "
        "repeating the week before: 0 is no better, below 0 worse."
    )
    query = rows(accuracy_rows.BY_ZONE)
    frame = Frame("Error by series", description=text, queries=[query], no_value=_NO_SCORES, width=24)
    units = dict.fromkeys(("MAE", "bias", "pinball"), MEGAWATTS) | dict.fromkeys(
        ("in 80 % band", "in 90 % band"), SHARE
    )
    return panels.listing(frame, units=units)


def _against_others() -> Drawn:
    text = (
        "Forecasts of others, such as the transmission system operator's, beside the last that gridcast had issued by "
        "then, not more than six hours before; above zero gridcast was better."
    )
    query = rows(accuracy_rows.AGAINST_OTHERS)
    empty = "no forecast of others has been scored here: see gridcast external"
    frame = Frame("Against other forecasts", description=text, queries=[query], no_value=empty, width=24, height=6)
    units = dict.fromkeys(("MAE", "MAE of source", "its bias"), MEGAWATTS) | {"better by": SHARE}
    return panels.listing(frame, units=units)


def _value_added() -> Drawn:
    text = (
        "Mean absolute error of the model and of what operators made of it, over the overridden intervals that are "
        "measured; value added is the difference, below zero where overrides made it worse."
    )
    query = rows(accuracy_rows.VALUE_ADDED)
    empty = "no overridden interval has been measured here"
    frame = Frame("Value added by overrides", description=text, queries=[query], no_value=empty, width=24, height=6)
    return panels.listing(frame, units=dict.fromkeys(("model", "operator", "value added"), MEGAWATTS))


def _errors(*names: str) -> dict[str, str]:
    colors = {"MAE": theme.between("model"), "pinball": theme.between("naive"), "bias": theme.between("issue")}
    return {name: colors[name] for name in names}
