"""How much wider forecasts get where something is missing, in golden numbers."""

from datetime import timedelta

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from gridcast.domain.quantiles import MEDIAN
from gridcast.evaluation.conformal import FACTOR_LIMITS, band_factor
from gridcast.features.windows import Inputs
from gridcast.models.tensorflow.calibration import GapFactors, HeldOut, lack_factors
from gridcast.models.tensorflow.network import build_member, build_network
from gridcast.models.tensorflow.quantile_layers import WiderWhereLacking
from gridcast.models.tensorflow.spec import NetworkSize, NetworkSpec

LEADS = 6
QUANTILES = 100.0 + np.array([-5.0, -2.0, -1.0, 0.0, 1.0, 4.0, 7.0])


def test_the_factor_of_a_band_is_the_one_with_which_it_holds_four_of_five() -> None:
    actual = 100.0 + np.array([0.0, -1.0, 2.0, -6.0, 12.0, np.nan])  # 0, 0.5, 0.5, 3 and 3 times the band's reach
    assert band_factor(actual[[0, 1, 2, 3, 5]], np.tile(QUANTILES, (5, 1))) == pytest.approx(0.5 + 0.4 * 2.5)
    assert band_factor(actual, np.tile(QUANTILES, (6, 1))) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        pytest.param([100.1, 99.9], 1.0, id="a band that is too wide stays"),
        pytest.param([500.0, 500.0], FACTOR_LIMITS[1], id="there is a limit"),
        pytest.param([np.nan, np.nan], 1.0, id="nothing observed"),
    ],
)
def test_a_band_never_gets_narrower_nor_beyond_the_limit(actual: list[float], expected: float) -> None:
    assert band_factor(np.array(actual), np.tile(QUANTILES, (2, 1))) == expected


def test_each_lack_is_measured_after_the_factors_of_the_series_that_it_leaves() -> None:
    target = np.full((10, 2), 104.0)
    windows = HeldOut(
        target, np.broadcast_to(QUANTILES, (10, 2, 7)), np.zeros((10, 2)), np.zeros(10, int), np.arange(10)
    )
    factors = GapFactors(np.ones((2, 4, 6)), np.array([[0.5] * 6, [1.0] * 6]))
    known, unknown = lack_factors([windows, windows._replace(series=np.full(10, -1))], factors)
    assert (known, unknown) == pytest.approx((1.0, 2.0))


def test_quantiles_are_drawn_apart_by_the_share_that_is_missing_of_each_lack() -> None:
    layer = WiderWhereLacking(MEDIAN)
    quantiles = np.tile(QUANTILES, (1, 3, 1)).astype(np.float32)
    lacking = np.array([[[0.0, 0.0, 0.0], [1.0, 0.5, 0.0], [0.0, 0.0, 1.0]]], dtype=np.float32)
    assert_allclose(layer(quantiles, lacking), quantiles, rtol=1e-6)
    layer.calibrate([2.0, 1.5, 3.0])
    away = QUANTILES - 100.0
    assert_allclose(layer(quantiles, lacking)[0], [100 + away, 100 + 2.5 * away, 100 + 3 * away], rtol=1e-6)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """Of random weights."""
    spec = NetworkSpec(LEADS, timedelta(hours=1), NetworkSize(width=4, blocks=1, encoder_width=4, summary=2, horizon=1))
    member = build_member(spec, series=2)
    rng = np.random.default_rng(1)
    member.set_weights([rng.normal(0, 0.3, each.shape) for each in member.get_weights()])
    return build_network(spec, series=2, members=[member])


def some_inputs(network: keras.Model) -> Inputs:
    """Four windows that lack nothing."""
    rng = np.random.default_rng(3)
    inputs = {name: rng.uniform(1, 5, (4, *each.shape[1:])).astype(np.float32) for name, each in network.input.items()}
    return {**inputs, "series": np.ones(4, dtype=np.int32)}


def test_a_network_widens_what_lacks_temperature_readings_or_a_name_and_keeps_the_median(network: keras.Model) -> None:
    inputs = some_inputs(network)
    inputs["temperature_c"][1, 4:] = np.nan
    inputs["recent_load_mw"][2, -12:] = np.nan
    inputs["series"][3] = 0
    network.get_layer("wider").calibrate([1.0, 1.0, 1.0])
    before = np.asarray(network(inputs))
    network.get_layer("wider").calibrate([2.0, 3.0, 4.0])
    after = np.asarray(network(inputs))
    assert_array_equal(after[..., MEDIAN], before[..., MEDIAN])
    grown = np.ptp(after, axis=-1) / np.ptp(before, axis=-1)
    assert_allclose(grown, [[1.0] * 6, [1.0] * 4 + [2.0] * 2, [2.0] * 6, [4.0] * 6], rtol=1e-3)


def test_a_lead_without_temperature_does_not_look_at_those_of_its_reference_days(network: keras.Model) -> None:
    inputs = some_inputs(network)
    inputs["temperature_c"][:, 3:] = np.nan
    reference = inputs["reference_temperature_c"].copy()
    reference[0, 3:] += 9.0
    reference[1, :3] += 9.0
    moved = np.asarray(network({**inputs, "reference_temperature_c": reference})) - np.asarray(network(inputs))
    assert (np.abs(moved).max(axis=(1, 2)) > 1e-3).tolist() == [False, True, False, False]
