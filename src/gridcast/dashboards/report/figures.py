"""Every chart of the page with what is said about it: caption, spoken title and description."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl
from markupsafe import Markup

from gridcast.dashboards.report.accuracy_chart import accuracy_figure
from gridcast.dashboards.report.calibration_chart import calibration_figure
from gridcast.dashboards.report.content import ReportContent
from gridcast.dashboards.report.fan_chart import fan_figure
from gridcast.dashboards.report.numbers import local, megawatts, percent, zone_name
from gridcast.dashboards.report.quality_chart import quality_figure
from gridcast.dashboards.report.svg import inline_svg

MOST_FANS: Final = 40
"""Series that get a chart of their own: a page with thousands could not be opened."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One figure of the page; `svg` is None where there is nothing to draw."""

    heading: str
    caption: str
    svg: Markup | None


def fan_charts(content: ReportContent) -> tuple[Chart, ...]:
    """A chart for each of the first `MOST_FANS` series, the system large; one without a forecast gets words instead."""
    return tuple(
        _fan_chart(content, series_id=series_id, name=f"fan-{place}", is_large=place == 0)
        for place, series_id in enumerate(content.series_ids[:MOST_FANS])
    )


def accuracy_chart(scores: pl.DataFrame, *, target: float, name: str) -> Chart:
    """The loss and skill of a scorecard by lead bucket."""
    figure = accuracy_figure(scores, target=target)
    said = "; ".join(
        f"{row['lead_bucket']}: {megawatts(row['pinball_mw'])} MW"
        for row in scores.filter(pl.col("forecaster") == "model").iter_rows(named=True)
    )
    title = "Mean pinball loss by lead time"
    description = f"The model's mean pinball loss by lead time. {said}. The table below holds every value."
    return Chart(title, "", Markup(inline_svg(figure, name=name, title=title, description=description)))  # noqa: S704


def calibration_chart(table: pl.DataFrame) -> Chart:
    """Nominal against observed shares of a pooled calibration table."""
    title = "Calibration by lead time"
    description = "Share of actuals below each forecast quantile against its probability; on the diagonal is perfect."
    svg = inline_svg(calibration_figure(table), name="calibration", title=title, description=description)
    return Chart(title, "", Markup(svg))  # noqa: S704


def quality_chart(worst: pl.DataFrame) -> Chart:
    """Series with the most intervals that are estimated, bad or missing."""
    title = "Series with the most trouble"
    said = "; ".join(f"{row['series_id']}: {percent(row['troubled'])}" for row in worst.iter_rows(named=True))
    description = f"Share of intervals that are estimated, bad or missing. {said}."
    svg = inline_svg(quality_figure(worst), name="quality", title=title, description=description)
    return Chart(title, "", Markup(svg))  # noqa: S704


def _fan_chart(content: ReportContent, *, series_id: str, name: str, is_large: bool) -> Chart:
    fan = _of_series(content.fan, series_id=series_id)
    if not fan.height:
        return Chart(series_id, "No forecast for this series yet.", None)
    time_zone = content.time_zones.get(series_id, "UTC")
    actuals = _of_series(content.actuals, series_id=series_id)
    figure = fan_figure(fan, actuals=actuals, time_zone=time_zone, is_large=is_large)
    caption = _peak(fan, time_zone=time_zone) + (_scores(content, series_id=series_id) if not is_large else "")
    description = f"{caption} Times are {zone_name(time_zone, at=fan['issue_time'][0])}."
    svg = inline_svg(figure, name=name, title=f"Forecast of {series_id}", description=description)
    return Chart(series_id, caption, Markup(svg))  # noqa: S704


def _of_series(frame: pl.DataFrame, *, series_id: str) -> pl.DataFrame:
    return frame.filter(pl.col("series_id") == series_id) if frame.height else frame


def _peak(fan: pl.DataFrame, *, time_zone: str) -> str:
    top: dict[str, Any] = fan.sort("p50", "valid_time", descending=[True, False], nulls_last=True).row(0, named=True)
    when: datetime = top["valid_time"]
    band = f"{megawatts(top['p10'])} to {megawatts(top['p90'])}"
    return f"Peak {megawatts(top['p50'])} MW on {local(when, time_zone=time_zone)} (80\N{NO-BREAK SPACE}% band {band})."


def _scores(content: ReportContent, *, series_id: str) -> str:
    scores = _of_series(content.accuracy_by_series, series_id=series_id)
    model = scores.filter(pl.col("forecaster") == "model") if scores.height else scores
    if not model.height or model["skill_pinball_vs_naive"][0] is None:
        return ""
    return f" Skill against last week {percent(model['skill_pinball_vs_naive'][0], digits=0)}."
