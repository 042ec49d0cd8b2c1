"""The baselines are honest: exact where the answer is known, and refusing where there is nothing to learn from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridcast.domain.errors import GridcastError
from gridcast.domain.quantiles import MEDIAN, QUANTILE_LEVELS
from gridcast.evaluation import baselines


def test_the_naive_adds_each_series_own_residual_quantiles_to_last_week() -> None:
    steps = np.arange(-10.0, 11.0)
    actual = np.concatenate([100.0 + steps, 50.0 + 2 * steps])
    week_ago = np.concatenate([np.full(21, 100.0), np.full(21, 50.0)])
    naive = baselines.fit_naive_week(actual, week_ago, series_ids=np.repeat(["a", "b"], 21))
    quantiles = naive.forecast(np.array([10.0, 10.0]), series_ids=np.array(["b", "a"]))
    np.testing.assert_allclose(quantiles[1], [1.0, 2.0, 5.0, 10.0, 15.0, 18.0, 19.0])
    np.testing.assert_allclose(quantiles[0] - 10.0, 2 * (quantiles[1] - 10.0))


def test_pairs_with_a_missing_value_teach_nothing_and_a_missing_point_stays_missing() -> None:
    actual, point = np.array([1.0, np.nan, 3.0, 9.0]), np.array([0.0, 0.0, 2.0, np.nan])
    fitted = baselines.residual_quantiles(actual, point, groups=np.zeros(4, dtype=int))
    np.testing.assert_allclose(fitted.residuals_mw, np.ones((1, len(QUANTILE_LEVELS))))
    assert np.isnan(fitted.around(np.array([np.nan]), groups=np.array([0]))).all()


def test_text_labels_from_a_table_work_as_groups() -> None:
    labels = np.array(["zone_01 0–6 h", "zone_02 0–6 h"], dtype=object)
    fitted = baselines.residual_quantiles(np.array([1.0, 5.0]), np.zeros(2), groups=labels)
    np.testing.assert_allclose(fitted.around(np.zeros(1), groups=labels[1:])[0], 5.0)


@settings(max_examples=30, deadline=None)
@given(residuals=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30), point=st.floats(-1e3, 1e3))
def test_quantiles_of_a_baseline_never_cross(residuals, point) -> None:
    actual = np.array(residuals)
    fitted = baselines.residual_quantiles(actual, np.zeros_like(actual), groups=np.zeros(len(actual), dtype=int))
    assert (np.diff(fitted.around(np.array([point]), groups=np.array([0]))[0]) >= 0).all()


def test_the_empirical_quantiles_cover_their_training_data() -> None:
    residual = np.random.default_rng(3).gamma(2.0, 5.0, 2000)
    fitted = baselines.residual_quantiles(residual, np.zeros(2000), groups=np.zeros(2000, dtype=int))
    share_below = (residual[:, np.newaxis] <= fitted.residuals_mw).mean(axis=0)
    np.testing.assert_allclose(share_below, QUANTILE_LEVELS, atol=2e-3)


def test_a_group_never_seen_is_named() -> None:
    fitted = baselines.residual_quantiles(np.ones(1), np.ones(1), groups=np.array(["a"]))
    with pytest.raises(GridcastError, match="group 'zone_99'"):
        fitted.around(np.ones(2), groups=np.array(["a", "zone_99"]))


def test_a_group_without_a_pair_is_forecast_as_unknown_and_leaves_the_others_alone() -> None:
    fitted = baselines.residual_quantiles(np.array([1.0, np.nan]), np.zeros(2), groups=np.array(["zone_01", "zone_02"]))
    around = fitted.around(np.array([10.0, 10.0]), groups=np.array(["zone_01", "zone_02"]))
    np.testing.assert_array_equal(around[0], 11.0)
    assert np.isnan(around[1]).all()


def test_the_regression_finds_the_line_the_data_lie_on() -> None:
    rng = np.random.default_rng(1)
    design = rng.normal(size=(200, 3)) * [1.0, 1000.0, 0.01] + [0.0, 5e4, 3.0]
    target = 7.0 + design @ [2.0, -0.003, 400.0]
    fit = baselines.fit_linear(design, target, ridge=1e-9)
    np.testing.assert_allclose(fit.coefficients, [2.0, -0.003, 400.0], rtol=1e-5)
    np.testing.assert_allclose(baselines.predict_linear(design, fit=fit), target, rtol=1e-6)
    assert fit.n == 200


def test_the_regression_drops_incomplete_rows_and_ignores_constant_columns() -> None:
    design = np.column_stack([np.arange(10.0), np.full(10, 3.0)])
    target = 2.0 * np.arange(10.0) + 1.0
    target[4], design[7, 0] = np.nan, np.nan
    fit = baselines.fit_linear(design, target, ridge=1e-9)
    assert fit.n == 8
    np.testing.assert_allclose(fit.coefficients, [2.0, 0.0], atol=1e-6)
    assert fit.intercept == pytest.approx(1.0, abs=1e-6)
    assert np.isnan(baselines.predict_linear(design, fit=fit)[7])


def test_the_ridge_shrinks_alike_in_every_unit() -> None:
    rng = np.random.default_rng(2)
    design, noise = rng.normal(size=(50, 2)), rng.normal(size=50)
    target = design.sum(axis=1) + noise
    in_mw = baselines.fit_linear(design, target, ridge=0.5)
    in_kw = baselines.fit_linear(design * 1000.0, target, ridge=0.5)
    np.testing.assert_allclose(in_kw.coefficients * 1000.0, in_mw.coefficients)
    assert np.abs(in_mw.coefficients).sum() < np.abs(baselines.fit_linear(design, target, ridge=0.0).coefficients).sum()


def test_the_regression_needs_two_complete_rows() -> None:
    with pytest.raises(GridcastError, match="1 of 2 training rows"):
        baselines.fit_linear(np.ones((2, 1)), np.array([1.0, np.nan]))


def test_the_linear_baseline_is_wider_where_its_residuals_were() -> None:
    rng = np.random.default_rng(5)
    design = rng.normal(size=(4000, 1))
    groups = np.repeat(["0–6 h", "24–48 h"], 2000)
    target = 3.0 * design[:, 0] + rng.normal(size=4000) * np.repeat([1.0, 4.0], 2000)
    baseline = baselines.fit_linear_baseline(design, target, groups=groups)
    near, far = baseline.forecast(np.zeros((2, 1)), groups=np.array(["0–6 h", "24–48 h"]))
    assert far[-1] - far[0] == pytest.approx(4 * (near[-1] - near[0]), rel=0.15)
    assert near[MEDIAN] == pytest.approx(0.0, abs=0.15)
