"""Intervals of paired differences: known by hand where they can be, and right as often as they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridcast.evaluation.bootstrap import Resampling, day_counts, paired_difference

POINTS = np.full(84, 24.0)


def losses(days: int, *, mean: float, noise: float, seed: int = 3) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Sums of 24 losses on each day."""
    return 24.0 * (mean + noise * np.random.default_rng(seed).normal(size=days))


def test_a_difference_that_is_the_same_every_day_has_no_width() -> None:
    b = losses(84, mean=10.0, noise=3.0)
    found = paired_difference(b - 24.0 * 0.5, b, points=POINTS, resampling=Resampling())
    assert (found.difference, found.low, found.high) == pytest.approx((-0.5, -0.5, -0.5))
    assert found.probability_less == 1.0


def test_equal_forecasters_are_each_better_half_of_the_time() -> None:
    a = losses(84, mean=10.0, noise=3.0)
    assert paired_difference(a, a, points=POINTS, resampling=Resampling()) == (0.0, 0.0, 0.0, 0.5)


def test_days_count_by_their_points_and_a_score_is_taken_of_the_mean() -> None:
    points, nothing = np.array([1.0, 3.0, 2.0, 2.0]), np.zeros(4)
    a = np.array([4.0, 12.0, 0.0, 16.0])
    found = paired_difference(a, nothing, points=points, resampling=Resampling(block=1), score=np.sqrt)
    assert found.difference == pytest.approx(2.0), "the root of 32 over 8 points"


def test_the_width_is_that_of_the_mean_of_independent_days() -> None:
    a = losses(400, mean=0.0, noise=2.0)
    found = paired_difference(a, np.zeros(400), points=np.full(400, 24.0), resampling=Resampling(block=1))
    standard_error = a.std(ddof=1) / 24.0 / np.sqrt(400)
    assert found.high - found.low == pytest.approx(2 * 1.96 * standard_error, rel=0.06)


def test_blocks_see_that_neighbouring_days_err_alike() -> None:
    """Every error lasts a week, so that 84 days tell as much as 12: the interval is √7 times as wide."""
    weekly = np.repeat(np.random.default_rng(5).normal(size=120), 7)
    points = np.full(840, 24.0)
    days, weeks = (
        paired_difference(24.0 * weekly, 0.0 * weekly, points=points, resampling=Resampling(block=block))
        for block in (1, 28)
    )
    assert (weeks.high - weeks.low) / (days.high - days.low) == pytest.approx(np.sqrt(7), rel=0.12)


@pytest.mark.parametrize(("block", "memory"), [pytest.param(1, 0.0, id="days alone"), pytest.param(7, 0.4, id="weeks")])
def test_the_interval_holds_the_true_difference_about_as_often_as_it_says(block: int, memory: float) -> None:
    times, held = 200, 0
    shocks = np.random.default_rng(1).normal(size=(times, 84 + 30))
    fading = memory ** np.arange(30)
    errors = np.lib.stride_tricks.sliding_window_view(shocks, 30, axis=1)[:, :84, ::-1] @ fading
    for each in errors:
        found = paired_difference(
            24.0 * (0.7 + each), np.zeros(84), points=POINTS, resampling=Resampling(block=block, samples=300)
        )
        held += found.low <= 0.7 <= found.high
    assert 0.88 <= held / times <= 0.98


@settings(max_examples=40, deadline=None)
@given(days=st.integers(4, 120), share=st.floats(0.01, 1.0), seed=st.integers(0, 2**31))
def test_every_resample_has_as_many_days_as_there_are_in_runs_of_a_block(days: int, share: float, seed: int) -> None:
    block = max(1, int(share * days / 4))
    counts = day_counts(days, resampling=Resampling(block=block, samples=50, seed=seed))
    assert counts.shape == (50, days)
    assert (counts.sum(axis=1) == days).all()
    assert counts.max() <= -(-days // block)
    assert np.count_nonzero(counts == 0, axis=1).max() <= days - block


def test_every_day_is_drawn_equally_often_also_the_first_and_the_last() -> None:
    counts = day_counts(30, resampling=Resampling(block=7, samples=20_000))
    np.testing.assert_allclose(counts.mean(axis=0), 1.0, atol=0.04)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    a, b = losses(84, mean=9.8, noise=1.0), losses(84, mean=10.0, noise=1.0, seed=4)
    first, again, other = (
        paired_difference(a, b, points=POINTS, resampling=Resampling(seed=seed)) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.low != other.low
    assert first.difference == other.difference


def test_too_few_days_for_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match="27 days hold fewer than 4 blocks of 7"):
        day_counts(27, resampling=Resampling())
    with pytest.raises(ValueError, match="83, 84 and 84 days"):
        paired_difference(np.zeros(83), np.zeros(84), points=POINTS, resampling=Resampling())


@pytest.mark.parametrize("wrong", [{"block": 0}, {"samples": 0}, {"confidence": 1.0}])
def test_impossible_resamplings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected a block and samples"):
        Resampling(**wrong)  # type: ignore[arg-type]
