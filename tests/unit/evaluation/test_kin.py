"""New series are forecast as those known ones whose forecasts of their past were best."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from gridcast.evaluation.kin import LEAST_SHARE, kinship, with_kin
from gridcast.evaluation.refresh import Evidence

SAME, LIKE, UNLIKE = 10.0, 11.0, 20.0
"""What the unknown series, a similar and another one would have been forecast; the load is 12 and 0 of two series."""
GAPS = np.array([-3.0, -2, -1, 0, 1, 2, 3])


def evidence(*, days: int = 30, as_kin: tuple[float, ...] = (SAME, LIKE, UNLIKE)) -> Evidence:
    """A forecast of three leads a day of a series that is known and one that is cold."""
    origin = np.arange(days) * 24
    actual = np.broadcast_to(np.array([0.0, 12.0])[:, np.newaxis, np.newaxis], (2, days, 3))
    own = np.array([0.0, as_kin[0]])
    return Evidence(
        origin=origin,
        day=np.arange(days),
        actual_mw=actual,
        known_from=np.broadcast_to(origin[:, np.newaxis] + 1, actual.shape),
        part=np.zeros(actual.shape, dtype=np.int64),
        quantiles_mw=np.broadcast_to((own[:, np.newaxis] + GAPS)[:, np.newaxis, np.newaxis], (2, days, 3, 7)),
        cold=np.array([1]),
        as_kin_mw=np.broadcast_to(np.array(as_kin)[:, np.newaxis, np.newaxis, np.newaxis], (len(as_kin), 1, days, 3)),
    )


def test_those_whose_forecasts_of_the_past_were_best_count_most_and_bad_ones_nothing() -> None:
    share = kinship(evidence()).share[0]
    assert share[1] > 0.99
    assert share[2] == 0
    assert_allclose(share.sum(), 1)


def test_the_more_days_the_sharper_the_choice() -> None:
    shares = [kinship(evidence(days=days, as_kin=(SAME, SAME + 0.2))).share[0, 1] for days in (1, 4, 30)]
    assert 0.5 < shares[0] < shares[1] < shares[2]


def test_the_forecast_moves_to_its_kin_and_its_band_tightens_with_the_error() -> None:
    found = kinship(evidence())
    moved = with_kin(evidence(), found).quantiles_mw
    assert_allclose(moved[1, 0, 0, 3], LIKE, rtol=0.01)
    assert_allclose(np.diff(moved[1, 0, 0]), 0.5, rtol=0.02, err_msg="the error is half of what it was")
    assert_array_equal(moved[0], evidence().quantiles_mw[0], err_msg="known series stay")


def test_a_band_never_widens_because_of_kin() -> None:
    found = kinship(evidence(as_kin=(SAME, UNLIKE)))
    assert found.share.tolist() == [[1.0, 0.0]]
    assert found.tightening.tolist() == [1.0]


def test_without_evidence_a_series_stays_unknown() -> None:
    for nothing in (evidence(days=0), evidence()._replace(actual_mw=np.full((2, 30, 3), np.nan))):
        found = kinship(nothing)
        assert found.share.tolist() == [[1.0, 0.0, 0.0]]
        assert found.tightening.tolist() == [1.0]
        assert_array_equal(with_kin(nothing, found).quantiles_mw, nothing.quantiles_mw)


def test_loads_that_are_missing_or_forecasts_of_nothing_change_no_share() -> None:
    actual = evidence().actual_mw.copy()
    actual[1, ::2] = np.nan
    as_kin = evidence().as_kin_mw.copy()
    as_kin[:, :, ::2] = 0.0
    holes = evidence()._replace(actual_mw=actual, as_kin_mw=as_kin)
    fewer = evidence(days=15)
    assert_allclose(kinship(holes).share, kinship(fewer).share)
    assert_allclose(kinship(holes).tightening, kinship(fewer).tightening)


def test_small_shares_are_left_out() -> None:
    share = kinship(evidence(as_kin=(SAME, LIKE, *(SAME - each / 10 for each in range(20))))).share[0]
    assert ((share == 0) | (share >= LEAST_SHARE)).all()


def test_a_panel_without_cold_series_has_no_kin() -> None:
    known = evidence()._replace(cold=np.zeros(0, dtype=np.int64), as_kin_mw=np.zeros((1, 0, 30, 3)))
    assert kinship(known).share.shape == (0, 1)
    assert_array_equal(with_kin(known, kinship(known)).quantiles_mw, known.quantiles_mw)
