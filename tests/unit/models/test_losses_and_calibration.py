"""Pinball loss and conformal calibration, in golden numbers."""

from datetime import timedelta

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gridcast.domain.quantiles import MEDIAN, QUANTILE_LEVELS
from gridcast.models.tensorflow.calibration import FACTOR_LIMITS, gap_factors
from gridcast.models.tensorflow.losses import pinball

HOUR = timedelta(hours=1)


def stretched(quantiles: np.ndarray, factors: np.ndarray) -> np.ndarray:
    gaps = np.diff(quantiles, axis=-1)
    below = np.cumsum(gaps[..., MEDIAN - 1 :: -1] * factors[:, :MEDIAN], axis=-1)
    above = np.cumsum(gaps[..., MEDIAN:] * factors[:, MEDIAN:], axis=-1)
    median = quantiles[..., [MEDIAN]]
    return np.concatenate([(median - below)[..., ::-1], median, median + above], axis=-1)


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
    factors = gap_factors(target, quantiles, interval=HOUR)
    assert_allclose(factors, too_narrow, rtol=0.15)
    below = (target[..., np.newaxis] <= stretched(quantiles, factors))[np.isfinite(target)].mean(axis=0)
    assert_allclose(np.delete(below, MEDIAN), np.delete(QUANTILE_LEVELS, MEDIAN), atol=0.005)


def test_leads_of_one_bucket_share_their_factors_and_a_bucket_without_targets_keeps_one() -> None:
    rng = np.random.default_rng(0)
    target = rng.normal(0.0, 1.0, (300, 14))
    target[:, 12:] = np.nan
    quantiles = np.broadcast_to(np.linspace(-1.0, 1.0, 7), (300, 14, 7))
    factors = gap_factors(target, quantiles, interval=HOUR)
    assert (factors[:6] == factors[0]).all()
    assert (factors[6:12] == factors[6]).all()
    assert (factors[0] != factors[6]).any()
    assert (factors[12:] == 1.0).all()


def test_factors_stay_within_their_limits_for_quantiles_without_width() -> None:
    factors = gap_factors(np.ones((50, 2)), np.zeros((50, 2, 7)), interval=HOUR)
    assert (factors >= FACTOR_LIMITS[0]).all()
    assert (factors <= FACTOR_LIMITS[1]).all()
