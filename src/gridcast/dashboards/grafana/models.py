"""The board of whoever trains: which model speaks, since when, how it does, and whether the world has drifted."""

from typing import Final

from gridcast.dashboards.grafana import annotations, model_rows, panels, theme, variables
from gridcast.dashboards.grafana.board import board
from gridcast.dashboards.grafana.frames import MEGAWATTS, SHARE, Drawn, Frame
from gridcast.dashboards.grafana.queries import PROMETHEUS, Shape, rows, samples
from gridcast.dashboards.grafana.sdk import dashboard
from gridcast.monitoring import metric_names

_NO_SCORES: Final = "no scores here: choose another time range, or run gridcast score"
_NO_TRIAL: Final = "no model was on trial in this time range"
_DRIFT: Final = f'max by (series_id, detector) ({metric_names.DRIFT.name}{{series_id=~"$zones"}})'


def models() -> dashboard.Dashboard:
    """The board."""
    made = board(
        "Models",
        uid="gridcast-models",
        description="Which model forecasts come from, how each version does on what was issued, promotions and drift.",
        span=("now-30d", "now"),
        variables=[
            variables.datasource(),
            variables.metrics(),
            variables.series(),
            variables.zones(),
            variables.step("1d"),
        ],
        annotations=[annotations.models()],
    )
    trial = (_trial(), _trials())
    for panel in (_in_charge(), _versions(), _errors(), _scores(), *trial, _drift(), _history()):
        made = made.with_panel(panel)
    return made


def _in_charge() -> Drawn:
    text = "The model that the newest forecast of this series is from."
    query = rows(model_rows.IN_CHARGE)
    frame = Frame("$series: in charge", description=text, queries=[query], no_value="no forecast yet", width=6)
    return panels.card(frame)


def _versions() -> Drawn:
    text = "Issued forecasts of the chosen series by the version that made them; lines mark promotions."
    query = rows(model_rows.VERSIONS, shape=Shape.LONG)
    frame = Frame("Versions", description=text, queries=[query], no_value="no forecast was issued here", width=18)
    return panels.bars_over_time(frame)


def _errors() -> Drawn:
    text = "Mean absolute error of the chosen series by version; a forecast stands at its issue time."
    query = rows(model_rows.ERRORS, shape=Shape.LONG)
    frame = Frame("MAE by version", description=text, queries=[query], no_value=_NO_SCORES, unit=MEGAWATTS)
    return panels.lines(frame).axis_soft_min(0)


def _scores() -> Drawn:
    text = "Scores over the time range. Versions that issued at different times met different weather."
    query = rows(model_rows.SCORES)
    frame = Frame("Scores by version and lead", description=text, queries=[query], no_value=_NO_SCORES)
    units = dict.fromkeys(("MAE", "bias", "pinball"), MEGAWATTS) | dict.fromkeys(
        ("in 80 % band", "in 90 % band"), SHARE
    )
    return panels.listing(frame, units=units)


def _trial() -> Drawn:
    text = (
        "Pinball loss of the model on trial and of the one in charge, over forecasts that both issued; lower is better."
    )
    query = rows(model_rows.TRIAL)
    frame = Frame("On trial against in charge", description=text, queries=[query], no_value=_NO_TRIAL, unit=MEGAWATTS)
    colors = {"in charge": theme.between("model"), "on trial": theme.between("linear")}
    return panels.lines(frame, colors=colors).axis_soft_min(0)


def _trials() -> Drawn:
    text = "The same by model and series over the time range; above zero the model on trial was better."
    query = rows(model_rows.TRIALS)
    frame = Frame("Trials by series", description=text, queries=[query], no_value=_NO_TRIAL)
    return panels.listing(frame, units={"MAE on trial": MEGAWATTS, "MAE in charge": MEGAWATTS, "better by": SHARE})


def _drift() -> Drawn:
    text = "Score of each drift detector over its limit: above 1 the series is no longer what the model learned from."
    query = samples(_DRIFT, legend="{{series_id}} {{detector}}")
    frame = Frame(
        "Drift",
        description=text,
        queries=[query],
        source=PROMETHEUS,
        no_value="no drift check has been scraped: run gridcast drift",
        decimals=2,
    )
    return panels.limited(panels.lines(frame, step="1m"), at=1.0)


def _history() -> Drawn:
    text = "Promotions, refusals, roll-backs, trials and take-overs in the time range, newest first."
    query = rows(model_rows.HISTORY)
    frame = Frame("Promotions", description=text, queries=[query], no_value="no model was promoted here")
    return panels.listing(frame)
