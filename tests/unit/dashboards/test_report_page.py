"""The report is one file that needs nothing else, shows every series, and survives hostile or absent content."""

import html.parser
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import matplotlib as mpl
import polars as pl
import pytest

from gridcast.dashboards.report.content import REQUIRED, ReportContent
from gridcast.dashboards.report.figures import MOST_FANS
from gridcast.dashboards.report.html import render_report, report_html
from gridcast.dashboards.report.picture import render_picture
from gridcast.dashboards.report.theme import DARK, LIGHT
from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import UTC_TIME
from gridcast.evaluation.peaks import PEAKS

ISSUE = datetime(2024, 6, 3, 5, tzinfo=UTC)
HOSTILE = "<script>alert('$x_1$')</script>\" onload=\"x & y"


def loads(series_id: str, *, start: datetime, hours: int) -> pl.DataFrame:
    times = pl.Series("valid_time", [start + timedelta(hours=hour) for hour in range(hours)], dtype=UTC_TIME)
    load = 100.0 + 20.0 * (2 * 3.14159 * times.dt.hour() / 24).sin()
    return pl.DataFrame({"series_id": [series_id] * hours, "valid_time": times, "load_mw": load})


def fan(series_id: str) -> pl.DataFrame:
    rows = loads(series_id, start=ISSUE, hours=48)
    offsets = {name: 3.0 * (place - 3) for place, name in enumerate(QUANTILE_COLUMNS)}
    quantiles = {name: pl.col("load_mw") + offset for name, offset in offsets.items()}
    return rows.with_columns(issue_time=pl.lit(ISSUE).cast(UTC_TIME), **quantiles).drop("load_mw")


def readings(series_id: str) -> pl.DataFrame:
    rows = loads(series_id, start=ISSUE - timedelta(hours=72), hours=90).with_row_index("row")
    quality = pl.when(pl.col("row") == 9).then(pl.lit("estimated")).otherwise(pl.lit("good"))
    return rows.with_columns(pl.when(pl.col("row") != 20).then("load_mw"), quality=quality).drop("row")


def scores(column: str, values: tuple[str, ...]) -> pl.DataFrame:
    losses = {"model": 1.0, "linear": 1.5, "naive": 2.5}
    return pl.DataFrame(
        {
            "forecaster": name,
            column: value,
            "n": 1234,
            "missing_share": 0.01,
            "pinball_mw": loss,
            "skill_pinball_vs_naive": 1.0 - loss / 2.5,
            "skill_pinball_vs_linear": 1.0 - loss / 1.5,
            "coverage_80": 0.7,
            "mape": 0.034,
        }
        for value in values
        for name, loss in losses.items()
    )


def calibration() -> pl.DataFrame:
    levels = [("quantile", each) for each in (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)] + [("band", 0.8), ("band", 0.9)]
    return pl.DataFrame(
        {"forecaster": "model", "lead_bucket": bucket, "kind": kind, "nominal": level, "observed": level, "n": 600}
        for bucket in ("0–6 h", "24–48 h")
        for kind, level in levels
    )


WORST = {"bad": 0.0, "missing": 0.075, "estimated": 0.05, "troubled": 0.125, "main_rule": "unit_slip"}


def full_content(*zones: str) -> ReportContent:
    ids = ("system", *(zones or ("zone_01", "zone_02")))
    flags = {"good": 700, "estimated": 40, "edited": 0, "bad": 0, "missing": 60}
    quality = {"rows": 800, **flags, "removed": 2, "spike": 3}
    return ReportContent(
        title="Forecasts of a small grid",
        generated_at=datetime(2024, 6, 3, 6, tzinfo=UTC),
        system_id="system",
        time_zones=dict.fromkeys(reversed(ids), "Europe/London"),
        headline={"skill_pinball_vs_naive": 0.6, "skill_pinball_vs_linear": 0.33, "coverage_80": 0.8, "n": 1234},
        fan=pl.concat(fan(each) for each in ids),
        actuals=pl.concat(readings(each) for each in ids),
        accuracy_by_lead=scores("lead_bucket", ("0–6 h", "24–48 h")),
        accuracy_by_series=scores("series_id", ids),
        calibration=calibration(),
        data_quality=pl.DataFrame([{"series_id": each, **quality} for each in ids]),
        quality_worst=pl.DataFrame([{"series_id": "zone_01", **WORST}]),
        quality_rules=pl.DataFrame([{"kind": "rule", "name": "spike", "series": 2, "rows": 6, "energy_mwh": -31.5}]),
        replay=scores("lead_bucket", ("0–6 h",)).filter(pl.col("forecaster") == "model"),
        model_card={"Model": "global quantile network"},
        reproduce=("make demo",),
    )


def bare_content() -> ReportContent:
    return ReportContent(
        title="Nothing yet",
        generated_at=datetime(2024, 6, 3, 6, tzinfo=UTC),
        system_id="system",
        time_zones={"zone_01": "Asia/Kolkata", "system": "Asia/Kolkata"},
    )


