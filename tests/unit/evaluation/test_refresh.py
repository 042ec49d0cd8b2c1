"""Bands that follow how forecasts did lately."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from gridcast.domain.quantiles import QUANTILE_LEVELS
from gridcast.evaluation.refresh import Evidence, refreshed_factors

SPREADS = np.array([1.0, 3.0])
EXACT = np.quantile(np.random.default_rng(0).normal(size=100_000), QUANTILE_LEVELS)


def evidence(*, days: int = 60, leads: int = 8) -> Evidence:
    """A forecast a day of two series, the second three times as uncertain as its forecasts say."""
    noise = np.random.default_rng(1).normal(size=(2, days, leads)) * SPREADS[:, np.newaxis, np.newaxis]
    origin = np.arange(days) * 24
    valid = origin[:, np.newaxis] + np.arange(leads)
    return Evidence(
        origin=origin,
        day=np.arange(days),
        actual_mw=noise,
        known_from=np.broadcast_to(valid + 1, noise.shape),
        part=np.broadcast_to(valid % 24 // 6, noise.shape),
        quantiles_mw=np.broadcast_to(EXACT, (*noise.shape, len(EXACT))),
        cold=np.zeros(0, dtype=np.int64),
        as_kin_mw=np.zeros((1, 0, days, leads)),
    )


def test_a_series_whose_bands_were_too_narrow_is_stretched_and_the_other_hardly() -> None:
    factors = refreshed_factors(evidence(days=400), bucket=np.zeros(8, dtype=np.int64))
    assert_allclose(factors[0, 0, 0], 1.0, atol=0.3)
    assert_allclose(factors[1, 0, 0], 3.0, atol=0.5)


def test_a_part_of_the_day_whose_bands_were_too_wide_is_narrowed_and_the_others_stay() -> None:
    many = evidence(days=400, leads=24)
    at_night = many.part == 0
    quiet = many._replace(actual_mw=np.where(at_night, many.actual_mw / 4, many.actual_mw))
    factors = refreshed_factors(quiet, bucket=np.zeros(24, dtype=np.int64))
    assert_allclose(factors[0, 0, 0] * 4, factors[0, 0, 1:].mean(axis=0), rtol=0.2)
    assert_allclose(factors[0, 0, 1:], 1.0, atol=0.3)


def test_little_evidence_changes_little_and_none_nothing() -> None:
    bucket = np.zeros(8, dtype=np.int64)
    few, many = (np.log(refreshed_factors(evidence(days=days), bucket=bucket)[1]).mean() for days in (3, 300))
    assert 0 < few < many / 2
    nothing = evidence()._replace(actual_mw=np.full((2, 60, 8), np.nan))
    assert (refreshed_factors(nothing, bucket=bucket) == 1.0).all()


def test_only_what_was_known_by_then_counts() -> None:
    seen = evidence().before(30 * 24 + 3, back=10 * 24)
    assert_array_equal(seen.origin, np.arange(21, 31) * 24)
    assert np.isfinite(seen.actual_mw[:, :-1]).all()
    assert_array_equal(np.isfinite(seen.actual_mw[0, -1]), [True] * 3 + [False] * 5)
