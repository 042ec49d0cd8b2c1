"""The quality chart: the series with the most trouble, and what kind of trouble it is."""

from typing import Final

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from gridcast.dashboards.report.numbers import percent
from gridcast.dashboards.report.theme import LIGHT

_PARTS: Final = {"estimated": ("band-80", ""), "bad": ("bad", "////"), "missing": ("naive", "")}


def quality_figure(worst: pl.DataFrame) -> Figure:
    """A bar per series of a `worst_offenders` table, the worst on top."""
    figure = Figure(figsize=(11.0, 0.9 + 0.26 * worst.height), layout="constrained")
    draw_quality(figure.add_subplot(), worst=worst)
    return figure


def draw_quality(axes: Axes, *, worst: pl.DataFrame) -> None:
    """Draws the share of each series' intervals that is estimated, bad or missing."""
    rows = worst.reverse()
    left = [0.0] * rows.height
    for name, (colour, hatch) in _PARTS.items():
        share = rows[name].to_list()
        axes.barh(
            range(rows.height),
            share,
            0.7,
            left=left,
            label=name,
            color=LIGHT[colour],
            hatch=hatch,
            edgecolor=LIGHT["page"],
            linewidth=0,
        )
        left = [before + own for before, own in zip(left, share, strict=True)]
    for place, (total, rule) in enumerate(zip(left, rows["main_rule"].to_list(), strict=True)):
        note = f" {percent(total)}  {rule.replace('_', ' ')}"
        axes.annotate(note, (total, place), va="center", fontsize=7.5, color=LIGHT["muted"])
    axes.set_yticks(range(rows.height), rows["series_id"].to_list())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: percent(share)))
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.18)
    axes.legend(loc="lower right", fontsize=7.5)
