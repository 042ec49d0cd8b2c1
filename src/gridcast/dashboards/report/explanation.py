"""What moved the system's forecast: weather, calendar and load hour by hour, drawn, in words and in numbers."""

from typing import Final

import numpy as np
import polars as pl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gridcast.dashboards.report.content import ReportContent
from gridcast.dashboards.report.fan_chart import days_of, draw_time_axis
from gridcast.dashboards.report.figures import Chart
from gridcast.dashboards.report.numbers import megawatts
from gridcast.dashboards.report.svg import inline_svg
from gridcast.dashboards.report.tables import Cell, Table
from gridcast.dashboards.report.theme import LIGHT
from gridcast.evaluation.attribution import by_local_day, side_by_side
from gridcast.workflows.forecasts.explanation_words import in_words

_LOOKS: Final = {"weather": ("linear", "////"), "recent_load": ("model", ""), "calendar": ("naive", "....")}
"""Input group → colour and hatch."""
_PANELS: Final = {
    "": "Difference of the point forecast, MW",
    "width_80_": "Difference of the width of the 80 % band, MW",
}


def explanation_chart(content: ReportContent) -> Chart:
    """Contributions to the difference of the system's forecast from that of a week before, stacked, with their sum."""
    hours, groups = side_by_side(content.explanation), _groups(content.explanation)
    time_zone = content.time_zones.get(content.system_id, "UTC")
    peak = hours.sort("forecast_mw", descending=True, maintain_order=True).row(0, named=True)
    said = in_words(peak, groups=groups, time_zone=time_zone)
    title = f"What moved the forecast of {content.system_id}"
    figure = explanation_figure(hours, groups=groups, time_zone=time_zone)
    svg = inline_svg(figure, name="explanation", title=title, description=f"Peak: {said}.")
    return Chart(title, f"Peak: {said}.", Markup(svg))  # noqa: S704


def explanation_figure(hours: pl.DataFrame, *, groups: tuple[str, ...], time_zone: str) -> Figure:
    """Stacked contributions to the point forecast above, to the width of the band below; rows as of `side_by_side`."""
    figure = Figure(figsize=(11.0, 4.6), layout="constrained")
    for axes, (quantity, title) in zip(figure.subplots(2, 1, height_ratios=(2, 1)), _PANELS.items(), strict=True):
        _draw_stack(axes, hours=hours, groups=groups, of=quantity)
        draw_time_axis(axes, time_zone=time_zone, is_large=not quantity)
        axes.set_title(title)
    figure.axes[0].legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(groups) + 1, borderaxespad=0.1)
    return figure


def explanation_table(content: ReportContent) -> Table:
    """A row per local day: mean forecast, mean of the one compared with, and the mean contributions."""
    groups = _groups(content.explanation)
    zones = {content.system_id: content.time_zones.get(content.system_id, "UTC")}
    days = by_local_day(side_by_side(content.explanation), time_zones=zones)
    figures = ("forecast_mw", "reference_mw", "change_mw", *(f"{group}_mw" for group in groups))
    band = ("width_80_forecast_mw", "width_80_change_mw")
    heads = (
        "forecast",
        "a week before",
        "difference",
        *(_label(group) for group in groups),
        "80 % band",
        "its difference",
    )
    rows = tuple(
        (Cell(f"{row['day']:%a %d %b}"), *(Cell(megawatts(row[name])) for name in (*figures, *band)))
        for row in days.iter_rows(named=True)
    )
    return Table("What moved the forecast: means of each local day, MW", ("day", *heads), rows)


def _draw_stack(axes: Axes, *, hours: pl.DataFrame, groups: tuple[str, ...], of: str) -> None:
    when = days_of(hours)
    width = float(np.diff(when).min()) if len(when) > 1 else 1 / 24
    above, below = np.zeros(len(when)), np.zeros(len(when))
    for group in groups:
        colour, hatch = _LOOKS[group]
        size = hours[f"{of}{group}_mw"].to_numpy()
        bottom = np.where(size > 0, above, below)
        axes.bar(
            when,
            size,
            width * 0.9,
            bottom,
            align="edge",
            color=LIGHT[colour],
            hatch=hatch,
            edgecolor=LIGHT["page"],
            linewidth=0,
            label=_label(group),
        )
        above, below = above + np.maximum(size, 0), below + np.minimum(size, 0)
    change = hours[f"{of}change_mw"].to_numpy()
    edges = np.append(when, when[-1] + width)
    axes.stairs(change, edges, baseline=None, color=LIGHT["ink"], lw=1.5, label="all together")
    axes.axhline(0.0, color=LIGHT["naive"], lw=1.0)


def _groups(explanation: pl.DataFrame) -> tuple[str, ...]:
    return tuple(explanation["input_group"].unique(maintain_order=True))


def _label(group: str) -> str:
    return group.replace("_", " ")
