"""Numbers read well, the verdict follows the targets, charts keep the local clock, tables highlight what is off."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from gridcast.dashboards.report import numbers
from gridcast.dashboards.report.calibration_chart import pooled
from gridcast.dashboards.report.content import ReportContent, Targets
from gridcast.dashboards.report.fan_chart import fan_figure
from gridcast.dashboards.report.tables import band_table, lead_table, quality_table, series_table
from gridcast.dashboards.report.verdict import Verdict, verdict
from gridcast.domain.quantiles import QUANTILE_COLUMNS

GOOD = {
    "skill_pinball_vs_naive": 0.45,
    "skill_pinball_vs_linear": 0.01,
    "coverage_80": 0.76,
    "pinball_model": 1.0,
    "pinball_linear": 1.5,
    "pinball_naive": 2.5,
    "n": 83664,
}
SPACE = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.00391, "0.0039"), (0.0999, "0.0999"), (0.16, "0.160"), (9.99, "9.99"), (9.996, "10.0"), (99.97, "100"),
     (1834.6, "1,835"), (-0.5, "−0.500"), (0.0, "0.0000"), (None, "—"), (float("nan"), "—")],
)  # fmt: skip
def test_megawatts_have_three_digits(value: float | None, text: str) -> None:
    assert numbers.megawatts(value) == text


def test_shares_counts_and_ticks_read_well() -> None:
    assert numbers.percent(0.4567) == f"45.7{SPACE}%"
    assert numbers.percent(-0.02, digits=0) == f"−2{SPACE}%"
    assert numbers.percent(float("nan")) == numbers.count(None) == "—"
    assert numbers.count(250992) == "250,992"
    assert [numbers.tick(value) for value in (0.0, 7.5, 300.0, 1600.0, -20.0)] == ["0", "7.5", "300", "1,600", "−20"]


def test_zones_are_named_with_the_offset_of_the_moment() -> None:
    assert numbers.zone_name("Europe/London", at=datetime(2024, 7, 1, tzinfo=UTC)) == "Europe/London (UTC+01:00)"
    assert numbers.zone_name("Etc/GMT+5", at=datetime(2024, 7, 1, tzinfo=UTC)) == "Etc/GMT+5 (UTC−05:00)"
    assert numbers.zone_name("Asia/Kolkata", at=datetime(2024, 7, 1, tzinfo=UTC)) == "Asia/Kolkata (UTC+05:30)"


def judged(**headline: float | None) -> Verdict:
    return verdict(
        ReportContent(
            title="", generated_at=datetime(2024, 1, 1, tzinfo=UTC), system_id="s", time_zones={}, headline=headline
        )
    )


def test_scores_on_the_edge_of_their_targets_are_good_enough() -> None:
    result = judged(**GOOD)
    assert (result.status, result.answer) == ("met", "Good enough: all three targets met")
    assert "1.00 MW" in result.grounds
    assert "2.50 MW" in result.grounds


@pytest.mark.parametrize(
    ("worse", "place"),
    [
        pytest.param({"skill_pinball_vs_naive": 0.449}, 0, id="naive"),
        pytest.param({"skill_pinball_vs_linear": 0.0}, 1, id="linear"),
        pytest.param({"coverage_80": 0.759}, 2, id="bands too narrow"),
        pytest.param({"coverage_80": 0.841}, 2, id="bands too wide"),
    ],
)
def test_one_missed_target_is_not_good_enough_and_is_named(worse: dict[str, float], place: int) -> None:
    result = judged(**(GOOD | worse))
    assert result.answer == "Not good enough: one of three targets missed"
    assert [card.status for card in result.cards[:3]].index("missed") == place
    assert result.cards[place].name.lower() in result.grounds


@pytest.mark.parametrize("name", ["skill_pinball_vs_naive", "skill_pinball_vs_linear", "coverage_80"])
def test_without_a_deciding_score_nothing_is_judged(name: str) -> None:
    assert judged(**(GOOD | {name: None})).answer == "Not judged yet"


@pytest.mark.parametrize(
    ("time_zone", "midnight"),
    [
        pytest.param("Europe/London", datetime(2024, 3, 31, 23, tzinfo=UTC), id="London after the 23-hour day"),
        pytest.param("America/New_York", datetime(2024, 4, 1, 4, tzinfo=UTC), id="New York"),
        pytest.param("Australia/Melbourne", datetime(2024, 3, 31, 13, tzinfo=UTC), id="Melbourne"),
        pytest.param("Asia/Kolkata", datetime(2024, 3, 31, 18, 30, tzinfo=UTC), id="Kolkata, half past"),
    ],
)
def test_days_on_the_time_axis_begin_at_local_midnight(time_zone: str, midnight: datetime) -> None:
    issue = datetime(2024, 3, 30, tzinfo=UTC)
    rows = [(issue + timedelta(hours=hour), *range(7)) for hour in range(72)]
    frame = pl.DataFrame(rows, schema=["valid_time", *QUANTILE_COLUMNS], orient="row").with_columns(issue_time=issue)
    none = frame.head(0).select("valid_time", load_mw="p50", quality=pl.lit("good"))
    axes = fan_figure(frame, actuals=none, time_zone=time_zone, is_large=True).axes[0]
    ticks = {label.get_text(): where for label, where in zip(axes.get_xticklabels(), axes.get_xticks(), strict=True)}
    assert ticks["Mon 1 Apr"] == midnight.timestamp() / 86_400


def test_pooling_weighs_buckets_by_their_points_and_keeps_the_model_alone() -> None:
    table = pl.DataFrame(
        {
            "forecaster": ["model", "model", "naive"],
            "lead_bucket": ["0–6 h", "6–12 h", "0–6 h"],
            "kind": "band",
            "nominal": 0.8,
            "observed": [0.5, 0.9, 0.1],
            "n": [100, 300, 100],
        }
    )
    assert pooled(table).select("lead_bucket", "observed", "n").rows() == [
        ("all leads", 0.8, 400),
        ("0–6 h", 0.5, 100),
        ("6–12 h", 0.9, 300),
    ]
    tones = [[cell.tone for cell in row] for row in band_table(pooled(table)).rows]
    assert tones == [["", "", ""], ["", "", "warn"], ["", "", "warn"]]


def test_quality_rows_follow_the_order_of_series_and_highlight_losses() -> None:
    columns = ("series_id", "rows", "good", "estimated", "edited", "bad", "missing", "completeness", "removed")
    rows = [("zone_02", 100, 90, 0, 0, 0, 10, 0.9, 0, 4), ("zone_01", 100, 97, 1, 1, 1, 0, 0.99, 3, 2)]
    frame = pl.DataFrame(rows, schema=[*columns, "sum_of_children"], orient="row")
    table = quality_table(frame, order=("zone_01", "zone_02"))
    assert [row[0].text for row in table.rows] == ["zone_01", "zone_02"]
    assert table.heads[-2:] == ("removed rows", "rule: sum of children")
    assert [(cell.text, cell.tone) for cell in table.rows[0][-4:]] == [
        ("1", "bad"),
        ("0", ""),
        ("3", "warn"),
        ("2", ""),
    ]
    assert [(cell.text, cell.tone) for cell in table.rows[1][-4:]] == [("0", ""), ("10", "warn"), ("0", ""), ("4", "")]
    assert [cell.text for cell in table.foot[:3]] == ["all series", "200", f"94.50{SPACE}%"]
    assert table.foot[-1].text == "6"


def test_rows_rejected_at_the_border_have_their_column() -> None:
    row = {"rows": 9, "good": 9, "estimated": 0, "edited": 0, "bad": 0, "missing": 0, "removed": 0, "rejected": 2}
    table = quality_table(pl.DataFrame([{"series_id": "zone_01", **row}]), order=())
    assert (table.heads[-1], table.rows[0][-1].text, table.rows[0][-1].tone) == ("rejected rows", "2", "bad")


def test_series_worse_than_the_naive_and_bands_off_target_are_highlighted() -> None:
    scores = pl.DataFrame(
        {
            "forecaster": ["model", "naive", "model"],
            "series_id": ["b", "b", "a"],
            "n": 10,
            "missing_share": 0.0,
            "pinball_mw": [3.0, 2.0, 1.0],
            "skill_pinball_vs_naive": [-0.5, 0.0, None],
            "coverage_80": [0.9, 0.8, 0.8],
        }
    )
    first, second = series_table(scores, order=("b",), targets=Targets()).rows
    assert (first[0].text, first[4].text, first[5].tone, first[5].bar, first[-1].tone) == (
        "b",
        "2.00",
        "bad",
        0.0,
        "warn",
    )
    assert (second[0].text, second[4].text, second[5].text, second[-1].tone) == ("a", "—", "—", "")


def test_the_lead_table_names_forecasters_in_words() -> None:
    scores = pl.DataFrame(
        {"forecaster": "naive", "lead_bucket": "0–6 h", "n": 7, "missing_share": 0.5, "pinball_mw": 2.0,
         "skill_pinball_vs_naive": [0.0]}
    )  # fmt: skip
    assert [cell.text for cell in lead_table(scores, caption="x").rows[0]] == [
        *("0–6 h", "last week repeated", "7", f"50.0{SPACE}%", "2.00", "—", "—", "—", f"0.0{SPACE}%")
    ]
