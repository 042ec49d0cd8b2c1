"""The report at a glance, as one wide picture."""

import io
from pathlib import Path
from typing import Final

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from gridcast.dashboards.report.accuracy_chart import draw_loss
from gridcast.dashboards.report.calibration_chart import ALL_LEADS, draw_calibration, pooled
from gridcast.dashboards.report.content import ReportContent
from gridcast.dashboards.report.fan_chart import draw_fan
from gridcast.dashboards.report.files import write_whole
from gridcast.dashboards.report.numbers import percent, zone_name
from gridcast.dashboards.report.theme import LIGHT, chart_style

SIZE: Final = (1600, 900)
"""Width and height, pixels."""
_DPI: Final = 133


def render_picture(content: ReportContent, path: Path) -> Path:
    """Writes a PNG of `SIZE` to `path`, whole or not at all: system forecast, loss by lead time, calibration."""
    buffer = io.BytesIO()
    with chart_style():
        figure = _figure(content)
        figure.savefig(buffer, format="png", dpi=_DPI, facecolor=LIGHT["page"], metadata={"Software": None})
    return write_whole(buffer.getvalue(), path=path)


def _figure(content: ReportContent) -> Figure:
    layout = ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.12, hspace=0.03, wspace=0.03)
    figure = Figure(figsize=(SIZE[0] / _DPI, SIZE[1] / _DPI), layout=layout)
    figure.suptitle(content.title, x=0.013, ha="left", fontsize=15, fontweight="bold")
    grid = figure.add_gridspec(2, 2, height_ratios=(1.25, 1.0), width_ratios=(1.9, 1.0))
    _draw_system(figure.add_subplot(grid[0, :]), content=content)
    _draw_lead(figure.add_subplot(grid[1, 0]), content=content)
    _draw_calibration(figure.add_subplot(grid[1, 1]), content=content)
    return figure


def _draw_system(axes: Axes, *, content: ReportContent) -> None:
    fan = content.fan.filter(pl.col("series_id") == content.system_id) if content.fan.height else content.fan
    if not fan.height:
        _say(axes, "no forecast has been issued yet")
        return
    actuals = content.actuals
    actuals = actuals.filter(pl.col("series_id") == content.system_id) if actuals.height else actuals
    time_zone = content.time_zones.get(content.system_id, "UTC")
    draw_fan(axes, fan=fan, actuals=actuals, time_zone=time_zone, is_large=True)
    axes.set_title(f"Load of {content.system_id}, {zone_name(time_zone, at=fan['issue_time'][0])}")
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=6, borderaxespad=0.1, handlelength=1.6)


def _draw_lead(axes: Axes, *, content: ReportContent) -> None:
    if not content.accuracy_by_lead.height:
        _say(axes, "no backtest yet")
        return
    draw_loss(axes, scores=content.accuracy_by_lead)
    axes.legend(loc="upper left", ncols=3, handlelength=1.4)
    axes.margins(y=0.28)
    skill = content.headline.get("skill_pinball_vs_naive")
    saved = f": {percent(skill, digits=0)} below last week repeated" if skill is not None else ""
    axes.set_title(f"Mean pinball loss, MW{saved}")


def _draw_calibration(axes: Axes, *, content: ReportContent) -> None:
    if not content.calibration.height:
        _say(axes, "no calibration yet")
        return
    table = pooled(content.calibration)
    draw_calibration(axes, points=table.filter(pl.col("lead_bucket") == ALL_LEADS))
    covered = content.headline.get("coverage_80")
    held = f"; 80 % band holds {percent(covered)}" if covered is not None else ""
    axes.set_title(f"Calibration{held}")


def _say(axes: Axes, text: str) -> None:
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", color=LIGHT["muted"], fontsize=11)
