"""A tiny network from training to the exported artefact."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from support.tiny_model import HOUR, LEADS, SERIES, SPEC, TRAINING, exported_in, make_panel, some_inputs, trained_in
from support.workers import run_folder

from gridcast.domain.errors import GridcastError
from gridcast.domain.quantiles import QUANTILE_LEVELS
from gridcast.features.windows import Inputs, window_inputs
from gridcast.models.tensorflow.artefact import read_manifest
from gridcast.models.tensorflow.export import signature
from gridcast.models.tensorflow.network import build_member, build_network, input_shapes
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.models.tensorflow.spec import NetworkSpec
from gridcast.models.tensorflow.train import TrainedModel, fit


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported_in(run_folder(tmp_path_factory))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    return trained_in(run_folder(tmp_path_factory))


def random_inputs(seed: int, *, size: float, missing: float) -> Inputs:
    rng = np.random.default_rng(seed)
    inputs: Inputs = {}
    for name, shape in input_shapes(SPEC).items():
        if name.endswith(("_mw", "_c")):
            values = rng.normal(0.0, size, (4, *shape)).astype(np.float32)
            inputs[name] = np.where(rng.random(values.shape) < missing, np.float32(np.nan), values)
        elif name == "hour_of_day":
            inputs[name] = rng.uniform(0, 24, (4, *shape)).astype(np.float32)
        elif name.endswith("holiday"):
            inputs[name] = rng.integers(0, 2, (4, *shape)).astype(np.float32)
        else:
            inputs[name] = rng.integers(0, 3, (4, *shape)).astype(np.int32)
    return inputs


def test_a_trained_model_keeps_its_facts(trained: TrainedModel) -> None:
    assert trained.trained_until == make_panel().end
    assert trained.trained_from == datetime(2024, 1, 1, tzinfo=UTC)
    assert np.isfinite([each for member in trained.losses for epoch in member for each in epoch]).all()
    assert trained.windows > trained.held_out_windows > 0


def test_training_refuses_a_history_that_is_too_short() -> None:
    with pytest.raises(GridcastError, match="expected at least"):
        fit(make_panel(), train_until=20 * 24, network_spec=SPEC, train_spec=TRAINING)


def test_the_exports_agree_with_the_model_in_memory(trained: TrainedModel, artefact: Path) -> None:
    inputs = some_inputs()
    expected = trained.predict(inputs)
    assert_allclose(Forecaster.load(artefact).predict(inputs), expected, rtol=1e-4, atol=1e-5)
    served = tf.saved_model.load(str(artefact / "saved_model")).signatures["serving_default"]
    assert_allclose(
        served(**{name: tf.constant(values) for name, values in inputs.items()})["load_mw"],
        expected,
        rtol=1e-4,
        atol=1e-5,
    )


def test_a_large_batch_equals_its_windows_one_by_one(artefact: Path) -> None:
    forecaster = Forecaster.load(artefact)
    inputs = some_inputs(300)
    batch = forecaster.predict(inputs)
    assert batch.shape == (300, LEADS, len(QUANTILE_LEVELS))
    for window in (0, 255, 256, 299):
        single = forecaster.predict({name: values[[window]] for name, values in inputs.items()})
        assert_allclose(single[0], batch[window], rtol=1e-5, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 1e-4, 1.0, 1e3, 1e6]), st.sampled_from([0.0, 0.3, 1.0]))
def test_quantiles_never_cross_and_are_numbers_whatever_comes_in(
    trained: TrainedModel, artefact: Path, seed: int, size: float, missing: float
) -> None:
    inputs = random_inputs(seed, size=size, missing=missing)
    for quantiles in (trained.predict(inputs), Forecaster.load(artefact).predict(inputs)):
        assert np.isfinite(quantiles).all()
        assert (np.diff(quantiles, axis=-1) >= 0).all()


def test_an_unknown_series_and_missing_loads_still_get_a_forecast(artefact: Path) -> None:
    forecaster = Forecaster.load(artefact)
    assert forecaster.series_index("zone_b") == 2
    assert forecaster.series_index("elsewhere") == 0
    inputs = some_inputs(2)
    unknown = {**inputs, "series": np.zeros(2, dtype=np.int32), "recent_load_mw": inputs["recent_load_mw"] * np.nan}
    assert np.isfinite(forecaster.predict(unknown)).all()


def test_a_panel_is_forecast_series_by_series(artefact: Path) -> None:
    forecaster = Forecaster.load(artefact)
    origin = 60 * 24
    panel = make_panel()
    rows = np.arange(len(panel.series_ids))

    quantiles = forecaster.forecast(panel, series=rows, origin=np.full(len(rows), origin))
    inputs = window_inputs(make_panel(), series=[0, 1], origin=[origin, origin], leads=LEADS)
    np.testing.assert_array_equal(quantiles, forecaster.predict(inputs))


def test_the_artefact_names_its_facts_and_holds_no_pickle(artefact: Path) -> None:
    manifest = read_manifest(artefact)
    assert manifest.series_ids == SERIES
    assert manifest.quantiles == QUANTILE_LEVELS
    assert (manifest.leads, manifest.interval, manifest.seed) == (LEADS, HOUR, 5)
    assert manifest.metadata == {"data_fingerprint": "abc"}
    files = {path.relative_to(artefact).as_posix() for path in artefact.rglob("*") if path.is_file()}
    assert files == {*manifest.files, "manifest.json"}
    assert not [name for name in files if Path(name).suffix in {".pkl", ".pickle", ".joblib", ".h5", ".keras", ".npy"}]
    assert json.loads((artefact / "signature.json").read_text()) == json.loads(json.dumps(signature(SPEC)))
    assert [path.name for path in artefact.parent.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        pytest.param("model.tflite", lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x"), id="a changed byte"),
        pytest.param("model.tflite", Path.unlink, id="no LiteRT model"),
        pytest.param("saved_model/saved_model.pb", lambda path: path.write_bytes(b""), id="an empty SavedModel"),
        pytest.param("signature.json", lambda path: path.write_text("{}"), id="another signature"),
        pytest.param("manifest.json", lambda path: path.write_text('{"files": '), id="half a manifest"),
        pytest.param("manifest.json", lambda path: path.write_text("[]"), id="a manifest of another kind"),
        pytest.param("manifest.json", Path.unlink, id="no manifest"),
    ],
)
def test_a_damaged_artefact_is_refused(artefact: Path, tmp_path: Path, name: str, damage: object) -> None:
    copy = tmp_path / "model"
    shutil.copytree(artefact, copy)
    damage(copy / name)  # type: ignore[operator]
    with pytest.raises(GridcastError, match=name.replace(".", r"\.")):
        Forecaster.load(copy)


def test_inputs_that_do_not_fit_the_model_are_refused(artefact: Path) -> None:
    forecaster = Forecaster.load(artefact)
    inputs = some_inputs(2)
    with pytest.raises(GridcastError, match="'weekday': nothing"):
        forecaster.predict({name: values for name, values in inputs.items() if name != "weekday"})
    with pytest.raises(GridcastError, match=r"'temperature_c': shape .* expected shape \(window, 6, 5\)"):
        forecaster.predict({**inputs, "temperature_c": inputs["temperature_c"][:, :3]})
    for number in (-1, len(SERIES) + 1):
        with pytest.raises(GridcastError, match=rf"'series': {number}; expected numbers from 1 to {len(SERIES)}, or 0"):
            forecaster.predict({**inputs, "series": np.array([0, number], dtype=np.int32)})


@pytest.mark.parametrize(("minutes", "leads"), [(5, 12), (15, 96), (30, 336)])
def test_other_intervals_and_horizons_build(minutes: int, leads: int) -> None:
    spec = NetworkSpec(leads, timedelta(minutes=minutes), SPEC.size)
    network = build_network(spec, series=1, members=[build_member(spec, series=1)])
    assert network.output_shape == (None, leads, len(QUANTILE_LEVELS))
