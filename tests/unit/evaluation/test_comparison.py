"""Forecasters are compared on the points all of them have, in whole local days of issue."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from support.scored_frames import forecaster_rows

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.evaluation.bootstrap import Resampling
from gridcast.evaluation.comparison import PAIRS, SCORES, compare_pairs, same_points
from gridcast.evaluation.scorecard import scorecard

ISSUES = tuple(datetime(2024, 3, 20, tzinfo=UTC) + timedelta(days=day) for day in range(28))
WEEKS = Resampling(samples=500)


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return pl.concat(
        forecaster_rows(name, series=("system",), leads=24, issues=ISSUES) for name in ("model", "linear", "naive")
    )


def compared(frame: pl.DataFrame, *, resampling: Resampling = WEEKS, time_zone: str = "Europe/London") -> pl.DataFrame:
    return compare_pairs(frame, time_zone=time_zone, resampling=resampling)


def test_every_pair_has_the_scores_of_the_scorecard_and_their_difference(frame: pl.DataFrame) -> None:
    pairs = compared(frame)
    assert pairs.schema == PAIRS
    assert pairs.select("a", "b").unique(maintain_order=True).rows() == [
        *(("model", "linear"), ("model", "naive"), ("linear", "naive"))
    ]
    scores = {row["forecaster"]: row for row in scorecard(frame).iter_rows(named=True)}
    for row in pairs.iter_rows(named=True):
        assert row["score_a"] == pytest.approx(scores[row["a"]][row["metric"]])
        assert row["score_b"] == pytest.approx(scores[row["b"]][row["metric"]])
        assert row["difference"] == pytest.approx(row["score_a"] - row["score_b"])
        assert row["low"] < row["difference"] < row["high"] < 0
        assert (row["n"], row["days"], row["probability_a_better"]) == (28 * 24, 28, 1.0)
    assert pairs["metric"].unique(maintain_order=True).to_list() == list(SCORES)


def test_a_shift_of_every_forecast_is_the_difference_of_the_absolute_errors(frame: pl.DataFrame) -> None:
    exact = frame.filter(forecaster="model").with_columns(pl.col("actual_mw").alias(each) for each in QUANTILE_COLUMNS)
    shifted = exact.with_columns(
        pl.col(QUANTILE_COLUMNS) + 3.0,
        forecaster=pl.lit("shifted"),
    )
    rows = {row["metric"]: row for row in compared(pl.concat([shifted, exact])).iter_rows(named=True)}
    for metric, expected in {"mae_mw": 3.0, "rmse_mw": 3.0, "pinball_mw": 1.5}.items():
        found = rows[metric]
        assert (found["difference"], found["low"], found["high"]) == pytest.approx((expected,) * 3)
        assert found["probability_a_better"] == 0.0


def test_points_that_one_forecaster_lacks_count_for_none(frame: pl.DataFrame) -> None:
    late = pl.col("valid_time") - pl.col("issue_time") >= timedelta(hours=12)
    is_model = pl.col("forecaster") == "model"
    holes = frame.with_columns(pl.when(~(is_model & late)).then(pl.col(QUANTILE_COLUMNS)))
    shorter = frame.filter(~is_model | ~late)
    half = frame.filter(~late)
    assert same_points(holes).height == same_points(shorter).height == 3 * 28 * 12
    assert compared(holes).equals(compared(shorter))
    assert compared(shorter).equals(compared(half))


def test_days_are_those_of_the_local_calendar_over_a_clock_change() -> None:
    """In London 2024-03-31 has 23 hours; origins every six hours fall into whole local days."""
    first = datetime(2024, 3, 28, tzinfo=UTC)
    issues = tuple(first + timedelta(hours=6 * number) for number in range(4 * 8))
    frame = pl.concat(forecaster_rows(name, series=("system",), leads=1, issues=issues) for name in ("model", "naive"))
    by_day = Resampling(block=1, samples=10)
    assert compared(frame, resampling=by_day, time_zone="UTC")["days"].unique().to_list() == [8]
    assert compared(frame, resampling=by_day)["days"].unique().to_list() == [8]
    assert compared(frame, resampling=by_day, time_zone="America/New_York")["days"].unique().to_list() == [9]


def test_fewer_than_four_blocks_of_days_are_refused(frame: pl.DataFrame) -> None:
    with pytest.raises(ValueError, match="27 days hold fewer than 4 blocks of 7"):
        compared(frame.filter(pl.col("issue_time") < ISSUES[-1]))
