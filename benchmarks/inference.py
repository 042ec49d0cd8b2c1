"""What a forecast costs: LiteRT against the Keras network in memory and the SavedModel, one series and a thousand.

The network has its default size and number of members; what it has learned does not matter to its speed. The ratio is
the time of a warm LiteRT call to that of the network in memory, both for one series, taken turn by turn.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.accuracy.tasks import HOUR, LEADS
from benchmarks.train import copies
from gridcast.domain.quantiles import QUANTILE_LEVELS
from gridcast.features.panel import Panel
from gridcast.features.windows import window_inputs
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.models.tensorflow.spec import NetworkSpec
from gridcast.settings.model import ModelSettings

TARGET = 1.0
LARGEST_CALL_MS = 5.0
LARGEST_MANY_S = 1.5
LEARNED, MANY = 20, 1_000
"""Series the network has learned, and how many are forecast at once."""
LARGEST_DIFFERENCE = 1e-3
"""Between LiteRT and the network in memory, share of the mean load."""

Call = Callable[[], npt.NDArray[Any]]
Network = Callable[[Mapping[str, npt.NDArray[Any]]], npt.NDArray[Any]]


def main() -> None:
    """Print a table of medians and the JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inference", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repetitions: does it run?")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as name:
        result = _measure(Path(name) / "model", quick=quick)
    for what, value in result["p50_ms"].items():
        print(f"{what:>24} {value:9.2f} ms")  # noqa: T201
    sys.stdout.write(json.dumps(result) + "\n")


def _measure(folder: Path, *, quick: bool) -> dict[str, Any]:
    panel, many = copies(LEARNED), copies(MANY)
    network, saved_model = _export(panel, folder, quick=quick)
    forecaster = Forecaster.load(folder)
    origin = [len(panel.time) - LEADS]
    inputs = window_inputs(panel, series=[0], origin=origin, leads=LEADS)
    calls: dict[str, Call] = {
        "litert": lambda: forecaster.predict(inputs),
        "keras": lambda: network(inputs),
        "saved_model": lambda: saved_model(inputs),
        "litert_with_features": lambda: forecaster.forecast(panel, series=[0], origin=origin),
    }
    answers = {name: np.asarray(call()) for name, call in calls.items()}
    difference = max(_difference(each, answers["keras"]) for each in answers.values())
    p50 = _medians(calls, rounds=20 if quick else 300)
    everyone, last = np.arange(MANY), np.full(MANY, len(many.time) - LEADS)
    all_inputs = {
        **window_inputs(many, series=everyone, origin=last, leads=LEADS),
        "series": np.array([forecaster.series_index(each) for each in many.series_ids], dtype=np.int32),
    }
    thousand: dict[str, Call] = {
        "many_litert": lambda: forecaster.predict(all_inputs),
        "many_keras": lambda: network(all_inputs),
        "many_with_features": lambda: forecaster.forecast(many, series=everyone, origin=last),
    }
    p50 |= _medians(thousand, rounds=1 if quick else 7)
    seconds = p50["many_with_features"] / 1_000
    limits = {
        f"ratio {p50['litert'] / p50['keras']:.3f} > {TARGET}": p50["litert"] > TARGET * p50["keras"],
        f"{p50['litert']:.2f} ms > {LARGEST_CALL_MS} ms": p50["litert"] > LARGEST_CALL_MS,
        f"{seconds:.2f} s > {LARGEST_MANY_S} s for {MANY} series": seconds > LARGEST_MANY_S,
    }
    missed = [] if quick else [what for what, is_missed in limits.items() if is_missed]
    is_equal = difference <= LARGEST_DIFFERENCE
    return {
        "name": "inference",
        "ratio": round(p50["litert"] / p50["keras"], 3),
        "target": TARGET,
        "ok": is_equal and not missed,
        "missed": [*missed, *([] if is_equal else [f"the answers differ by {difference:.2g}"])],
        "p50_ms": {name: round(value, 3) for name, value in p50.items()},
        "largest_difference": difference,
        "leads": LEADS,
        "quantiles": len(QUANTILE_LEVELS),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("keras", "ai-edge-litert", "numpy")},
    }


def _export(panel: Panel, folder: Path, *, quick: bool) -> tuple[Network, Network]:
    """A hardly trained network of default size in memory and as SavedModel, with one member if it is to be quick."""
    import tensorflow as tf

    from gridcast.models.tensorflow.artefact import OUTPUT, SAVED_MODEL
    from gridcast.models.tensorflow.export import save
    from gridcast.models.tensorflow.train import fit

    settings = ModelSettings()
    little = replace(settings.training, epochs=1, windows_per_epoch=256, held_out_blocks=2)
    trained = fit(
        panel,
        train_until=len(panel.time),
        network_spec=NetworkSpec(LEADS, HOUR, settings.network),
        train_spec=replace(little, members=1) if quick else little,
    )
    save(trained, folder)
    call = tf.saved_model.load(str(folder / SAVED_MODEL)).signatures["serving_default"]
    network = tf.function(trained.network)

    def saved_model(inputs: Mapping[str, Any]) -> npt.NDArray[Any]:
        return np.asarray(call(**{name: tf.constant(value) for name, value in inputs.items()})[OUTPUT])

    return lambda inputs: np.asarray(network(inputs)), saved_model


def _difference(answer: npt.NDArray[Any], expected: npt.NDArray[Any]) -> float:
    return float(np.abs(answer - expected).max() / np.abs(expected).mean())


def _medians(calls: Mapping[str, Call], *, rounds: int) -> dict[str, float]:
    """Median of each call, ms: the calls take turns, so that a busy moment of the machine hits them alike."""
    for call in calls.values():
        call()
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            taken[name].append(1_000 * (time.perf_counter() - began))
    return {name: statistics.median(each) for name, each in taken.items()}


if __name__ == "__main__":
    main()