class Page(html.parser.HTMLParser):
    """Collects the tags of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data

    def count(self, tag: str) -> int:
        return sum(each == tag for each, _ in self.tags)


@pytest.fixture(scope="module")
def page_text() -> str:
    return report_html(full_content())


def test_the_page_loads_nothing_and_runs_nothing(page_text: str) -> None:
    page = Page(page_text)
    assert not re.search(r"https?:|//[a-z]", page_text)
    assert page.count("script") == page.count("link") == page.count("img") == page.count("iframe") == 0
    for tag, attributes in page.tags:
        assert "src" not in attributes, tag
        assert not [name for name in attributes if name.startswith("on")], tag
        assert (attributes.get("href") or "#").startswith("#"), tag
    assert set(re.findall(r"url\((.)", page_text)) <= {"#"}


def test_ids_are_unique_and_every_reference_has_its_target(page_text: str) -> None:
    page = Page(page_text)
    ids = Counter(attributes["id"] for _, attributes in page.tags if "id" in attributes)
    assert not [each for each, times in ids.items() if times > 1]
    referred = {attributes["href"] for _, attributes in page.tags if "href" in attributes}
    referred |= {f"#{each}" for each in re.findall(r"url\(#([^)]*)\)", page_text)}
    assert {each for each in referred if each and each[1:] not in ids} == set()


def test_every_series_has_its_figure_with_the_system_first(page_text: str) -> None:
    named = re.findall(r"<figcaption><h3>([^<]*)</h3>", page_text)
    assert named == ["system", "zone_02", "zone_01"]
    for place in range(3):
        assert f'<title id="fan-{place}-title">Forecast of {named[place]}</title>' in page_text


def test_many_series_get_their_charts_from_the_system_down_and_the_rest_is_told() -> None:
    zones = dict.fromkeys((f"meter_{number:03d}" for number in range(60)), "Europe/London")
    page = Page(report_html(replace(bare_content(), time_zones=zones)))
    assert page.words.count("No forecast for this series yet.") == MOST_FANS
    assert f"{MOST_FANS} of 61 series" in page.words


def test_the_quality_section_shows_the_worst_series_and_what_each_rule_did(page_text: str) -> None:
    assert "12.5 %  unit slip" in page_text
    assert "-31.5" in Page(page_text).words


def test_every_chart_and_table_says_what_it_is(page_text: str) -> None:
    page = Page(page_text)
    charts = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(charts) == 7
    assert all(chart["role"] == "img" and chart["aria-labelledby"] for chart in charts)
    assert page.count("figure") == page.count("figcaption") == 7
    assert page.count("table") == page.count("caption") == 6
    assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")
    assert [tag for tag, _ in page.tags].count("h1") == 1


def test_charts_are_well_formed_and_take_their_colours_from_the_page(page_text: str) -> None:
    for chart in re.findall(r"<svg .*?</svg>", page_text, re.DOTALL):
        ET.fromstring(chart)  # noqa: S314
        assert not [colour for colour in LIGHT.values() if colour in chart]
        assert set(re.findall(r"var\(--([a-z0-9-]+)\)", chart)) <= {*LIGHT, "font"}
    assert set(LIGHT) == set(DARK)


def test_the_local_clock_and_the_peak_are_told(page_text: str) -> None:
    assert "Mon 3 Jun 2024, 06:00, Europe/London (UTC+01:00)" in page_text
    assert "Peak 120 MW on Mon 3 Jun, 07:00 (80\N{NO-BREAK SPACE}% band 114 to 126)." in page_text


def test_equal_content_gives_equal_bytes_whatever_the_matplotlib_settings(page_text: str) -> None:
    with mpl.rc_context({"axes.facecolor": "red", "svg.hashsalt": "other", "font.size": 40}):
        assert report_html(full_content()) == page_text
    later = report_html(replace(full_content(), generated_at=datetime(2025, 1, 1, tzinfo=UTC)))
    assert later.replace("2025-01-01 00:00 UTC", "2024-06-03 06:00 UTC") == page_text


def test_hostile_text_stays_text() -> None:
    zone_free = full_content(HOSTILE)
    page = report_html(replace(zone_free, title=HOSTILE, measured=HOSTILE, model_card={HOSTILE: HOSTILE}))
    assert HOSTILE not in page
    parsed = Page(page)
    assert parsed.count("script") == 0
    assert not [name for _, attributes in parsed.tags for name in attributes if name.startswith("on")]
    assert parsed.words.count(HOSTILE) >= 6


def test_a_report_of_nothing_says_what_to_run_next() -> None:
    page = Page(report_html(bare_content()))
    assert page.count("svg") == page.count("table") == 0
    for command in ("forecast", "backtest", "stream", "prepare", "train"):
        assert f"gridcast {command}" in page.words
    assert "Not judged yet" in page.words
    assert page.words.count("No forecast for this series yet.") == 2


@pytest.mark.parametrize("name", sorted(name for name in REQUIRED if getattr(full_content(), name).height))
def test_any_frame_may_be_absent(name: str) -> None:
    assert "Forecasts of a small grid" in report_html(replace(full_content("zone_01"), **{name: pl.DataFrame()}))


def test_a_backtest_without_baselines_still_has_its_page() -> None:
    lone = scores("lead_bucket", ("0–6 h",)).filter(pl.col("forecaster") == "model")
    lone = lone.with_columns(skill_pinball_vs_naive=pl.lit(None, pl.Float64))
    page = report_html(replace(bare_content(), accuracy_by_lead=lone, calibration=calibration()))
    assert "Mean pinball loss, MW (lower is better)</text>" in page
    assert "Loss saved against last week repeated</text>" not in page


def test_the_file_appears_whole_with_its_folder(tmp_path: Path) -> None:
    target = tmp_path / "new" / "report.html"
    assert render_report(bare_content(), target) == target
    assert target.read_text(encoding="utf-8") == report_html(bare_content())
    assert target.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert [each.name for each in target.parent.iterdir()] == ["report.html"]


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    (target / "taken").mkdir(parents=True)
    with pytest.raises(OSError, match=r"report\.html"):
        render_report(bare_content(), target)
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("content", [full_content(HOSTILE), bare_content()], ids=["full and hostile", "bare"])
def test_the_picture_has_its_size(content: ReportContent, tmp_path: Path) -> None:
    data = render_picture(replace(content, title=HOSTILE), tmp_path / "overview.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(data[16:20]), int.from_bytes(data[20:24])) == (1600, 900)


def test_the_picture_is_the_same_for_the_same_content(tmp_path: Path) -> None:
    first, second = (render_picture(full_content(), tmp_path / name) for name in ("a.png", "b.png"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        pytest.param({"generated_at": datetime(2024, 1, 1, tzinfo=UTC).replace(tzinfo=None)}, "zone", id="no zone"),
        pytest.param({"fan": fan("system").drop("p95")}, "p95", id="missing column"),
        pytest.param(
            {"fan": pl.concat([fan("system"), fan("a").with_columns(pl.col("issue_time").dt.offset_by("1h"))])},
            "2 issue times",
            id="two issue times",
        ),
    ],
)
def test_content_that_cannot_be_shown_is_refused(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(full_content(), **wrong)


def judged_peaks(*, days: int = 12) -> pl.DataFrame:
    """Every second day exceeds the limit; the probability says so in three of four."""
    dates = [datetime(2024, 5, 1, tzinfo=UTC).date() + timedelta(days=day) for day in range(days)]
    offsets = {name: 100.0 + 3.0 * (place - 3) for place, name in enumerate(QUANTILE_COLUMNS)}
    rows = pl.DataFrame({"series_id": ["system"] * days, "date": dates}).with_columns(
        issue_time=pl.lit(ISSUE).cast(UTC_TIME),
        limit_mw=pl.lit(101.0),
        p_exceed=pl.Series([0.9, 0.1, 0.4, 0.2] * (days // 4)),
        actual_peak_mw=pl.Series([104.0, 98.0] * (days // 2)),
        days_ahead=pl.lit(1, pl.Int64),
        hour_18=pl.lit(1.0),
        **{name: pl.lit(value) for name, value in offsets.items()},
        **dict.fromkeys(("medians_hour", "likely_hour", "actual_hour"), pl.lit(18, pl.Int64)),
        **dict.fromkeys(("medians_peak_mw", "naive_peak_mw"), pl.lit(99.0)),
        **{name: pl.lit(0.0) for name in PEAKS if name.startswith("hour_") and name != "hour_18"},
    )
    return pl.concat([rows, rows.with_columns(series_id=pl.lit("zone_01"), limit_mw=pl.lit(None, pl.Float64))])


def test_the_peaks_section_shows_sizes_hours_and_the_alarm() -> None:
    page = report_html(replace(bare_content(), peaks=judged_peaks(), alarm_threshold=0.5))
    chart = re.search(r"<svg [^>]*peaks-title.*?</svg>", page, re.DOTALL)
    assert chart is not None
    ET.fromstring(chart[0])  # noqa: S314
    assert "Daily peaks of system" in chart[0]
    words = " ".join(Page(page).words.split())
    assert "an alarm from a probability of 50\N{NO-BREAK SPACE}% on" in Page(page).words
    assert re.search(r"system\s*12\s*50\.0\s%\s*0\.1050\s*58\.0\s%\s*3\s*0\s*3\s*6\s*75\.0\s%\s*100\.0\s%", words)
    assert "No daily peak has been judged yet" not in words


def test_peaks_without_a_limit_have_no_alarm_and_no_line() -> None:
    lone = judged_peaks().filter(series_id="zone_01").with_columns(series_id=pl.lit("system"))
    page = report_html(replace(bare_content(), peaks=lone))
    assert ">limit</text>" not in page
    assert ">limit</text>" in report_html(replace(bare_content(), peaks=judged_peaks()))
