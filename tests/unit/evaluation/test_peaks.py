"""Daily peaks ahead and measured, and their scores by hand."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import UTC_TIME
from gridcast.evaluation.copula import scores_of_levels
from gridcast.evaluation.daily_peaks import daily_peaks, usual_limits
from gridcast.evaluation.peak_scores import peak_scores, with_actual_peaks
from gridcast.evaluation.peaks import HOUR_COLUMNS, PEAKS, peaks, whole_days

HOUR = timedelta(hours=1)
LONDON = "Europe/London"
SPRING, AUTUMN = datetime(2024, 3, 31, tzinfo=UTC), datetime(2024, 10, 26, 23, tzinfo=UTC)
"""Local midnight of the days of 23 and 25 hours."""
TOGETHER = np.ones(200)


def forecast(
    medians: np.ndarray,
    *,
    issue_time: datetime,
    series_id: str = "a",
    spread_mw: float = 1.0,
    interval: timedelta = HOUR,
) -> pl.DataFrame:
    """A normal forecast around medians (lead,), MW."""
    quantiles = medians[:, np.newaxis] + spread_mw * scores_of_levels()
    return pl.DataFrame(
        {
            "series_id": series_id,
            "issue_time": pl.Series([issue_time] * len(medians), dtype=UTC_TIME),
            "valid_time": pl.Series([issue_time + lead * interval for lead in range(len(medians))], dtype=UTC_TIME),
            **dict(zip(QUANTILE_COLUMNS, quantiles.T, strict=True)),
        }
    )


def ahead(forecasts: pl.DataFrame, **how: object) -> pl.DataFrame:
    given = {"time_zones": {"a": LONDON, "b": "UTC"}, "interval": HOUR, "correlation": TOGETHER, "limits_mw": {}, **how}
    return peaks(forecasts, **given)


def day_shape(hours: int, *, peak_at: int) -> np.ndarray:
    return 100.0 - 5.0 * np.abs(np.arange(hours) - peak_at)


@pytest.mark.parametrize(
    ("issue_time", "leads", "expected"),
    [
        pytest.param(datetime(2024, 1, 10, tzinfo=UTC), 48, [(0, 24), (24, 48)], id="issued at midnight"),
        pytest.param(datetime(2024, 1, 10, 9, tzinfo=UTC), 48, [(15, 39)], id="first and last day in part"),
        pytest.param(datetime(2024, 1, 10, 1, tzinfo=UTC), 46, [], id="an hour short of a day"),
        pytest.param(SPRING, 24, [(0, 23)], id="23 hours in spring"),
        pytest.param(AUTUMN, 24, [], id="25 hours in autumn are not covered by 24"),
        pytest.param(AUTUMN, 25, [(0, 25)], id="25 hours in autumn"),
    ],
)
def test_only_days_covered_from_midnight_to_midnight_count(issue_time, leads, expected) -> None:
    days = whole_days(issue_time, leads=leads, interval=HOUR, time_zone=LONDON)
    assert [(day.first, day.end) for day in days] == expected


def test_days_begin_at_midnight_of_a_clock_half_an_hour_off() -> None:
    issue_time = datetime(2024, 1, 9, 18, 30, tzinfo=UTC)
    (day,) = whole_days(issue_time, leads=48, interval=timedelta(minutes=30), time_zone="Asia/Kolkata")
    assert (day.date, day.first, day.end) == (np.datetime64("2024-01-10"), 0, 48)
    assert day.hour[:5].tolist() == [0, 0, 1, 1, 2]


def test_the_peak_of_parallel_trajectories_has_the_quantiles_of_the_largest_median() -> None:
    table = ahead(forecast(day_shape(24, peak_at=18), issue_time=datetime(2024, 1, 10, tzinfo=UTC)))
    row = table.row(0, named=True)
    np.testing.assert_allclose([row[name] for name in QUANTILE_COLUMNS], 100.0 + scores_of_levels(), atol=0.12)
    assert (row["medians_peak_mw"], row["medians_hour"]) == (100.0, 18)
    assert (row["likely_hour"], row["hour_probability"], row["hour_18"]) == (18, 1.0, 1.0)
    assert row["date"] == date(2024, 1, 10)


def test_a_peak_that_may_come_in_any_hour_is_higher_and_its_hour_less_sure() -> None:
    flat = forecast(np.full(24, 100.0), issue_time=datetime(2024, 1, 10, tzinfo=UTC))
    sure, unsure = (ahead(flat, correlation=each).row(0, named=True) for each in (TOGETHER, np.eye(24)[0]))
    assert unsure["p50"] == pytest.approx(sure["p50"] + 1.9, abs=0.15)
    assert unsure["hour_probability"] < 0.1
    assert sum(unsure[name] for name in HOUR_COLUMNS) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("issue_time", "hours", "peak_at", "wall_hour"),
    [
        pytest.param(SPRING, 23, 17, 18, id="spring: the clock has skipped an hour"),
        pytest.param(AUTUMN, 25, 19, 18, id="autumn: the clock has repeated an hour"),
        pytest.param(AUTUMN, 25, 1, 1, id="autumn: the first of the two hours"),
        pytest.param(AUTUMN, 25, 2, 1, id="autumn: the second of the two hours"),
    ],
)
def test_the_peak_hour_is_that_of_the_wall_clock_on_days_of_23_and_25_hours(
    issue_time, hours, peak_at, wall_hour
) -> None:
    shape = day_shape(hours, peak_at=peak_at)
    row = ahead(forecast(shape, issue_time=issue_time)).row(0, named=True)
    assert (row["likely_hour"], row["hour_probability"], row["medians_hour"]) == (wall_hour, 1.0, wall_hour)
    loads = forecast(shape, issue_time=issue_time).select("series_id", "valid_time", load_mw="p50")
    measured = daily_peaks(loads, time_zones={"a": LONDON}, interval=HOUR)
    assert measured.rows() == [("a", row["date"], 100.0, wall_hour)]


def test_the_probability_of_exceeding_is_that_of_the_forecast_and_null_without_a_limit() -> None:
    issue_time = datetime(2024, 1, 10, tzinfo=UTC)
    both = pl.concat([forecast(day_shape(24, peak_at=18), issue_time=issue_time, series_id=each) for each in "ab"])
    table = ahead(both, limits_mw={"a": 101.2816}, samples=20_000)
    assert table["p_exceed"].to_list() == [pytest.approx(0.10, abs=0.01), None]
    assert table["limit_mw"].to_list() == [101.2816, None]


def test_a_series_has_the_same_peaks_alone_and_beside_others() -> None:
    issue_time = datetime(2024, 1, 10, tzinfo=UTC)
    both = pl.concat(
        [forecast(np.linspace(90, 100, 48), issue_time=issue_time, series_id=each, spread_mw=9) for each in "ab"]
    )
    uncorrelated = np.eye(48)[0]
    alone = ahead(both.filter(series_id="b"), correlation=uncorrelated)
    assert alone.height == 2
    assert_frame_equal(ahead(both, correlation=uncorrelated).filter(series_id="b"), alone)


def test_a_day_with_a_quantile_missing_has_no_probabilities_the_next_day_has() -> None:
    rows = forecast(np.full(48, 100.0), issue_time=datetime(2024, 1, 10, tzinfo=UTC))
    is_hole = pl.int_range(pl.len()) == 3
    holed = rows.with_columns(p75=pl.when(is_hole).then(None).otherwise("p75"))
    table = ahead(holed, limits_mw={"a": 1.0})
    for name in ("p50", "likely_hour", "hour_probability", "p_exceed", "hour_00"):
        assert table[name].is_null().to_list() == [True, False], name


def test_no_forecast_and_no_whole_day_give_an_empty_table() -> None:
    rows = forecast(np.full(10, 100.0), issue_time=datetime(2024, 1, 10, tzinfo=UTC))
    for each in (rows, rows.clear()):
        assert ahead(each).schema == PEAKS
        assert ahead(each).is_empty()


def test_a_forecast_with_a_gap_is_refused() -> None:
    rows = forecast(np.full(30, 100.0), issue_time=datetime(2024, 1, 10, tzinfo=UTC))
    with pytest.raises(ValueError, match="forecasts have gaps"):
        ahead(rows.filter(pl.int_range(pl.len()) != 4))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda rows: rows.slice(1), id="first hour absent"),
        pytest.param(lambda rows: rows.head(23), id="last hour absent"),
        pytest.param(lambda rows: rows.filter(pl.int_range(pl.len()) != 7), id="an hour absent"),
        pytest.param(lambda rows: rows.with_columns(load_mw=pl.lit(None, pl.Float64)), id="nothing measured"),
        pytest.param(lambda rows: rows.with_columns(load_mw=pl.lit(float("nan"))), id="not a number"),
    ],
)
def test_a_day_not_measured_whole_has_no_peak(change) -> None:
    rows = forecast(day_shape(24, peak_at=3), issue_time=datetime(2024, 1, 10, tzinfo=UTC))
    loads = rows.select("series_id", "valid_time", load_mw="p50")
    assert daily_peaks(loads, time_zones={"a": LONDON}, interval=HOUR)["peak_hour"].to_list() == [3]
    assert daily_peaks(change(loads), time_zones={"a": LONDON}, interval=HOUR).is_empty()


def test_the_usual_limit_is_the_quantile_of_each_series_own_peaks() -> None:
    days = pl.date_range(date(2024, 1, 1), date(2024, 1, 11), eager=True)
    own = pl.DataFrame({"series_id": "a", "date": days, "peak_mw": np.arange(11.0), "peak_hour": 0})
    both = pl.concat([own, own.with_columns(series_id=pl.lit("b"), peak_mw=10 * pl.col("peak_mw"))])
    assert usual_limits(both, quantile=0.95) == {"a": pytest.approx(9.5), "b": pytest.approx(95.0)}


def judged(*, probabilities: list[float], actual: list[float | None], sizes: list[float] | None = None) -> pl.DataFrame:
    """Days of one series with limit 10 MW; the likely hour is always 18."""
    days = len(probabilities)
    size = np.array(sizes or [9.0] * days)
    dates = [date(2024, 1, 1) + timedelta(days=each) for each in range(days)]
    table = pl.DataFrame(
        {
            "series_id": "a",
            "issue_time": pl.Series([datetime(2024, 1, 1, tzinfo=UTC)] * days, dtype=UTC_TIME),
            "date": dates,
            **{name: size + offset for offset, name in enumerate(QUANTILE_COLUMNS, start=-3)},
            "medians_peak_mw": size - 1,
            "medians_hour": 17,
            "likely_hour": 18,
            "limit_mw": 10.0,
            "p_exceed": probabilities,
        }
    )
    measured = pl.DataFrame({"series_id": "a", "date": dates, "peak_mw": actual, "peak_hour": [18, 16] * (days // 2)})
    naive = table.select("series_id", "issue_time", "date", naive_peak_mw=pl.lit(5.0))
    return with_actual_peaks(table, actual=measured.drop_nulls("peak_mw"), naive=naive)


def test_brier_score_and_its_reference_have_their_hand_computed_value() -> None:
    table = judged(probabilities=[0.9, 0.2, 0.4, 0.1, 0.5, 1.0], actual=[12.0, 8.0, 11.0, 9.0, 10.0, None])
    scores = peak_scores(table, alarm_threshold=0.5).row(0, named=True)
    brier = (0.1**2 + 0.2**2 + 0.6**2 + 0.1**2 + 0.5**2) / 5
    assert scores["brier"] == pytest.approx(brier)
    assert scores["brier_reference"] == pytest.approx(0.4 * 0.6), "two of five days exceeded"
    assert scores["brier_skill"] == pytest.approx(1 - brier / 0.24)
    assert (scores["n"], scores["missing_share"], scores["exceeded_share"]) == (5, pytest.approx(1 / 6), 0.4)


@pytest.mark.parametrize(
    ("threshold", "counts", "figures"),
    [
        pytest.param(0.5, (1, 1, 1, 2), (3 / 5, 1 / 2, 1 / 2, 1 / 2), id="one of two alarms right, one missed"),
        pytest.param(0.3, (2, 1, 0, 2), (4 / 5, 2 / 3, 1.0, 4 / 5), id="lower threshold: nothing missed"),
        pytest.param(0.95, (0, 0, 2, 3), (3 / 5, None, 0.0, 0.0), id="never an alarm: no precision"),
    ],
)
def test_an_alarm_has_its_hand_computed_counts_and_figures(threshold, counts, figures) -> None:
    table = judged(probabilities=[0.9, 0.2, 0.4, 0.1, 0.5, 1.0], actual=[12.0, 8.0, 11.0, 9.0, 10.0, None])
    scores = peak_scores(table, alarm_threshold=threshold)
    assert scores.select("tp", "fp", "fn", "tn").row(0) == counts
    got = scores.select("accuracy", "precision", "recall", "f1").row(0)
    assert got == tuple(None if each is None else pytest.approx(each) for each in figures)


def test_size_and_hour_errors_have_their_hand_computed_value() -> None:
    table = judged(probabilities=[0.0] * 4, actual=[10.0, 10.0, 7.0, 9.0], sizes=[9.0, 12.0, 7.0, 9.0])
    scores = peak_scores(table, alarm_threshold=0.5).row(0, named=True)
    assert scores["size_mae_mw"] == pytest.approx((1 + 2 + 0 + 0) / 4)
    assert scores["size_bias_mw"] == pytest.approx((-1 + 2) / 4)
    assert scores["medians_mae_mw"] == pytest.approx((2 + 1 + 1 + 1) / 4)
    assert scores["skill_mae_vs_naive"] == pytest.approx(1 - 3 / (5 + 5 + 2 + 4))
    assert scores["size_pinball_mw"] == pytest.approx(_pinball([1.0, -2.0, 0.0, 0.0]))
    assert (scores["coverage_80"], scores["hour_hit_rate"], scores["hour_mae_h"]) == (1.0, 0.5, 1.0)
    assert scores["medians_hour_hit_rate"] == 0.0


def _pinball(errors: list[float]) -> float:
    """Of quantiles −3 … +3 MW around the forecast size, for actual − size."""
    levels = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
    gaps = [(level, error - offset) for error in errors for offset, level in enumerate(levels, start=-3)]
    return sum(max(level * gap, (level - 1) * gap) for level, gap in gaps) / len(gaps)


def test_scores_by_day_ahead_count_whole_days_from_one() -> None:
    table = judged(probabilities=[0.9, 0.2, 0.4, 0.1], actual=[12.0, 8.0, 11.0, None])
    by_day = peak_scores(table, alarm_threshold=0.5, by=["days_ahead"])
    assert by_day["days_ahead"].to_list() == [1, 2, 3, 4]
    assert by_day["n"].to_list() == [1, 1, 1, 0]
    assert by_day["brier"].to_list() == [pytest.approx(0.01), pytest.approx(0.04), pytest.approx(0.36), None]


def test_days_without_a_limit_are_scored_for_size_but_never_counted_as_alarms() -> None:
    table = judged(probabilities=[0.9, 0.2], actual=[12.0, 8.0]).with_columns(
        limit_mw=pl.lit(None, pl.Float64), p_exceed=pl.lit(None, pl.Float64)
    )
    scores = peak_scores(table, alarm_threshold=0.5).row(0, named=True)
    assert scores["n"] == 2
    assert [scores[name] for name in ("tp", "fp", "fn", "tn", "brier", "accuracy", "f1")] == [0, 0, 0, 0, *[None] * 3]
