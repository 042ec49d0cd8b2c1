"""The sections about strong and weak hours, and about others, draw what was measured and say where there is nothing."""

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import polars as pl
import pytest
from support.scored_frames import forecaster_rows, scored_frame

from gridcast.dashboards.report.breakdown import PANELS, breakdown_figure, breakdown_table
from gridcast.dashboards.report.comparison import comparison_figure, comparison_frame, comparison_table, other_scores
from gridcast.dashboards.report.content import ReportContent
from gridcast.dashboards.report.html import report_html
from gridcast.evaluation.bootstrap import Resampling
from gridcast.evaluation.comparison import compare_pairs
from gridcast.evaluation.dimensions import SeriesFacts
from gridcast.evaluation.scorecard import breakdowns, scorecard
from gridcast.workflows.forecasts.weather_use import WeatherKnown
from gridcast.workflows.judging.backtest import Backtest
from gridcast.workflows.judging.compare_models import Compared

ZONES = {"system": "Europe/London", "zone_01": "Europe/London"}
LEVELS = {"system": "system", "zone_01": "zone"}
ORIGINS = tuple(datetime(2024, 6, 1, tzinfo=UTC) + timedelta(days=day) for day in range(4))
TARGET = (0.76, 0.84)
ONE_BY_ONE = Resampling(block=1, samples=50)


@pytest.fixture(scope="module")
def breakdown() -> pl.DataFrame:
    holidays = pl.DataFrame({"series_id": ["system"], "date": [datetime(2024, 6, 2, tzinfo=UTC).date()]})
    return breakdowns(scored_frame(), facts=SeriesFacts(ZONES, LEVELS, holidays), scales_mw={"system": 2.0})


@pytest.fixture(scope="module")
def comparison() -> pl.DataFrame:
    frame = pl.concat(
        forecaster_rows(name, series=("system",), leads=6, issues=ORIGINS) for name in ("model", "naive")
    ).with_columns(pl.col("forecaster").replace({"model": "model 1"}))
    pairs = compare_pairs(frame, time_zone="UTC", resampling=ONE_BY_ONE)
    names = ("model 1", "naive")
    return comparison_frame([Compared(pairs, scorecard(frame), ORIGINS, names, "data", WeatherKnown.AS_ISSUED)])


def content(**frames: pl.DataFrame) -> ReportContent:
    return ReportContent(
        title="A grid",
        generated_at=datetime(2024, 6, 3, 6, tzinfo=UTC),
        system_id="system",
        time_zones=ZONES,
        **frames,  # type: ignore[arg-type]
    )


def test_a_column_of_two_charts_stands_for_each_dimension(breakdown: pl.DataFrame) -> None:
    figure = breakdown_figure(breakdown, target=TARGET)
    assert len(figure.axes) == 2 * len(PANELS)
    assert [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes[: len(PANELS)]] == [*PANELS.values()]
    (hours, weekdays, *_), coverage = figure.axes[: len(PANELS)], figure.axes[len(PANELS)]
    assert [len(line.get_xdata()) for line in hours.lines] == [24, 24, 24]
    model = breakdown.filter(pl.col("dimension") == "hour", pl.col("forecaster") == "model")
    assert list(hours.lines[0].get_ydata()) == pytest.approx(model["pinball_mw"].to_list())
    assert list(coverage.lines[-1].get_ydata()) == pytest.approx(model["coverage_80"].to_list())
    assert [len(line.get_xdata()) for line in weekdays.lines] == [5, 5, 5]
    days = figure.axes[len(PANELS) + 1].get_xticklabels()
    assert [tick.get_text() for tick in days] == ["Mon", "Tue", "Wed", "Sat", "Sun"]


def test_the_table_has_a_row_per_value_with_the_baselines_beside_the_model(breakdown: pl.DataFrame) -> None:
    table = breakdown_table(breakdown)
    assert len(table.rows) == 24 + 5 + 1 + 2 + 2
    assert [row[1].text for row in table.rows[-4:]] == ["ordinary day", "holiday", "system", "zone"]
    assert {len(row) for row in table.rows} == {len(table.heads)}
    naive = breakdown.filter(dimension="level", value="zone", forecaster="naive")["pinball_mw"].item()
    assert table.rows[-1][6].text == f"{naive:.3f}"


def test_an_interval_that_leaves_out_zero_is_a_filled_dot_and_a_coloured_cell(comparison: pl.DataFrame) -> None:
    pairs = comparison.filter(metric="pinball_mw")
    unsure = pairs.with_columns(low=pl.lit(-1.0), high=pl.lit(1.0), difference=pl.lit(0.0))
    figure = comparison_figure(pl.concat([pairs, unsure]))
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert dots[0].get_markerfacecolor() != dots[1].get_markerfacecolor()
    tones = [row[6].tone for row in comparison_table(pl.concat([pairs, unsure])).rows]
    assert tones == ["good", ""]


def test_the_page_shows_both_sections_and_every_other_judgement(
    breakdown: pl.DataFrame, comparison: pl.DataFrame
) -> None:
    kept = [
        Backtest(pl.DataFrame(), {}, ORIGINS, version, "", "data", WeatherKnown.AS_ISSUED, 0.0, breakdown)
        for version in ("7", "refit_P28D")
    ]
    page = report_html(content(breakdown=breakdown, comparison=comparison, others=other_scores(kept)))
    for chart in re.findall(r"<svg .*?</svg>", page, re.DOTALL):
        ET.fromstring(chart)  # noqa: S314
    assert page.count("<svg ") == 2
    assert "model 1 against naive" in page
    assert "2024-06-01 to 2024-06-04, as_issued" in page
    assert ">model 7</th>" in page
    assert ">trained again every 28 days</th>" in page


def test_the_page_says_which_command_makes_what_is_not_there() -> None:
    page = report_html(content())
    assert "gridcast compare champion challenger" in page
    assert "Where it is strong and where weak" in page
