"""Layers: shapes, configuration and saving, missing values."""

import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from gridcast.models.tensorflow.input_layers import (
    CalendarTerms,
    HourlyMeans,
    ObservedShares,
    ScaledLoad,
    TemperatureHinges,
    UniformNoise,
    WeekLevel,
)
from gridcast.models.tensorflow.quantile_layers import CalibratedQuantiles, QuantileGaps, WiderWhereLacking

NAN = float("nan")
LEADS = 4

LAYERS = [
    pytest.param(WeekLevel(3), [(6,)], (2,), id="WeekLevel"),
    pytest.param(ScaledLoad(limit=5.0), [(6,), (2,)], (6, 2), id="ScaledLoad of the past"),
    pytest.param(ScaledLoad(), [(LEADS, 3), (2,)], (LEADS, 3, 2), id="ScaledLoad of references"),
    pytest.param(HourlyMeans(1), [(6, 2)], (6,), id="HourlyMeans of hours"),
    pytest.param(HourlyMeans(2), [(6, 2)], (3,), id="HourlyMeans of half hours"),
    pytest.param(CalendarTerms(daily=3, yearly=1), [(LEADS,)] * 3, (LEADS, 1 + 6 + 2 + 7), id="CalendarTerms"),
    pytest.param(TemperatureHinges((10.0,), (20.0, 25.0)), [(LEADS, 4)], (LEADS, 17), id="TemperatureHinges"),
    pytest.param(ObservedShares(2), [(6, 2)], (3,), id="ObservedShares"),
    pytest.param(UniformNoise(0.5), [(LEADS, 3)], (LEADS, 3), id="UniformNoise"),
    pytest.param(QuantileGaps(7), [(LEADS, 8)], (LEADS, 7), id="QuantileGaps"),
    pytest.param(CalibratedQuantiles(3, 6), [(LEADS, 7), (2,), (LEADS,), ()], (LEADS, 7), id="CalibratedQuantiles"),
    pytest.param(WiderWhereLacking(3), [(LEADS, 7), (LEADS, 3)], (LEADS, 7), id="WiderWhereLacking"),
]


def inputs_of(shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.uniform(1.0, 5.0, (3, *shape)).astype(np.float32) for shape in shapes]


def as_integers(layer: keras.Layer, inputs: list[np.ndarray]) -> list[np.ndarray]:
    whole = {CalendarTerms: (1, 2), CalibratedQuantiles: (3,)}.get(type(layer), ())
    return [each.astype(np.int32) if place in whole else each for place, each in enumerate(inputs)]


@pytest.mark.parametrize(("layer", "shapes", "expected"), LAYERS)
def test_a_layer_has_the_shape_it_promises(
    layer: keras.Layer, shapes: list[tuple[int, ...]], expected: tuple[int, ...]
) -> None:
    output = layer(*as_integers(layer, inputs_of(shapes)))
    assert tuple(output.shape) == (3, *expected)


@pytest.mark.parametrize(("layer", "shapes", "expected"), LAYERS)
def test_a_layer_survives_configuration_and_saving(
    layer: keras.Layer, shapes: list[tuple[int, ...]], expected: tuple[int, ...], tmp_path: Path
) -> None:
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    values = as_integers(layer, inputs_of(shapes))
    symbols = [keras.Input(each.shape[1:], dtype=str(each.dtype)) for each in values]
    model = keras.Model(symbols, again(*symbols))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)  # Keras with NumPy 2
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_allclose(loaded(values), model(values), rtol=1e-6)


def test_level_and_scale_are_taken_over_what_was_observed_in_the_week() -> None:
    load = np.array([[99.0, 3.0, NAN, 5.0], [4.0, NAN, NAN, NAN], [NAN] * 4, [0.0] * 4], dtype=np.float32)
    level_scale = np.asarray(WeekLevel(3)(load))
    assert_allclose(level_scale[:, 0], [4.0, 4.0, 0.0, 0.0], rtol=1e-6)
    assert_allclose(level_scale[:, 1], [np.sqrt(17.0), 4.0, 1e-3, 1e-3], rtol=1e-6)


def test_missing_loads_are_zero_and_masked_and_broken_ones_are_cut_off() -> None:
    load = np.array([[10.0, NAN, np.inf, 1e9]], dtype=np.float32)
    scaled = np.asarray(ScaledLoad(limit=5.0)(load, np.array([[8.0, 4.0]], dtype=np.float32)))
    assert_allclose(scaled[0], [[0.5, 1.0], [0.0, 0.0], [0.0, 0.0], [5.0, 1.0]])


def test_hourly_means_are_taken_over_what_was_observed() -> None:
    scaled = np.array([[[2.0, 1.0], [0.0, 0.0], [1.0, 1.0], [3.0, 1.0], [0.0, 0.0], [0.0, 0.0]]], dtype=np.float32)
    assert_allclose(HourlyMeans(2)(scaled), [[2.0, 2.0, 0.0]])


def test_temperature_hinges_are_straight_beyond_the_outer_knots_and_zero_where_missing() -> None:
    temperature = np.array([[30.0], [40.0], [NAN]], dtype=np.float32)
    terms = np.asarray(TemperatureHinges((10.0,), (20.0,))(temperature))
    assert_allclose(terms, [[1.4, 0.0, 1.0, 1.0], [2.4, 0.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0]], atol=1e-6)


def test_shares_tell_how_much_was_observed() -> None:
    scaled = np.array([[[1.0, 1.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]], dtype=np.float32)
    assert_allclose(ObservedShares(2)(scaled), [[0.5, 0.0]])


def test_noise_has_its_deviation_in_training_another_one_each_time_and_is_none_otherwise() -> None:
    layer, values = UniformNoise(0.5), np.ones((100, 50), dtype=np.float32)
    first, second = (np.asarray(layer(values, training=True)) for _ in range(2))
    assert_allclose([first.std(), (first - second).std(), first.mean()], [0.5, 0.5 * np.sqrt(2), 1.0], rtol=0.05)
    assert_allclose(layer(values), values)
    assert_allclose(UniformNoise(0.0)(values, training=True), values)


def test_quantiles_are_built_outward_from_the_median_and_stretched_by_the_factors() -> None:
    layer = CalibratedQuantiles(1, 2)
    gaps = np.array([[[1.0, 0.1, 0.2], [1.0, 0.1, 0.2]]], dtype=np.float32)  # median, one gap below, one above
    rest = np.array([[100.0, 10.0]], dtype=np.float32), np.array([[5.0, 6.0]], dtype=np.float32), np.array([2])
    assert_allclose(layer(gaps, *rest), [[[109.0, 110.0, 112.0]] * 2], rtol=1e-6)
    factors, series_factors = np.ones((2, 4, 2)), np.ones((3, 2))
    factors[1, 1] = 2.0, -3.0
    series_factors[2] = 1.0, 0.5
    layer.calibrate(factors, series_factors)
    expected = [[[109.0, 110.0, 111.0], [108.0, 110.0, 110.0]]]
    assert_allclose(layer(gaps, *rest), expected, rtol=1e-6, err_msg="night of the first lead, morning of the second")
    assert_allclose(layer(gaps, *rest[:2], np.array([1]))[0, 0], [109.0, 110.0, 112.0], err_msg="another series")
