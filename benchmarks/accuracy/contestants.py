"""`python -m benchmarks.accuracy.contestants NAME FOLDER …` runs one contestant in a process of its own.

Writes `FOLDER/NAME.npy`, quantiles (fold, lead, quantile) in MW, and prints its seconds and peak memory.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.accuracy import nixtla, trees
from benchmarks.accuracy.tasks import HOUR, LEADS, Task, sample_slice, victoria
from gridcast.domain.quantiles import QUANTILE_LEVELS
from gridcast.features.windows import RECENT_DAYS
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.models.tensorflow.spec import NetworkSpec, TrainSpec
from gridcast.settings.model import ModelSettings
from gridcast.workflows.forecasts.baselines import fit_linear_baselines, fit_naive, naive_forecast
from gridcast.workflows.judging.backtest import model_quantiles

Floats = npt.NDArray[np.floating]

QUICK_DAYS = 14
FIRST_ORIGIN = RECENT_DAYS * 24


class Contestant(NamedTuple):
    """Two steps, timed apart: what learning returns is what forecasting starts from."""

    learn: Callable[[Task], Any]
    forecast: Callable[[Any, Task], Floats]


def main() -> None:
    """Run one contestant."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.contestants", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--victoria", type=Path, help="the sample is used without it")
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    contestant, task = contestants(quick=asked.quick)[asked.name], load_task(asked.victoria)
    began = time.monotonic()
    learned = contestant.learn(task)
    trained = time.monotonic()
    quantiles = contestant.forecast(learned, task)
    figures = {
        "train_s": round(trained - began, 1),
        "forecast_s": round(time.monotonic() - trained, 1),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    np.save(asked.folder / f"{asked.name}.npy", quantiles)
    sys.stdout.write(json.dumps(figures) + "\n")


def load_task(file: Path | None) -> Task:
    """Victoria from its file, or else a few days of the sample."""
    return sample_slice(days=QUICK_DAYS) if file is None else victoria(file)


def contestants(*, quick: bool) -> dict[str, Contestant]:
    """By name; quick ones learn little."""
    rounds, every = (10, 97) if quick else (trees.TREES, 13)
    return {
        "gridcast": Contestant(lambda task: _train(task, quick=quick), _ask),
        "lightgbm": Contestant(lambda task: _grow(task, rounds=rounds, every=every), _ask_trees),
        "mlforecast": Contestant(
            lambda task: nixtla.fit(task, trees=rounds, windows=5 if quick else 90), nixtla.predict
        ),
        "weekly_naive": Contestant(lambda task: fit_naive(task.panel, until=task.train_until), _repeat),
        "linear": Contestant(
            lambda task: fit_linear_baselines(task.panel, until=task.train_until, leads=LEADS),
            lambda fitted, task: fitted.forecast(
                task.panel, series=np.zeros_like(task.origins), origin=task.origins, leads=LEADS
            ),
        ),
    }


def _train(task: Task, *, quick: bool) -> Forecaster:
    """The exported model, as it is served."""
    from gridcast.models.tensorflow.export import save
    from gridcast.models.tensorflow.train import fit

    defaults = ModelSettings()
    trained = fit(
        task.panel,
        train_until=task.train_until,
        network_spec=NetworkSpec(LEADS, HOUR, defaults.network),
        train_spec=TrainSpec(members=1, epochs=1, windows_per_epoch=1024) if quick else defaults.training,
    )
    with TemporaryDirectory() as folder:
        save(trained, Path(folder) / "model")
        return Forecaster.load(Path(folder) / "model")


def _ask(forecaster: Forecaster, task: Task) -> Floats:
    """As in service, bands follow how earlier forecasts did."""
    return model_quantiles(forecaster, task.panel, series=np.zeros_like(task.origins), origin=task.origins)


def _grow(task: Task, *, rounds: int, every: int) -> Any:
    origins = np.arange(FIRST_ORIGIN, task.train_until - LEADS + 1, every, dtype=np.int32)
    features, load = trees.feature_table(task.inputs(origins)), task.loads(origins).ravel()
    return trees.fit(features, load, levels=QUANTILE_LEVELS, trees=rounds)


def _ask_trees(boosters: Any, task: Task) -> Floats:
    quantiles = trees.predict(boosters, trees.feature_table(task.inputs(task.origins)))
    return quantiles.reshape(len(task.origins), LEADS, -1)


def _repeat(naive: Any, task: Task) -> Floats:
    return naive_forecast(naive, task.panel, series=np.zeros_like(task.origins), origin=task.origins, leads=LEADS)


if __name__ == "__main__":
    main()
