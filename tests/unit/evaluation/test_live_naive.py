"""The weekly naive at live points is last week at the same wall time, also across clock changes."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.evaluation.live_naive import naive_points, naive_spread, scores_beside_naive, week_before

HOUR = timedelta(hours=1)
ZONES = {"a": "Europe/London"}


def loads(start: datetime, hours: int) -> pl.DataFrame:
    """Loads that tell which hour of the history they are."""
    times = [start + each * HOUR for each in range(hours)]
    return pl.DataFrame(
        {"series_id": ["a"] * hours, "valid_time": times, "load_mw": [float(each) for each in range(hours)]}
    )


@pytest.mark.parametrize(
    ("start", "steps"),
    [
        pytest.param(datetime(2024, 6, 1, tzinfo=UTC), 168, id="an ordinary week"),
        pytest.param(datetime(2024, 3, 28, tzinfo=UTC), 167, id="a week with 23 hours in a day"),
        pytest.param(datetime(2024, 10, 24, tzinfo=UTC), 169, id="a week with 25 hours in a day"),
    ],
)
def test_a_week_before_is_the_same_wall_time(start: datetime, steps: int) -> None:
    history = loads(start, 24 * 9)
    asked = history.tail(12).select("series_id", "valid_time", "load_mw")
    found = week_before(asked, history, time_zones=ZONES)
    assert (found["load_mw"] - found["week_ago_mw"]).to_list() == [float(steps)] * 12


def test_where_there_is_no_week_before_there_is_no_naive() -> None:
    history = loads(datetime(2024, 6, 1, tzinfo=UTC), 24)
    assert week_before(history, history, time_zones=ZONES)["week_ago_mw"].to_list() == [None] * 24


def test_scores_of_the_naive_stand_beside_those_of_the_forecast() -> None:
    history = loads(datetime(2024, 6, 1, tzinfo=UTC), 24 * 21)
    points = history.tail(24).select(
        "series_id", "valid_time", actual_mw="load_mw", issue_time=pl.lit(datetime(2024, 6, 21, tzinfo=UTC)),
        forecaster=pl.lit("model"),
    ).with_columns(**{name: pl.col("actual_mw") + 2 for name in QUANTILE_COLUMNS})  # fmt: skip
    spread = naive_spread(history, days=[datetime(2024, 6, 21, tzinfo=UTC)], time_zones=ZONES)
    assert spread.row(0) == ("a", datetime(2024, 6, 21, tzinfo=UTC), *[168.0] * 7)
    naive = naive_points(points, history, spread=spread.with_columns(p50=pl.lit(163.0)), time_zones=ZONES)
    found = scores_beside_naive(points, naive, by=("series_id",)).row(0, named=True)
    assert found["mae_mw"] == pytest.approx(2.0)
    assert found["naive_mae_mw"] == pytest.approx(5.0)
    assert found["n"] == 24
