"""The calibration chart: how often the actual stayed below each forecast quantile, against how often it should."""

from typing import Final

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

from gridcast.dashboards.report.numbers import count, tick
from gridcast.dashboards.report.theme import LIGHT

TOLERANCE: Final = 0.04
"""Half-width of the shaded band around the diagonal, a share."""
ALL_LEADS: Final = "all leads"


def pooled(calibration: pl.DataFrame) -> pl.DataFrame:
    """The model's rows with one more bucket in front: all leads together, each weighted by its points."""
    model = calibration.filter((pl.col("forecaster") == "model") & pl.col("observed").is_not_null())
    together = model.group_by("kind", "nominal", maintain_order=True).agg(
        pl.lit(ALL_LEADS).alias("lead_bucket"),
        ((pl.col("observed") * pl.col("n")).sum() / pl.col("n").sum()).alias("observed"),
        pl.col("n").sum(),
    )
    columns = ("lead_bucket", "kind", "nominal", "observed", "n")
    return pl.concat([together.select(columns), model.select(columns)])


def calibration_figure(table: pl.DataFrame) -> Figure:
    """A square per lead bucket of a `pooled` table."""
    buckets = table["lead_bucket"].unique(maintain_order=True).to_list()
    figure = Figure(figsize=(11.0, 0.78 + 9.1 / max(len(buckets), 4)), layout="compressed")
    for axes, bucket in zip(figure.subplots(1, len(buckets), squeeze=False)[0], buckets, strict=True):
        draw_calibration(axes, points=table.filter(pl.col("lead_bucket") == bucket))
        axes.label_outer()
    return figure


def draw_calibration(axes: Axes, *, points: pl.DataFrame) -> None:
    """Draws the quantile levels of one lead bucket: nominal across, observed up, the diagonal is perfect."""
    levels = points.filter(pl.col("kind") == "quantile").sort("nominal")
    axes.fill_between([0, 1], [-TOLERANCE, 1 - TOLERANCE], [TOLERANCE, 1 + TOLERANCE], color=LIGHT["tolerance"], lw=0)
    axes.plot([0, 1], [0, 1], color=LIGHT["muted"], lw=0.9, ls=(0, (4, 3)))
    axes.plot(levels["nominal"], levels["observed"], color=LIGHT["model"], marker="o", ms=4.5, lw=1.4)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="forecast probability, %", ylabel="actuals below, %")
    axes.set_title(f"{points['lead_bucket'][0]}  (n = {count(points['n'].max())})", fontsize=8.5)  # type: ignore[arg-type]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator([0, 0.5, 1]))
        axis.set_major_formatter(FuncFormatter(lambda share, _: tick(100 * share)))
