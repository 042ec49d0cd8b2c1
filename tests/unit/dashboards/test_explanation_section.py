"""The report says what moved the system's forecast, or why it cannot."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from matplotlib.patches import Rectangle
from support.explanations import explanations

from gridcast.dashboards.report.content import ReportContent
from gridcast.dashboards.report.explanation import explanation_figure
from gridcast.dashboards.report.html import report_html
from gridcast.evaluation.attribution import side_by_side

START = datetime(2024, 6, 2, 20, tzinfo=UTC)
CONTENT = ReportContent(
    title="A grid",
    generated_at=datetime(2024, 6, 3, 6, tzinfo=UTC),
    system_id="system",
    time_zones={"system": "Europe/London"},
    explanation=explanations(start=START, hours=6),
)


def section(page: str) -> str:
    (found,) = re.findall(r'<section id="explanation".*?</section>', page, re.DOTALL)
    return found


def test_the_peak_is_told_in_words_on_the_local_clock() -> None:
    told = section(report_html(CONTENT))
    assert "Peak: forecast of system for Sun 2 Jun 2024, 21:00 (Europe/London): 100 MW" in told


def test_the_chart_stands_alone_and_the_table_has_a_row_for_each_local_day() -> None:
    told = section(report_html(CONTENT))
    (chart,) = re.findall(r"<svg .*?</svg>", told, re.DOTALL)
    assert ET.fromstring(chart).attrib["role"] == "img"  # noqa: S314
    assert [">weather<" in chart, ">calendar<" in chart, ">recent load<" in chart] == [True, True, True]
    days = re.findall(r'<th scope="row">([^<]*)</th>', told)
    assert days == ["Sun 02 Jun", "Mon 03 Jun"]


def test_stacks_end_where_contributions_of_each_sign_add_up_to() -> None:
    hours = side_by_side(CONTENT.explanation)
    figure = explanation_figure(hours, groups=("weather", "calendar", "recent_load"), time_zone="Europe/London")
    bars = [each for each in figure.axes[0].patches if isinstance(each, Rectangle)]
    assert max(bar.get_y() + bar.get_height() for bar in bars) == pytest.approx(5.0)
    assert min(bar.get_y() + bar.get_height() for bar in bars) == pytest.approx(-10.0)


def test_a_reason_takes_the_place_of_an_explanation_and_stays_text() -> None:
    empty = replace(CONTENT, explanation=CONTENT.explanation.clear(), explanation_note="<b>no readings</b>")
    told = section(report_html(empty))
    assert "Nothing to explain it with: &lt;b&gt;no readings&lt;/b&gt;" in told
    assert "<svg" not in told
    assert "gridcast forecast" in section(report_html(replace(empty, explanation_note="")))
