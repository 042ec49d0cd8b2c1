"""The board of whoever keeps the data: what arrives, what was repaired, and where to look first."""

from typing import Final

from gridcast.dashboards.grafana import annotations, panels, quality_rows, theme, variables
from gridcast.dashboards.grafana.board import board
from gridcast.dashboards.grafana.frames import SECONDS, SHARE, Drawn, Frame, fixed, properties
from gridcast.dashboards.grafana.queries import Shape, rows
from gridcast.dashboards.grafana.sdk import dashboard
from gridcast.domain.tables import Quality

_NO_READINGS: Final = "no readings here: choose another time range or other series"
_FLAGS: Final = {
    Quality.GOOD: theme.between("good"),
    Quality.EDITED: theme.between("model"),
    Quality.ESTIMATED: theme.between("linear"),
    Quality.BAD: theme.between("bad"),
    Quality.MISSING: theme.between("naive"),
}


def data_quality() -> dashboard.Dashboard:
    """The board."""
    made = board(
        "Data quality",
        uid="gridcast-data-quality",
        description="What arrives, what the quality rules made of it, and which series need somebody.",
        span=("now-7d", "now"),
        variables=[variables.datasource(), variables.zones(), variables.step("1h")],
        annotations=[annotations.models()],
    )
    drawn = (_flags(), _shares(), _by_series(), _late(), _rules(), _corrections(), _events())
    for panel in drawn:
        made = made.with_panel(panel)
    return made


def _flags() -> Drawn:
    text = "Intervals of the chosen series by quality flag."
    query = rows(quality_rows.FLAGS, shape=Shape.LONG)
    frame = Frame("Quality flags", description=text, queries=[query], no_value=_NO_READINGS)
    panel = panels.bars_over_time(frame)
    for flag, color in _FLAGS.items():
        panel = panel.override_by_regexp(f"^{flag.value}$", properties(color=fixed(color)))
    return panel


def _shares() -> Drawn:
    text = "Share of intervals that were estimated, and of those that have no load because nothing could be estimated."
    query = rows(quality_rows.SHARES)
    frame = Frame("Estimated, and gaps", description=text, queries=[query], no_value=_NO_READINGS, unit=SHARE)
    colors = {"estimated": theme.between("linear"), "without a load": theme.between("bad")}
    return panels.lines(frame, colors=colors).min(0).axis_soft_max(0.1)


def _by_series() -> Drawn:
    text = "Share of each flag over the time range, the series with the fewest measured intervals first."
    query = rows(quality_rows.BY_SERIES)
    frame = Frame("Series, worst first", description=text, queries=[query], no_value=_NO_READINGS)
    return panels.listing(frame, units=dict.fromkeys(("measured", "estimated", "bad", "missing"), SHARE))


def _late() -> Drawn:
    text = (
        "The newest interval with a load of every forecast series, and how far it is behind the newest of any series."
    )
    query = rows(quality_rows.LATE)
    frame = Frame("Late series", description=text, queries=[query], no_value="no series has been forecast yet")
    return panels.listing(frame, units={"newest load": "dateTimeAsIso", "behind the others": SECONDS})


def _rules() -> Drawn:
    text = "Intervals by the rule that changed or marked them; docs/nomenclature.md says what each rule means."
    frame = Frame("Rules at work", description=text, queries=[rows(quality_rows.RULES)], no_value="no rule was needed")
    return panels.bars(frame, along="rule", colors={"intervals": theme.between("linear")})


def _corrections() -> Drawn:
    text = "Clean readings that a later tick replaced, by the interval they are about."
    query = rows(quality_rows.CORRECTIONS)
    frame = Frame("Replaced afterwards", description=text, queries=[query], no_value="nothing was replaced")
    return panels.bars_over_time(frame, colors={"replaced": theme.between("issue")})


def _events() -> Drawn:
    text = "What happened in the time range, newest first: models, refusals, series left out."
    query = rows(quality_rows.EVENTS)
    frame = Frame("Events", description=text, queries=[query], no_value="nothing happened", width=24)
    return panels.listing(frame)
