"""Export: a SavedModel and a LiteRT model with one frozen signature, complete or not there at all."""

import functools
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import keras
import tensorflow as tf

from gridcast import __version__
from gridcast.domain.errors import GridcastError
from gridcast.domain.quantiles import QUANTILE_LEVELS
from gridcast.models.tensorflow.artefact import LITERT, MANIFEST, OUTPUT, SAVED_MODEL, SIGNATURE, Manifest, sha256
from gridcast.models.tensorflow.learning import predict
from gridcast.models.tensorflow.model_card import MODEL_CARD, model_card
from gridcast.models.tensorflow.network import INPUT_TYPES, input_shapes
from gridcast.models.tensorflow.sanity import write_sanity
from gridcast.models.tensorflow.spec import NetworkSpec
from gridcast.models.tensorflow.train import TrainedModel

UNITS = {"load_mw": "MW", "temperature_c": "°C", "hour_of_day": "h"}


def save(trained: TrainedModel, directory: Path, *, metadata: Mapping[str, Any] | None = None) -> Manifest:
    """Write the model to `directory`, replacing what was there, and return its manifest.

    saved_model/ (signature serving_default), model.tflite, signature.json, sanity.json (a forecast it must be able to
    repeat), model_card.md and manifest.json with a checksum of each. All is written beside the folder and then renamed,
    so an interrupted export leaves nothing half-written.

    Raises:
        GridcastError: the folder cannot be written.
    """
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        building = Path(mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    except OSError as error:
        raise _unwritable(directory, error) from error
    try:
        _write_models(trained.network, building, spec=trained.network_spec)
        manifest = _with_card(_manifest(trained, metadata=metadata or {}), building)
        (building / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
        building.chmod(0o755)
        _swap(building, directory)
    except (OSError, tf.errors.OpError) as error:
        raise _unwritable(directory, error) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return manifest


def _swap(building: Path, directory: Path) -> None:
    if not directory.exists():
        building.rename(directory)
        return
    former = building.with_name(f"{building.name}-former")
    directory.rename(former)
    building.rename(directory)
    shutil.rmtree(former)


def signature(spec: NetworkSpec) -> dict[str, Any]:
    """The frozen signature: names, dtypes, shapes (None is the window axis) and units of inputs and output."""
    shapes = input_shapes(spec)
    return {
        "inputs": {
            name: {"dtype": INPUT_TYPES.get(name, "float32"), "shape": [None, *shape], "unit": _unit(name)}
            for name, shape in shapes.items()
        },
        "outputs": {OUTPUT: {"dtype": "float32", "shape": [None, spec.leads, len(QUANTILE_LEVELS)], "unit": "MW"}},
    }


def _unit(name: str) -> str:
    return next((unit for ending, unit in UNITS.items() if name.endswith(ending)), "1")


def _write_models(network: keras.Model, directory: Path, *, spec: NetworkSpec) -> None:
    frozen = signature(spec)
    specs = {name: tf.TensorSpec(each["shape"], each["dtype"], name=name) for name, each in frozen["inputs"].items()}
    module = tf.Module()
    module.network = network
    module.serve = tf.function(lambda **inputs: {OUTPUT: network(inputs, training=False)}, autograph=False)
    served = module.serve.get_concrete_function(**specs)
    saved = directory / SAVED_MODEL
    tf.saved_model.save(module, str(saved), signatures={"serving_default": served})
    loaded = tf.saved_model.load(str(saved))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([loaded.signatures["serving_default"]], loaded)
    (directory / LITERT).write_bytes(converter.convert())
    (directory / SIGNATURE).write_text(json.dumps(frozen, indent=1, ensure_ascii=False), encoding="utf-8")
    write_sanity(directory, functools.partial(predict, network), signature=frozen["inputs"])


def _manifest(trained: TrainedModel, *, metadata: Mapping[str, Any]) -> Manifest:
    network = {**asdict(trained.network_spec), "interval": trained.interval / timedelta(minutes=1)}
    return Manifest(
        files={},
        gridcast=__version__,
        series_ids=trained.series_ids,
        leads=trained.leads,
        interval=trained.interval,
        quantiles=QUANTILE_LEVELS,
        lead_correlation=trained.lead_correlation,
        trained_from=trained.trained_from.isoformat(),
        trained_until=trained.trained_until.isoformat(),
        seed=trained.train_spec.seed,
        spec={"network": network, "training": asdict(trained.train_spec)},
        metadata=dict(metadata),
        held_out_scores=trained.held_out_scores,
    )


def _with_card(manifest: Manifest, directory: Path) -> Manifest:
    """The manifest with a checksum of every file, once the model card lies among them."""
    (directory / MODEL_CARD).write_text(model_card(manifest), encoding="utf-8")
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return replace(manifest, files={path.relative_to(directory).as_posix(): sha256(path) for path in files})


def _unwritable(directory: Path, error: Exception) -> GridcastError:
    return GridcastError(
        f"{directory}: the model cannot be written ({error}); nothing was left behind. "
        "Free some space or choose a folder you may write to."
    )
