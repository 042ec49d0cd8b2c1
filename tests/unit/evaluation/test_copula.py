"""Normal scores, their correlation over leads, and the trajectories drawn from both."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridcast.domain.quantiles import QUANTILE_LEVELS
from gridcast.evaluation.copula import (
    LARGEST_SCORE,
    lead_correlation,
    loads_of_scores,
    normal_scores,
    scores_of_levels,
    valid_correlation,
)
from gridcast.evaluation.trajectories import correlated_scores, trajectories, trajectory_blocks

AT = scores_of_levels()
INDEPENDENT = np.eye(24)[0]
TOGETHER = np.ones(24)


def normal_fan(*, windows: int, leads: int, spread_mw: float = 10.0) -> np.ndarray:
    """Quantiles (window, lead, quantile) of a normal forecast around 100 MW."""
    return np.broadcast_to(100.0 + spread_mw * AT, (windows, leads, len(AT)))


def matrix(correlation: np.ndarray) -> np.ndarray:
    lag = np.arange(len(correlation))
    return correlation[np.abs(lag[:, np.newaxis] - lag)]


def test_a_normal_forecast_is_met_exactly_between_and_beyond_its_quantiles() -> None:
    scores = np.array([-3.2, -1.7, -0.3, 0.0, 1.1, 2.9])
    fan = normal_fan(windows=1, leads=6)[0]
    np.testing.assert_allclose(normal_scores(100 + 10 * scores, fan), scores, atol=1e-12)
    np.testing.assert_allclose(loads_of_scores(scores[np.newaxis], fan)[0], 100 + 10 * scores)


def test_scores_of_a_lopsided_forecast_have_their_hand_computed_value() -> None:
    quantiles = np.array([[8.0, 10.0, 14.0]] * 4)
    scores = normal_scores(np.array([9.0, 12.0, 16.0, np.nan]), quantiles, levels=(0.1, 0.5, 0.9))
    np.testing.assert_allclose(scores, [-1.28155 / 2, 1.28155 / 2, 1.5 * 1.28155, np.nan], atol=1e-5)


def test_a_load_on_quantiles_that_coincide_gets_the_middle_of_their_scores() -> None:
    flat = np.full(7, 5.0)
    on, below, above = normal_scores(np.array([5.0, 4.9, 5.1]), np.stack([flat] * 3))
    assert on == pytest.approx(0.0, abs=1e-9)
    assert (below, above) == (-LARGEST_SCORE, LARGEST_SCORE)
    upper_half = np.array([1.0, 2.0, 3.0, 5.0, 5.0, 5.0, 6.0])
    assert normal_scores(np.array(5.0), upper_half) == pytest.approx((AT[3] + AT[5]) / 2)


def test_a_missing_actual_or_quantile_has_no_score() -> None:
    fan = normal_fan(windows=1, leads=2)[0].copy()
    fan[1, 3] = np.nan
    assert np.isnan(normal_scores(np.array([np.nan, 100.0]), fan)).all()


def test_shapes_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="expected"):
        normal_scores(np.zeros(3), np.zeros((2, 7)))
    with pytest.raises(ValueError, match="expected at least one correlation per lead"):
        trajectories(normal_fan(windows=1, leads=3), correlation=np.ones(2), seeds=[1])


def test_the_correlation_that_made_the_errors_is_found_again_though_a_tenth_is_missing() -> None:
    true = 0.7 * 0.9 ** np.arange(24) + 0.3
    rng = np.random.default_rng(5)
    scores = rng.standard_normal((3000, 24)) @ np.linalg.cholesky(matrix(true)).T
    actual = np.where(rng.random(scores.shape) < 0.1, np.nan, 100 + 10 * scores)
    found = lead_correlation(actual, normal_fan(windows=3000, leads=24))
    np.testing.assert_allclose(found, true, atol=0.05)
    assert found[0] == 1.0


def test_two_windows_by_hand_give_the_pooled_correlation() -> None:
    scores = np.array([[1.0, -1.0, np.nan], [-1.0, 1.0, 0.0]])
    found = lead_correlation(100 + 10 * scores, normal_fan(windows=2, leads=3))
    at_one = (-1 - 1 + 0) / np.sqrt((1 + 1 + 1) * (1 + 1 + 0))
    expected = valid_correlation(np.array([1.0, at_one, 0.0]))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_errors_never_observed_count_as_uncorrelated() -> None:
    np.testing.assert_array_equal(
        lead_correlation(np.full((2, 3), np.nan), normal_fan(windows=2, leads=3)), [1.0, 0.0, 0.0]
    )


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(TOGETHER, id="all together"),
        pytest.param(INDEPENDENT, id="independent"),
        pytest.param(0.9 ** np.arange(48), id="decaying"),
        pytest.param(np.array([1.0]), id="one lead"),
    ],
)
def test_a_valid_correlation_stays_as_it_is(given: np.ndarray) -> None:
    np.testing.assert_allclose(valid_correlation(given), given, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(rest=st.lists(st.floats(-1, 1), max_size=30))
def test_whatever_is_estimated_becomes_a_valid_correlation(rest: list[float]) -> None:
    valid = valid_correlation(np.array([1.0, *rest]))
    assert valid[0] == 1.0
    assert (np.abs(valid) <= 1 + 1e-9).all()
    assert np.linalg.eigvalsh(matrix(valid)).min() > -1e-9


def test_drawn_scores_have_the_correlation_asked_for() -> None:
    asked = 0.6 * 0.8 ** np.arange(12) + 0.4
    drawn = correlated_scores(asked, seeds=range(10), samples=4000).reshape(-1, 12)
    np.testing.assert_allclose(np.corrcoef(drawn.T), matrix(asked), atol=0.03)
    np.testing.assert_allclose(drawn.std(axis=0), 1.0, atol=0.02)


@settings(max_examples=15, deadline=None)
@given(
    gaps=st.lists(st.floats(0.1, 50), min_size=7, max_size=7),
    start=st.floats(200, 1000),
    decay=st.floats(0.0, 1.0),
    seed=st.integers(0, 2**32 - 1),
)
def test_trajectories_have_the_distribution_of_the_forecast_at_every_lead(gaps, start, decay, seed) -> None:
    fan = np.broadcast_to(start + np.cumsum(gaps), (1, 5, 7))
    drawn = trajectories(fan, correlation=decay ** np.arange(5), seeds=[seed], samples=8000)[:, 0]
    below = (drawn[:, :, np.newaxis] <= fan[0] + 1e-9).mean(axis=0)
    np.testing.assert_allclose(below, np.broadcast_to(QUANTILE_LEVELS, below.shape), atol=0.035)


def test_fully_correlated_trajectories_are_parallel() -> None:
    fan = normal_fan(windows=1, leads=24) + 20 * np.sin(np.arange(24))[:, np.newaxis]
    drawn = trajectories(fan, correlation=TOGETHER, seeds=[3])[:, 0]
    offsets = drawn - fan[0, :, 3]
    np.testing.assert_allclose(offsets, np.broadcast_to(offsets[:, :1], offsets.shape), atol=1e-5)


def test_independent_trajectories_peak_higher_than_parallel_ones() -> None:
    fan = normal_fan(windows=1, leads=24)
    apart, parallel = (
        np.median(trajectories(fan, correlation=each, seeds=[3])[:, 0].max(axis=1)) for each in (INDEPENDENT, TOGETHER)
    )
    assert parallel == pytest.approx(100.0, abs=1.0)
    assert apart == pytest.approx(100 + 10 * 1.9, abs=1.0), "the median of the largest of 24 normal numbers is 1.9"


def test_a_window_of_consumption_stays_above_zero_and_one_with_feed_in_goes_below() -> None:
    consumption, feed_in = 1.0 + 1.0 * (AT - AT[0]), 1.0 + 1.0 * AT
    drawn = trajectories(np.stack([consumption, feed_in])[:, np.newaxis], correlation=np.ones(1), seeds=[1, 1])
    assert drawn[:, 0].min() == 0.0
    assert drawn[:, 1].min() < -1.0


def test_a_window_has_the_same_trajectories_alone_among_others_and_in_blocks() -> None:
    fan = normal_fan(windows=30, leads=24)
    whole = trajectories(fan, correlation=TOGETHER, seeds=range(30))
    alone = trajectories(fan[7:8], correlation=TOGETHER, seeds=[7])
    blocks = list(trajectory_blocks(fan, correlation=TOGETHER, seeds=range(30)))
    np.testing.assert_array_equal(whole[:, 7:8], alone)
    assert len(blocks) > 1
    np.testing.assert_array_equal(np.concatenate([each.loads_mw for each in blocks], axis=1), whole)


def test_a_quantile_that_is_not_there_gives_no_load_at_its_lead_only() -> None:
    fan = normal_fan(windows=1, leads=3).copy()
    fan[0, 1, 2] = np.nan
    drawn = trajectories(fan, correlation=np.ones(3), seeds=[0])
    assert np.isnan(drawn[:, 0, 1]).all()
    assert np.isfinite(drawn[:, 0, [0, 2]]).all()
