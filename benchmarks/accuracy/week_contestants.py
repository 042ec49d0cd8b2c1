"""`python -m benchmarks.accuracy.week_contestants NAME FOLDER` solves GEFCom2012 in a process of its own.

Writes `FOLDER/NAME.npy`, MW, (week, series, lead), and prints its seconds and peak memory.
"""

import argparse
import json
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.accuracy import trees
from benchmarks.accuracy.weeks import LEADS, Ask, Learn, coherent, read_weeks, solve
from gridcast.domain.quantiles import MEDIAN
from gridcast.features.panel import Panel
from gridcast.features.windows import REFERENCES, Inputs, Windows, usable_windows, window_inputs, window_targets
from gridcast.ingestion.sample import INTERVAL
from gridcast.models.tensorflow.spec import NetworkSpec, TrainSpec
from gridcast.settings.model import ModelSettings
from gridcast.workflows.forecasts.baselines import fit_linear_baselines

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

WEEKS_BACK = [REFERENCES.index(name) for name in ("week_1", "week_2", "week_3")]


def main() -> None:
    """Run one contestant."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.week_contestants", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    weeks = read_weeks()
    began = time.monotonic()
    learn = learners(quick=asked.quick)[asked.name]
    loads = coherent(solve(weeks, learn))
    np.save(asked.folder / f"{asked.name}.npy", loads)
    figures = {
        "seconds": round(time.monotonic() - began, 1),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    sys.stdout.write(json.dumps(figures) + "\n")


def learners(*, quick: bool) -> dict[str, Learn]:
    """By name; quick ones learn little."""
    return {
        "gridcast": lambda panel, until: _train(panel, until, quick=quick),
        "lightgbm": lambda panel, until: _grow(panel, until, quick=quick),
        **({} if quick else {"linear": _regress}),
        "weekly_naive": lambda panel, until: _repeat,  # noqa: ARG005
    }


def _train(panel: Panel, until: int, *, quick: bool) -> Ask:
    from gridcast.models.tensorflow.train import fit

    defaults = ModelSettings()
    trained = fit(
        panel,
        train_until=until,
        network_spec=NetworkSpec(LEADS, INTERVAL, defaults.network),
        train_spec=TrainSpec(members=1, epochs=1, windows_per_epoch=512) if quick else defaults.training,
    )

    def ask(panel: Panel, origin: Ints) -> Floats:
        windows = _every_series(panel, origin)
        return _by_series(panel, trained.predict(_inputs(panel, windows))[..., MEDIAN])

    return ask


def _grow(panel: Panel, until: int, *, quick: bool) -> Ask:
    """One LightGBM for all series, each divided by its mean load, its number being a feature."""
    scale = np.nanmean(panel.load_mw[:, :until], axis=1, dtype=np.float64)

    def features(panel: Panel, windows: Windows) -> npt.NDArray[np.float32]:
        inputs = _inputs(replace(panel, load_mw=panel.load_mw / scale[:, np.newaxis].astype(np.float32)), windows)
        number = np.repeat(windows.series, LEADS)[:, np.newaxis].astype(np.float32)
        return np.concatenate([trees.feature_table(inputs), number], axis=1)

    windows = usable_windows(panel, leads=LEADS, stop=until, every=4001 if quick else 197)
    load = window_targets(panel, series=windows.series, origin=windows.origin, leads=LEADS)
    shares = (load / scale[windows.series, np.newaxis]).ravel()
    boosters = trees.fit(features(panel, windows), shares, levels=[0.5], trees=10 if quick else trees.TREES)

    def ask(panel: Panel, origin: Ints) -> Floats:
        medians = trees.predict(boosters, features(panel, _every_series(panel, origin)))
        return _by_series(panel, medians.reshape(-1, LEADS)) * scale[:, np.newaxis, np.newaxis]

    return ask


def _regress(panel: Panel, until: int) -> Ask:
    """The linear baseline; where an input is missing, the weekly naive."""
    fitted = fit_linear_baselines(panel, until=until, leads=LEADS)

    def ask(panel: Panel, origin: Ints) -> Floats:
        windows = _every_series(panel, origin)
        quantiles = fitted.forecast(panel, series=windows.series, origin=windows.origin, leads=LEADS)
        loads = _by_series(panel, quantiles[..., MEDIAN])
        return np.where(np.isnan(loads), _repeat(panel, origin), loads)

    return ask


def _repeat(panel: Panel, origin: Ints) -> Floats:
    """The newest of the same hours one to three weeks before that was read."""
    weeks_ago = _inputs(panel, _every_series(panel, origin))["reference_load_mw"][..., WEEKS_BACK]
    newest = np.isfinite(weeks_ago).argmax(axis=-1)[..., np.newaxis]
    return _by_series(panel, np.take_along_axis(weeks_ago, newest, axis=-1)[..., 0])


def _every_series(panel: Panel, origin: Ints) -> Windows:
    series = np.arange(len(panel.series_ids), dtype=np.int32)
    return Windows(np.repeat(series, len(origin)), np.tile(origin, len(series)))


def _inputs(panel: Panel, windows: Windows) -> Inputs:
    return window_inputs(panel, series=windows.series, origin=windows.origin, leads=LEADS)


def _by_series(panel: Panel, loads: npt.NDArray[np.floating]) -> Floats:
    return loads.astype(np.float64).reshape(len(panel.series_ids), -1, LEADS)


if __name__ == "__main__":
    main()
