"""Golden numbers worked out by hand, and what holds for every forecast."""

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridcast.domain.quantiles import QUANTILE_LEVELS
from gridcast.evaluation import metrics

ACTUAL = np.array([100.0, 200.0, np.nan, 400.0])
FORECAST = np.array([110.0, 180.0, 300.0, 430.0])


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        pytest.param(metrics.mae, 20.0, id="mae is (10 + 20 + 30) / 3"),
        pytest.param(metrics.bias, 20 / 3, id="bias is (10 - 20 + 30) / 3"),
        pytest.param(metrics.mape, (0.10 + 0.10 + 0.075) / 3, id="mape averages relative errors"),
        pytest.param(metrics.wape, 60 / 700, id="wape is 60 over 700"),
    ],
)
def test_point_metrics_have_their_hand_computed_value_without_the_missing_actual(metric, expected) -> None:
    assert metric(ACTUAL, FORECAST) == pytest.approx(expected)


def test_missing_actuals_are_counted() -> None:
    assert metrics.observed(ACTUAL) == (3, 0.25)
    assert metrics.observed(np.array([])) == (0, 1.0)


def test_mape_leaves_out_zero_actuals() -> None:
    assert metrics.mape(np.array([0.0, 50.0]), np.array([9.0, 55.0])) == pytest.approx(0.1)


def test_wape_of_only_zero_actuals_is_not_a_number() -> None:
    assert np.isnan(metrics.wape(np.zeros(2), np.ones(2)))


def test_mase_is_one_for_the_error_of_repeating_the_season() -> None:
    history = np.array([1.0, 2.0, 5.0, 5.0, 4.0, 8.0])
    scale = metrics.seasonal_scale(history, season=3)
    assert scale == pytest.approx((4 + 2 + 3) / 3)
    assert metrics.mase(history[3:], history[:-3], scale_mw=scale) == pytest.approx(1.0)
    assert np.isnan(metrics.mase(history, history, scale_mw=0.0))


def test_the_scale_of_mase_leaves_out_pairs_with_a_missing_load() -> None:
    history = np.array([1.0, 2.0, np.nan, 5.0, 4.0, 8.0])
    assert metrics.seasonal_scale(history, season=3) == pytest.approx((4 + 2) / 2)
    assert np.isnan(metrics.seasonal_scale(history[:3], season=3))


def test_pinball_of_each_level_is_the_hand_computed_value() -> None:
    actual, quantiles = np.array([10.0, 20.0]), np.array([[8.0, 11.0, 14.0], [22.0, 23.0, 24.0]])
    losses = metrics.pinball(actual, quantiles, levels=(0.1, 0.5, 0.9))
    np.testing.assert_allclose(losses, [(0.2 + 1.8) / 2, (0.5 + 1.5) / 2, (0.4 + 0.4) / 2])
    assert metrics.mean_pinball(actual, quantiles, levels=(0.1, 0.5, 0.9)) == pytest.approx((1.0 + 1.0 + 0.4) / 3)


def test_crps_weighs_each_level_with_the_probability_it_speaks_for() -> None:
    np.testing.assert_allclose(metrics.crps_weights((0.1, 0.5, 0.9)), [0.3, 0.4, 0.3])
    actual, quantiles = np.array([10.0]), np.array([[8.0, 11.0, 14.0]])
    assert metrics.crps(actual, quantiles, levels=(0.1, 0.5, 0.9)) == pytest.approx(2 * (0.06 + 0.2 + 0.12))


def test_a_dense_quantile_forecast_reaches_the_known_crps_of_the_uniform_distribution() -> None:
    levels = tuple((np.arange(1000) + 0.5) / 1000)
    assert metrics.crps(np.array([0.5]), np.array([levels]), levels=levels) == pytest.approx(1 / 12, rel=1e-3)


def test_band_score_counts_bounds_as_inside_and_ignores_missing_actuals() -> None:
    lower, upper = np.array([90.0, 201.0, 0.0, 300.0]), np.array([100.0, 211.0, 999.0, 320.0])
    assert metrics.band_score(ACTUAL, lower=lower, upper=upper) == (pytest.approx(1 / 3), pytest.approx(40 / 3))


@pytest.mark.parametrize("metric", [metrics.mae, metrics.bias, metrics.mape])
def test_metrics_without_any_actual_are_not_numbers(metric) -> None:
    assert np.isnan(metric(np.array([np.nan]), np.array([1.0])))


def test_a_missing_forecast_of_an_observed_point_shows() -> None:
    assert np.isnan(metrics.mae(np.array([1.0, 2.0]), np.array([1.0, np.nan])))
    assert np.isnan(metrics.band_score(np.array([1.0]), lower=np.array([np.nan]), upper=np.array([2.0])).width_mw)


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda: metrics.mae(np.zeros(2), np.zeros(3)), id="points"),
        pytest.param(lambda: metrics.pinball(np.zeros(2), np.zeros((2, 3))), id="quantiles"),
    ],
)
def test_shapes_that_do_not_match_are_refused(call) -> None:
    with pytest.raises(ValueError, match="expected"):
        call()


loads = arrays.arrays(np.float64, st.integers(1, 12), elements=st.floats(-1e4, 1e4))


@settings(max_examples=40, deadline=None)
@given(actual=loads, spread=arrays.arrays(np.float64, len(QUANTILE_LEVELS), elements=st.floats(-100, 100)))
def test_pinball_is_never_negative_and_crps_lies_between_its_extremes(actual, spread) -> None:
    losses = metrics.pinball(actual, actual[:, np.newaxis] + np.sort(spread))
    assert (losses >= 0).all()
    assert 2 * losses.min() - 1e-9 <= metrics.crps(actual, actual[:, np.newaxis] + np.sort(spread))
    assert metrics.crps(actual, actual[:, np.newaxis] + np.sort(spread)) <= 2 * losses.max() + 1e-9


@settings(max_examples=40, deadline=None)
@given(actual=loads)
def test_a_perfect_forecast_has_no_error_and_full_skill(actual) -> None:
    assert metrics.mae(actual, actual) == metrics.bias(actual, actual) == 0.0
    perfect = metrics.mean_pinball(actual, np.repeat(actual[:, np.newaxis], len(QUANTILE_LEVELS), axis=1))
    assert perfect == 0.0
    assert metrics.skill(perfect, reference=2.0) == 1.0
    assert metrics.band_score(actual, lower=actual, upper=actual) == (1.0, 0.0)


@settings(max_examples=40, deadline=None)
@given(actual=loads, offset=st.floats(-500, 500))
def test_bias_is_the_offset_and_twice_the_median_pinball_is_the_absolute_error(actual, offset) -> None:
    forecast = actual + offset
    assert metrics.bias(actual, forecast) == pytest.approx(offset, abs=1e-6)
    median = metrics.pinball(actual, forecast[:, np.newaxis], levels=(0.5,))[0]
    assert 2 * median == pytest.approx(metrics.mae(actual, forecast))


def test_skill_without_a_loss_of_the_reference_is_not_a_number() -> None:
    assert metrics.skill(1.0, reference=4.0) == 0.75
    assert np.isnan(metrics.skill(0.0, reference=0.0))
