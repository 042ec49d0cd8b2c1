"""Pinball loss and conformal calibration, in golden numbers."""

from datetime import timedelta

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gridcast.domain.quantiles import MEDIAN, QUANTILE_LEVELS
from gridcast.evaluation.conformal import DAYS_OF_TRUST, FACTOR_LIMITS, conformal_factors, leaning_on
from gridcast.models.tensorflow.calibration import HeldOut, calibrated, gap_factors
from gridcast.models.tensorflow.losses import pinball

HOUR = timedelta(hours=1)


def held_out(target: np.ndarray, quantiles: np.ndarray, *, series: object = 0, hour: object = 3.0) -> HeldOut:
    """Windows of a hundred days."""
    count = len(target)
    return HeldOut(
        target_mw=target,
        quantiles_mw=np.asarray(quantiles),
        hour_of_day=np.broadcast_to(hour, target.shape),
        series=np.broadcast_to(series, count),
        day=np.arange(count) % 100,
    )


def test_pinball_is_the_weighted_mean_over_observed_targets() -> None:
    target = np.array([[10.0, np.nan], [0.0, 4.0]], dtype=np.float32)
    quantiles = np.zeros((2, 2, len(QUANTILE_LEVELS)), dtype=np.float32)
    levels = np.mean(QUANTILE_LEVELS)
    expected = (10.0 * levels * 2.0 + 0.0 + 4.0 * levels) / 3.0
    assert_allclose(pinball(target, quantiles, weight=np.array([2.0, 1.0], dtype=np.float32)), expected, rtol=1e-6)


def test_pinball_of_nothing_observed_is_zero() -> None:
    target = np.full((2, 3), np.nan, dtype=np.float32)
    assert float(pinball(target, np.ones((2, 3, 7), dtype=np.float32), weight=np.ones(2, dtype=np.float32))) == 0.0


@pytest.mark.parametrize("too_narrow", [0.5, 1.0, 2.0])
def test_calibrated_quantiles_are_exceeded_as_often_as_they_say(too_narrow: float) -> None:
    rng = np.random.default_rng(3)
    target = rng.gumbel(50.0, 4.0, (4000, 8))
    target[rng.random(target.shape) < 0.1] = np.nan
    exact = np.quantile(rng.gumbel(50.0, 4.0, 200_000), QUANTILE_LEVELS)
    quantiles = np.broadcast_to(exact[MEDIAN] + (exact - exact[MEDIAN]) / too_narrow, (4000, 8, len(exact)))
    windows = held_out(target, quantiles)
    factors = gap_factors(windows, interval=HOUR, series=1)
    assert_allclose(factors.by_lead[:, 0], too_narrow, rtol=0.15)
    below = (target[..., np.newaxis] <= calibrated(windows, factors))[np.isfinite(target)].mean(axis=0)
    assert_allclose(np.delete(below, MEDIAN), np.delete(QUANTILE_LEVELS, MEDIAN), atol=0.005)


def test_leads_of_one_bucket_share_their_factors_and_a_bucket_without_targets_keeps_one() -> None:
    rng = np.random.default_rng(0)
    target = rng.normal(0.0, 1.0, (300, 14))
    target[:, 12:] = np.nan
    quantiles = np.broadcast_to(np.linspace(-1.0, 1.0, 7), (300, 14, 7))
    factors = gap_factors(held_out(target, quantiles), interval=HOUR, series=1).by_lead
    assert (factors[:6] == factors[0]).all()
    assert (factors[6:12] == factors[6]).all()
    assert (factors[0] != factors[6]).any()
    assert (factors[12:] == 1.0).all()


def test_a_part_of_the_day_and_a_series_with_evidence_of_their_own_get_their_own_factors() -> None:
    rng = np.random.default_rng(1)
    target = rng.normal(0.0, 1.0, (4000, 2)) * np.array([1.0, 3.0])  # evenings are three times as uncertain
    series = np.arange(4000) % 2
    target[series == 1] *= 2.0
    exact = np.quantile(rng.normal(0.0, 1.0, 200_000), QUANTILE_LEVELS)
    windows = held_out(target, np.broadcast_to(exact, (4000, 2, 7)), series=series, hour=np.array([3.0, 20.0]))
    factors = gap_factors(windows, interval=HOUR, series=3)
    night, evening = factors.by_lead[0, 0].mean(), factors.by_lead[0, 3].mean()
    assert 1.8 < evening / night < 3.0, "drawn towards their mean by the prior"
    assert factors.by_series[1].mean() < 0.85
    assert factors.by_series[2].mean() > 1.1
    assert (factors.by_series[[0, 3]] == 1.0).all(), "an unknown series and one without evidence"


def test_evidence_of_few_days_leans_on_what_was_known_before() -> None:
    prior, found = np.ones(6), np.full(6, 4.0)
    assert_allclose(leaning_on(prior, found, days=0), 1.0)
    assert_allclose(leaning_on(prior, found, days=DAYS_OF_TRUST), 2.0)
    assert_allclose(leaning_on(prior, found, days=10**9), 4.0, rtol=1e-6)


def test_factors_stay_within_their_limits_for_quantiles_without_width() -> None:
    factors = conformal_factors(np.ones(100), np.zeros((100, 7)))
    assert (factors >= FACTOR_LIMITS[0]).all()
    assert (factors <= FACTOR_LIMITS[1]).all()
    assert (conformal_factors(np.full(3, np.nan), np.zeros((3, 7))) == 1.0).all(), "no evidence, no change"
