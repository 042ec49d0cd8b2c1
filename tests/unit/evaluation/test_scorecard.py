"""The scorecard says what the plain metrics say, group by group, and compares like with like."""

import polars as pl
import pytest
from support.scored_frames import ISSUES, forecaster_rows, scored_frame

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.evaluation import metrics
from gridcast.evaluation.scorecard import headline, scorecard


def without_actuals(frame: pl.DataFrame, *, every: int) -> pl.DataFrame:
    hour = pl.col("valid_time").dt.epoch("s") // 3600
    return frame.with_columns(actual_mw=pl.when(hour % every != 0).then("actual_mw"))


@pytest.mark.parametrize("by", [[], ["series_id"], ["issue_time"], ["series_id", "issue_time"]])
def test_every_group_has_the_scores_of_the_plain_metrics(by) -> None:
    frame = without_actuals(scored_frame(), every=7)
    for row in scorecard(frame, by=by, scales_mw={"system": 5.0, "zone_01": 5.0}).iter_rows(named=True):
        group = frame.filter(pl.all_horizontal(pl.col(name) == row[name] for name in ("forecaster", *by)))
        actual = group["actual_mw"].to_numpy()
        quantiles = group.select(QUANTILE_COLUMNS).to_numpy()
        median = group["p50"].to_numpy()
        band = metrics.band_score(actual, lower=group["p10"].to_numpy(), upper=group["p90"].to_numpy())
        expected = {
            "n": metrics.observed(actual).n,
            "missing_share": metrics.observed(actual).missing_share,
            "mae_mw": metrics.mae(actual, median),
            "rmse_mw": metrics.mae(actual**2, actual**2 + (median - actual) ** 2) ** 0.5,
            "bias_mw": metrics.bias(actual, median),
            "mape": metrics.mape(actual, median),
            "wape": metrics.wape(actual, median),
            "mase": metrics.mase(actual, median, scale_mw=5.0),
            "pinball_mw": metrics.mean_pinball(actual, quantiles),
            "pinball_p90_mw": metrics.pinball(actual, quantiles)[5],
            "crps_mw": metrics.crps(actual, quantiles),
            "coverage_80": band.coverage,
            "width_80_mw": band.width_mw,
        }
        assert {name: row[name] for name in expected} == pytest.approx(expected)


def test_peak_errors_are_those_of_whole_days_of_lead() -> None:
    frame = scored_frame("model").sort("series_id", "issue_time", "valid_time")
    actual, median = (frame[name].to_numpy().reshape(-1, 24) for name in ("actual_mw", "p50"))
    row = scorecard(frame).row(0, named=True)
    assert row["peak_size_error_mw"] == pytest.approx(abs(median.max(axis=1) - actual.max(axis=1)).mean())
    assert row["peak_hour_error_h"] == pytest.approx(abs(median.argmax(axis=1) - actual.argmax(axis=1)).mean())
    assert scorecard(frame, by=["lead_bucket"])["peak_size_error_mw"].is_null().to_list() == [True, True, True, False]
    assert scorecard(without_actuals(frame, every=5))["peak_size_error_mw"].to_list() == [None]


def test_lead_buckets_come_in_the_order_of_time_and_hold_their_leads() -> None:
    table = scorecard(scored_frame(), by=["lead_bucket"])
    assert table["lead_bucket"].unique(maintain_order=True).to_list() == ["0–6 h", "6–12 h", "12–24 h", "24–48 h"]
    assert table.filter(pl.col("forecaster") == "model")["n"].to_list() == [36, 36, 72, 144]
    assert table["forecaster"].to_list()[:3] == ["model", "linear", "naive"]


def test_skill_compares_only_points_both_forecasters_have() -> None:
    late = pl.col("valid_time") >= ISSUES[1]
    naive = forecaster_rows("naive").with_columns(pl.when(late).then(pl.col(QUANTILE_COLUMNS)))
    frame = pl.concat([forecaster_rows("model"), naive])
    row = scorecard(frame).filter(pl.col("forecaster") == "model").row(0, named=True)
    both = scorecard(frame.filter(late))
    model, baseline = (both.filter(pl.col("forecaster") == name)["pinball_mw"][0] for name in ("model", "naive"))
    assert row["skill_pinball_vs_naive"] == pytest.approx(1 - model / baseline)
    assert row["n"] == 288
    assert row["skill_pinball_vs_linear"] is None


def test_not_a_number_is_a_missing_actual_like_null() -> None:
    frame = scored_frame("model").with_columns(actual_mw=pl.lit(float("nan")))
    row = scorecard(frame).row(0, named=True)
    assert (row["n"], row["missing_share"], row["mae_mw"], row["crps_mw"]) == (0, 1.0, None, None)


def test_the_headline_reports_the_system_and_gives_each_series_one_vote() -> None:
    frame = scored_frame()
    numbers = headline(frame)
    series = scorecard(frame, by=["series_id"]).filter(pl.col("forecaster") == "model")
    assert numbers["mape_system"] == pytest.approx(series.filter(pl.col("series_id") == "system")["mape"][0])
    assert numbers["mean_series_skill_vs_naive"] == pytest.approx(series["skill_pinball_vs_naive"].mean())
    assert numbers["skill_pinball_vs_naive"] == pytest.approx(1 - numbers["pinball_model"] / numbers["pinball_naive"])
    assert 0.6 < numbers["skill_pinball_vs_naive"] < 0.9
    assert numbers["n"] == 288


def test_the_headline_of_nothing_is_empty_but_complete() -> None:
    numbers = headline(scored_frame("model").clear())
    assert numbers["n"] == 0
    assert {value for name, value in numbers.items() if name != "n"} == {None}


def test_a_wrong_frame_is_refused_with_the_column_it_lacks() -> None:
    with pytest.raises(ValueError, match="p95"):
        scorecard(scored_frame("model").drop("p95"))
    with pytest.raises(ValueError, match="expected 0 ≤ lead"):
        scorecard(scored_frame("model").with_columns(issue_time=pl.lit(ISSUES[2])), by=["lead_bucket"])


def test_observed_and_forecast_weather_are_never_mixed() -> None:
    kinds = [scored_frame("model").with_columns(weather=pl.lit(kind)) for kind in ("observed", "forecast")]
    with pytest.raises(ValueError, match="mixes"):
        scorecard(pl.concat(kinds))
    assert len(scorecard(pl.concat(kinds), by=["weather"])) == 2
