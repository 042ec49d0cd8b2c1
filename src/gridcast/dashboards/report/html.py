"""The report as one HTML file that needs nothing else: no network, no script."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import polars as pl

from gridcast.dashboards.report.breakdown import breakdown_chart, breakdown_table
from gridcast.dashboards.report.calibration_chart import pooled
from gridcast.dashboards.report.comparison import comparison_chart, comparison_table, other_table
from gridcast.dashboards.report.content import ReportContent
from gridcast.dashboards.report.explanation import explanation_chart, explanation_table
from gridcast.dashboards.report.figures import accuracy_chart, calibration_chart, fan_charts, quality_chart
from gridcast.dashboards.report.files import write_whole
from gridcast.dashboards.report.numbers import local, utc, zone_name
from gridcast.dashboards.report.peaks import peak_parts
from gridcast.dashboards.report.tables import Table, band_table, lead_table, quality_table, rule_table, series_table
from gridcast.dashboards.report.theme import DARK, LIGHT, chart_style
from gridcast.dashboards.report.verdict import verdict


def render_report(content: ReportContent, path: Path) -> Path:
    """Writes the report to `path`, whole or not at all, and returns `path`; equal content gives equal bytes."""
    return write_whole(report_html(content).encode(), path=path)


def report_html(content: ReportContent) -> str:
    """The text of the page."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("gridcast.dashboards.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    with chart_style():
        parts = _parts(content)
    return environment.get_template("report.html.j2").render(parts)


def _parts(content: ReportContent) -> dict[str, Any]:
    target = content.targets.skill_vs_naive
    order = content.series_ids
    calibration = pooled(content.calibration) if content.calibration.height else content.calibration
    lead, replay = content.accuracy_by_lead, content.replay
    return {
        "content": content,
        "light": LIGHT,
        "dark": DARK,
        "generated": utc(content.generated_at),
        "verdict": verdict(content),
        "issued": _issued(content),
        "fans": fan_charts(content),
        "lead_chart": accuracy_chart(lead, target=target, name="lead") if lead.height else None,
        "lead_table": lead_table(lead, caption="Accuracy by lead time"),
        "breakdown_chart": breakdown_chart(content.breakdown, target=content.targets.coverage_80)
        if content.breakdown.height
        else None,
        "breakdown_table": _unless_empty(content.breakdown, breakdown_table),
        "comparison_chart": comparison_chart(content.comparison) if content.comparison.height else None,
        "comparison_table": _unless_empty(content.comparison, comparison_table),
        "other_table": _unless_empty(content.others, other_table),
        "calibration_chart": calibration_chart(calibration) if calibration.height else None,
        "band_table": band_table(calibration) if calibration.height else None,
        "series_table": _unless_empty(content.accuracy_by_series, series_table, order=order, targets=content.targets),
        **peak_parts(content),
        "quality_chart": quality_chart(content.quality_worst) if content.quality_worst.height else None,
        "rule_table": _unless_empty(content.quality_rules, rule_table),
        "quality_table": _unless_empty(content.data_quality, quality_table, order=order),
        "replay_chart": accuracy_chart(replay, target=target, name="replay") if replay.height else None,
        "replay_table": lead_table(replay, caption="Accuracy of the replayed forecasts by lead time"),
        "explanation_chart": explanation_chart(content) if content.explanation.height else None,
        "explanation_table": explanation_table(content) if content.explanation.height else None,
    }


def _unless_empty(frame: pl.DataFrame, build: Callable[..., Table], **how: Any) -> Table | None:
    return build(frame, **how) if frame.height else None


def _issued(content: ReportContent) -> str:
    if not content.fan.height:
        return ""
    issue = content.fan["issue_time"][0]
    time_zone = content.time_zones.get(content.system_id, "UTC")
    return f"{local(issue, time_zone=time_zone, has_year=True)}, {zone_name(time_zone, at=issue)}"
