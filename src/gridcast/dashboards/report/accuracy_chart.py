"""Accuracy by lead time: the loss of each forecaster, and what the model saves against last week repeated."""

from typing import Final

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from gridcast.dashboards.report.numbers import megawatts, percent
from gridcast.dashboards.report.theme import FORECASTER_LABELS, LIGHT

_HATCHES: Final = {"model": "", "linear": "////", "naive": ""}
_MARKERS: Final = {"model": "o", "linear": "s"}


def accuracy_figure(scores: pl.DataFrame, *, target: float) -> Figure:
    """Loss on the left and skill on the right; the loss alone when nothing was compared with the naive."""
    figure = Figure(figsize=(11.0, 3.2), layout="constrained")
    if _has_skill(scores):
        left, right = figure.subplots(1, 2, width_ratios=(1.25, 1.0))
        draw_skill(right, scores=scores, target=target)
    else:
        left = figure.add_subplot()
    draw_loss(left, scores=scores)
    return figure


def draw_loss(axes: Axes, *, scores: pl.DataFrame) -> None:
    """Draws a bar per lead bucket and forecaster: mean pinball loss, MW."""
    buckets = scores["lead_bucket"].unique(maintain_order=True).to_list()
    forecasters = [name for name in FORECASTER_LABELS if name in scores["forecaster"]]
    width = 0.78 / max(len(forecasters), 1)
    for place, name in enumerate(forecasters):
        loss = _by_bucket(scores, forecaster=name, column="pinball_mw")
        positions = [index + (place - (len(forecasters) - 1) / 2) * width for index in range(len(buckets))]
        heights = [loss.get(bucket) or 0.0 for bucket in buckets]
        bars = axes.bar(
            positions,
            heights,
            width * 0.94,
            color=LIGHT[name],
            label=FORECASTER_LABELS[name],
            hatch=_HATCHES[name],
            edgecolor=LIGHT["page"],
            linewidth=0,
        )
        labels = [megawatts(loss.get(bucket)) for bucket in buckets]
        axes.bar_label(bars, labels, fontsize=7.0, padding=1.5, color=LIGHT["muted"])
    axes.set_xticks(range(len(buckets)), buckets)
    axes.grid(visible=False, axis="x")
    axes.set_title("Mean pinball loss, MW (lower is better)")
    axes.set_xlabel("lead time")
    axes.margins(y=0.1)


def draw_skill(axes: Axes, *, scores: pl.DataFrame, target: float) -> None:
    """Draws the share of the naive's loss that model and regression save, by lead bucket, with the target."""
    buckets = scores["lead_bucket"].unique(maintain_order=True).to_list()
    for name, marker in _MARKERS.items():
        skill = _by_bucket(scores, forecaster=name, column="skill_pinball_vs_naive")
        points = [(index, skill[bucket]) for index, bucket in enumerate(buckets) if skill.get(bucket) is not None]
        if points:
            where, saved = zip(*points, strict=True)
            axes.plot(where, saved, marker=marker, ms=5, lw=1.8, color=LIGHT[name], label=FORECASTER_LABELS[name])
    axes.axhline(target, color=LIGHT["good"], lw=1.0, ls=(0, (4, 3)))
    axes.annotate(
        f"target {percent(target, digits=0)}",
        (0.01, target),
        xycoords=("axes fraction", "data"),
        ha="left",
        va="bottom",
        fontsize=7.5,
        color=LIGHT["good"],
    )
    axes.axhline(0.0, color=LIGHT["naive"], lw=1.2)
    axes.set_xticks(range(len(buckets)), buckets)
    axes.set_xlim(-0.4, len(buckets) - 0.6)
    axes.set_ylim(top=1.0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: percent(share, digits=0)))
    axes.set_title("Loss saved against last week repeated")
    axes.set_xlabel("lead time")


def _by_bucket(scores: pl.DataFrame, *, forecaster: str, column: str) -> dict[str, float | None]:
    rows = scores.filter(pl.col("forecaster") == forecaster)
    return dict(zip(rows["lead_bucket"].to_list(), rows[column].to_list(), strict=True))


def _has_skill(scores: pl.DataFrame) -> bool:
    compared = scores.filter(pl.col("forecaster").is_in(list(_MARKERS)))["skill_pinball_vs_naive"]
    return compared.null_count() < len(compared)
