"""Detectors keep silent on days like those they learned from, and fire on a change within days."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridcast.domain.errors import GridcastError
from gridcast.evaluation.daily_errors import ERRORS, daily_errors
from gridcast.evaluation.drift import (
    WINDOW,
    count_alarms,
    coverage_evidence,
    cusum,
    made_up_quarters,
    outside_share,
    population_stability,
    positive_sum,
)
from gridcast.evaluation.drift_detectors import Detector, Detectors
from gridcast.evaluation.input_drift import population_score, range_score

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def made_points(days: int, *, seed: int = 0, start: datetime = START) -> pl.DataFrame:
    """Hourly forecasts of 100 MW with a spread of 5 MW that is right; errors of a day hang together."""
    rng = np.random.default_rng(seed)
    errors = (rng.normal(0, 3, (days, 1)) + rng.normal(0, 4, (days, 24))).ravel()
    time = [start + each * HOUR for each in range(24 * days)]
    levels = {"p05": -1.645, "p10": -1.2816, "p25": -0.674, "p50": 0.0, "p75": 0.674, "p90": 1.2816, "p95": 1.645}
    return pl.DataFrame(
        {"valid_time": time, **{name: [100.0 + 5 * level] * len(time) for name, level in levels.items()}}
    ).with_columns(actual_mw=pl.Series(100.0 + errors), load_mw=pl.Series(100.0 + errors))


def learned(days: int = 120) -> Detectors:
    return Detectors.learn(daily_errors(made_points(days), time_zone="UTC"))


def fired(points: pl.DataFrame) -> set[Detector]:
    found = learned().newest(daily_errors(points, time_zone="UTC"))
    return {detector for detector, each in found.items() if each.score > each.limit}


def changed_in_the_last_days(days: int, change: pl.Expr) -> pl.DataFrame:
    points = made_points(WINDOW, seed=7)
    is_last = pl.col("valid_time") >= START + (WINDOW - days) * DAY
    return points.with_columns(pl.when(is_last).then(change).otherwise(pl.col(name)).alias(name)
                               for name in ("actual_mw", "load_mw"))  # fmt: skip


def test_nothing_fires_while_nothing_has_changed() -> None:
    assert fired(made_points(WINDOW, seed=7)) == set()


def test_a_level_that_is_higher_fires_within_three_days() -> None:
    assert {Detector.LEVEL, Detector.STEP} & fired(changed_in_the_last_days(3, pl.col("actual_mw") + 12))
    assert {Detector.LEVEL, Detector.STEP} & fired(changed_in_the_last_days(3, pl.col("actual_mw") - 12))


def test_a_new_evening_peak_fires_as_a_change_of_shape() -> None:
    is_evening = pl.col("valid_time").dt.hour().is_between(18, 21)
    assert Detector.SHAPE in fired(changed_in_the_last_days(3, pl.col("actual_mw") + 20 * is_evening))


def test_a_sensor_that_stands_still_fires_on_the_same_day() -> None:
    assert Detector.SENSOR in fired(changed_in_the_last_days(1, pl.lit(101.3)))


def test_a_sensor_that_says_nothing_fires_on_the_same_day() -> None:
    assert fired(changed_in_the_last_days(1, pl.lit(None, pl.Float64))) == {Detector.SENSOR}


def test_a_load_of_zero_all_day_long_is_no_dead_sensor() -> None:
    assert Detector.SENSOR not in fired(changed_in_the_last_days(1, pl.lit(0.0)))


def test_bands_that_have_become_too_narrow_fire_as_coverage() -> None:
    points = made_points(WINDOW, seed=7)
    wider = points.with_columns(actual_mw=100 + 2.2 * (pl.col("actual_mw") - 100))
    assert Detector.COVERAGE in fired(wider)


def test_one_wild_day_counts_for_so_much_and_no_more() -> None:
    wild, wilder = (changed_in_the_last_days(1, pl.col("actual_mw") + more) for more in (100, 500))
    scores = [learned().newest(daily_errors(each, time_zone="UTC"))[Detector.LEVEL].score for each in (wild, wilder)]
    assert scores[0] == scores[1]


def test_few_days_before_the_newest_are_enough_to_be_judged() -> None:
    found = learned().newest(daily_errors(made_points(5, seed=3), time_zone="UTC"))
    assert all(np.isfinite(each.score) for each in found.values())


def test_too_few_good_days_teach_nothing() -> None:
    with pytest.raises(GridcastError, match=r"13 whole days with errors; expected at least 14"):
        learned(13)


def test_on_untouched_quarters_there_is_less_than_one_false_alarm_each() -> None:
    detectors = learned(200)
    alarms = 0
    for seed in range(1, 13):
        daily = daily_errors(made_points(91 + WINDOW - 1, seed=seed), time_zone="UTC")
        for name, scores in detectors.scores(daily).items():
            alarms += count_alarms(scores, limit=detectors.limits[name])
    assert alarms < 12


def test_errors_of_days_are_those_of_the_local_day() -> None:
    daily = daily_errors(made_points(3), time_zone="America/New_York")
    assert daily["date"].to_list() == [date(2023, 12, 31) + each * DAY for each in range(4)]
    assert daily["n"].to_list() == [5, 24, 24, 19]
    assert daily.drop_nulls(ERRORS).height == 2


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=40))
@settings(deadline=None)
def test_a_cumulative_sum_is_never_negative_and_blind_to_the_sign(errors: list[float]) -> None:
    z = np.array(errors)
    (total,) = cusum(z, window=len(z))
    assert total >= 0
    assert [total] == pytest.approx(cusum(-z, window=len(z)))


@given(st.lists(st.floats(-10, 10), min_size=5, max_size=40))
@settings(deadline=None)
def test_the_sums_of_all_windows_are_those_of_each_alone(errors: list[float]) -> None:
    z = np.array(errors)
    alone = [cusum(z[day : day + 5], window=5)[0] for day in range(len(z) - 4)]
    assert cusum(z, window=5).tolist() == alone


def test_days_without_an_error_change_no_sum() -> None:
    z = np.array([2.0, np.nan, 2.0])
    assert cusum(z, window=3) == cusum(z[[0, 2]], window=2)


def test_evidence_of_coverage_grows_with_misses_and_begins_anew() -> None:
    n = np.full(5, 24.0)
    more, fewer = coverage_evidence(np.full(5, 6.0), n, expected=0.1)
    assert positive_sum(more, window=5) > 0
    assert positive_sum(fewer, window=5) == 0


def test_the_same_population_is_stable_and_a_shifted_one_is_not() -> None:
    rng = np.random.default_rng(0)
    reference = rng.normal(100, 10, 5000)
    assert population_stability(rng.normal(100, 10, 2000), reference=reference) < 0.05
    assert population_stability(rng.normal(115, 10, 2000), reference=reference) > 0.25
    assert np.isnan(population_stability(np.array([]), reference=reference))
    assert outside_share(np.array([np.nan, 500.0, 100.0]), reference=reference) == 0.5


def seasonal(days: int, *, higher_after: int | None = None) -> pl.DataFrame:
    time = [START + each * HOUR for each in range(24 * days)]
    rng, hour = np.random.default_rng(0), np.arange(24 * days)
    value = (
        20 * np.cos(2 * np.pi * hour / (24 * 365.25)) + 5 * np.sin(2 * np.pi * hour / 24) + rng.normal(0, 3, len(hour))
    )
    if higher_after is not None:
        value[24 * higher_after :] += 15
    return pl.DataFrame({"valid_time": time, "value": value})


def test_a_season_is_compared_with_the_same_season() -> None:
    asked = {"end": START + 1000 * DAY, "learned_until": START + 960 * DAY, "time_zone": "UTC"}
    usual, higher = (population_score(seasonal(1000, higher_after=each), **asked) for each in (None, 972))
    assert usual is not None
    assert higher is not None
    assert usual.score < usual.limit
    assert higher.score > higher.limit


def test_a_short_history_has_no_limit_yet() -> None:
    found = population_score(seasonal(90), end=START + 90 * DAY, learned_until=START + 60 * DAY, time_zone="UTC")
    assert found is not None
    assert found.limit == float("inf")
    nothing = population_score(seasonal(20), end=START + 20 * DAY, learned_until=START, time_zone="UTC")
    assert nothing is None


def test_temperatures_never_seen_before_are_out_of_range() -> None:
    found = range_score(seasonal(400, higher_after=372), end=START + 400 * DAY, learned_until=START + 372 * DAY)
    assert found is not None
    assert found.score > found.limit
    calm = range_score(seasonal(400), end=START + 400 * DAY, learned_until=START + 372 * DAY)
    assert calm is not None
    assert calm.score <= calm.limit


def test_a_range_of_less_than_all_seasons_is_none() -> None:
    rows = seasonal(400, higher_after=340)
    assert range_score(rows, end=START + 368 * DAY, learned_until=START + 364 * DAY) is None
    assert range_score(rows, end=START + 393 * DAY, learned_until=START + 365 * DAY) is not None
    assert range_score(rows.clear(), end=START, learned_until=START) is None


def test_made_up_quarters_keep_weeks_together() -> None:
    index = made_up_quarters(100)
    steps = np.diff(index, axis=1) % 100
    assert (steps == 1).mean() > 6 / 7 - 0.02
    assert index.min() >= 0
    assert index.max() < 100
