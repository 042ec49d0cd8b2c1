"""Where the model is good and where not: loss and coverage by hour, weekday, season, holiday and level."""

from collections.abc import Sequence
from typing import Final

import polars as pl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from gridcast.dashboards.report.figures import Chart
from gridcast.dashboards.report.numbers import count, megawatts, percent
from gridcast.dashboards.report.svg import inline_svg
from gridcast.dashboards.report.tables import Cell, Table, skill_cell
from gridcast.dashboards.report.theme import FORECASTER_LABELS, LIGHT
from gridcast.domain.dimensions import Dimension

PANELS: Final = {
    Dimension.HOUR: "Local hour",
    Dimension.WEEKDAY: "Weekday",
    Dimension.SEASON: "Months",
    Dimension.HOLIDAY: "Kind of day",
    Dimension.LEVEL: "Level",
}
"""Dimensions that are drawn; lead time and series have sections of their own."""
_MARKERS: Final = {"model": "o", "linear": "s", "naive": "D"}


def breakdown_chart(breakdown: pl.DataFrame, *, target: tuple[float, float]) -> Chart:
    """A column of two small charts for each dimension of a `breakdowns` table: mean pinball loss, and coverage."""
    title = "Loss and coverage by hour, weekday, season, kind of day and level"
    model = breakdown.filter(pl.col("forecaster") == "model", pl.col("pinball_mw").is_not_null())
    said = "; ".join(
        f"{PANELS[dimension].lower()} {worst['value']}: {megawatts(worst['pinball_mw'])} MW"
        for dimension in PANELS
        for worst in model.filter(pl.col("dimension") == dimension).sort("pinball_mw").tail(1).iter_rows(named=True)
    )
    description = f"Where the model's mean pinball loss is largest: {said}. The table below holds every value."
    svg = inline_svg(breakdown_figure(breakdown, target=target), name="breakdown", title=title, description=description)
    return Chart(title, "", Markup(svg))  # noqa: S704


def breakdown_figure(breakdown: pl.DataFrame, *, target: tuple[float, float]) -> Figure:
    """Loss above, coverage of the 80 % band below, with the `target` it has to lie in; a column per dimension."""
    drawn = {name: breakdown.filter(pl.col("dimension") == name) for name in PANELS}
    drawn = {name: rows for name, rows in drawn.items() if rows.height}
    values = {name: rows["value"].unique(maintain_order=True).to_list() for name, rows in drawn.items()}
    figure = Figure(figsize=(11.0, 4.2), layout="constrained")
    ratios = [max(len(each), 3) ** 0.5 for each in values.values()]
    grid = figure.subplots(2, len(drawn), squeeze=False, sharex="col", height_ratios=(3, 2), width_ratios=ratios)
    for place, (name, rows) in enumerate(drawn.items()):
        _draw_loss(grid[0, place], rows=rows, values=values[name])
        _draw_coverage(grid[1, place], rows=rows, values=values[name], target=target)
        grid[0, place].set_title(PANELS[name])
    grid[0, 0].set_ylabel("mean pinball, MW")
    grid[1, 0].set_ylabel("in 80 % band")
    return figure


def breakdown_table(breakdown: pl.DataFrame) -> Table:
    """A row per dimension and value: the model's scores, with the baselines' loss beside its own."""
    heads = (
        *("by", "value", "n", "missing", "pinball, MW", "linear's, MW", "naive's, MW"),
        *("skill vs naive", "MASE", "80 % band holds", "90 % band holds"),
    )
    losses = {
        (row["forecaster"], row["dimension"], row["value"]): row["pinball_mw"]
        for row in breakdown.iter_rows(named=True)
    }
    rows = tuple(
        (
            Cell(PANELS[Dimension(row["dimension"])].lower()),
            Cell(row["value"]),
            Cell(count(row["n"])),
            Cell(percent(row["missing_share"])),
            Cell(megawatts(row["pinball_mw"])),
            *(Cell(megawatts(losses.get((each, row["dimension"], row["value"])))) for each in ("linear", "naive")),
            skill_cell(row["skill_pinball_vs_naive"]),
            Cell(megawatts(row.get("mase"))),
            Cell(percent(row["coverage_80"])),
            Cell(percent(row.get("coverage_90"))),
        )
        for row in breakdown.filter(
            pl.col("forecaster") == "model", pl.col("dimension").is_in([each.value for each in PANELS])
        ).iter_rows(named=True)
    )
    return Table("Accuracy of the model by clock, calendar and level", heads, rows)


def _draw_loss(axes: Axes, *, rows: pl.DataFrame, values: Sequence[str]) -> None:
    is_line = len(values) > len(Dimension)
    for name in FORECASTER_LABELS:
        points = _points(rows, values, forecaster=name, column="pinball_mw")
        if points:
            where, losses = zip(*points, strict=True)
            axes.plot(
                where,
                losses,
                color=LIGHT[name],
                marker=_MARKERS[name],
                ms=3.5 if is_line else 5.5,
                lw=1.3 if is_line else 0.0,
                label=FORECASTER_LABELS[name],
            )
    axes.set_ylim(bottom=0.0)


def _draw_coverage(axes: Axes, *, rows: pl.DataFrame, values: Sequence[str], target: tuple[float, float]) -> None:
    axes.axhspan(*target, color=LIGHT["tolerance"], lw=0)
    axes.axhline(0.8, color=LIGHT["muted"], lw=0.9, ls=(0, (4, 3)))
    points = _points(rows, values, forecaster="model", column="coverage_80")
    if points:
        where, shares = zip(*points, strict=True)
        axes.plot(where, shares, color=LIGHT["model"], marker="o", ms=4.0, lw=0.0)
        axes.set_ylim(min(0.6, *shares) - 0.02, max(0.95, *shares) + 0.02)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: percent(share, digits=0)))
    every = 6 if len(values) > len(Dimension) else 1
    axes.set_xticks(
        range(0, len(values), every),
        [_short(each, dimension=rows["dimension"][0]) for each in values[::every]],
        fontsize=7.5,
    )
    axes.set_xlim(-0.6, len(values) - 0.4)


def _points(rows: pl.DataFrame, values: Sequence[str], *, forecaster: str, column: str) -> list[tuple[int, float]]:
    of = rows.filter(pl.col("forecaster") == forecaster)
    found = dict(zip(of["value"].to_list(), of[column].to_list(), strict=True))
    return [(place, found[value]) for place, value in enumerate(values) if found.get(value) is not None]


def _short(value: str, *, dimension: str) -> str:
    return value[:3] if dimension == Dimension.WEEKDAY else value.removesuffix(" day")
