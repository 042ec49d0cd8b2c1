"""What a new series loses: zones of the sample forecast from 14 days of history, against a model that has learned them.

Some zones are left out of training; a second model of the same settings has learned all. Both forecast the zones left
out in the half year after their training, the first as service would: from the past two weeks it is told as whom to
forecast them. The ratio is the mean absolute error of the first to that of the second, the geometric mean over zones.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.accuracy.tasks import HOUR, LEADS, sample_panel
from gridcast.evaluation.metrics import band_score, mae, mean_pinball
from gridcast.features.panel import Panel
from gridcast.features.station_choice import learn_station_mix
from gridcast.features.station_reports import reports_on
from gridcast.features.windows import window_targets
from gridcast.ingestion.sample import read_sample
from gridcast.models.tensorflow.artefact import STATION_MIX
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.models.tensorflow.spec import NetworkSpec, TrainSpec
from gridcast.settings.model import ModelSettings
from gridcast.workflows.judging.backtest import model_quantiles

TARGET = 1.25
LEFT_OUT = ("zone_02", "zone_06", "zone_12", "zone_17", "zone_20")
"""Neither of the twins 3 and 7, nor the factory that is zone 9."""
HISTORY_DAYS = 14
JUDGED = timedelta(weeks=26)
BETWEEN_ORIGINS = 53
"""Hours, so that every hour of the day comes up."""
MOST_BETWEEN_ORIGINS = 1009

Floats = npt.NDArray[np.float64]
Figures = dict[str, float]


def main() -> None:
    """Print a table of the zones left out and the JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold_series", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="hardly learned, one zone left out: does it run?")
    quick = parser.parse_args().quick
    began = time.monotonic()
    zones = _measure(quick=quick)
    ratios = {zone: each["cold_mae"] / each["learned_mae"] for zone, each in zones.items()}
    print(f"{'':8}", *(f"{name:>20}" for name in next(iter(zones.values()))))  # noqa: T201
    for zone, figures in zones.items():
        print(zone, *(f"{value:20.3f}" for value in figures.values()))  # noqa: T201
    ratio = float(np.exp(np.mean(np.log(list(ratios.values())))))
    result = {
        "name": "cold_series",
        "ratio": round(ratio, 3),
        "target": TARGET,
        "ok": quick or ratio <= TARGET,
        "by_zone": {zone: round(each, 3) for zone, each in ratios.items()},
        **_means(zones),
        "seconds": round(time.monotonic() - began, 1),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("keras", "numpy")},
    }
    sys.stdout.write(json.dumps(result) + "\n")


def _means(zones: dict[str, Figures]) -> Figures:
    """Coverages on average over the zones, and how much worse and wider cold forecasts are."""
    each = {name: np.array([figures[name] for figures in zones.values()]) for name in next(iter(zones.values()))}
    ratios = {
        name: float(np.exp(np.log(each[f"cold_{name}"] / each[f"learned_{name}"]).mean()))
        for name in ("pinball", "width_80")
    }
    coverages = {name: float(each[name].mean()) for name in ("cold_coverage_80", "learned_coverage_80")}
    return {name: round(value, 3) for name, value in {**ratios, **coverages}.items()}


def _measure(*, quick: bool) -> dict[str, Figures]:
    """Errors of both models by zone, MW."""
    left_out = LEFT_OUT[:1] if quick else LEFT_OUT
    end = len(sample_panel(zones=1).time)
    cut = end - JUDGED // HOUR
    panel = sample_panel(zones=3 if quick else 20, learn_until=cut)
    weather = read_sample().weather
    kept = [row for row, each in enumerate(panel.series_ids) if each not in left_out]
    asked = panel.take([panel.series_ids.index(each) for each in left_out])
    with tempfile.TemporaryDirectory() as name:
        models = {
            each: _forecaster(learns, weather, Path(name) / each, spec=_training(quick=quick), cut=cut)
            for each, learns in (("learned", panel), ("cold", panel.take(kept)))
        }
        known = {each: asked.with_weather(weather, station_mix=model.station_mix) for each, model in models.items()}
    origins = _origins(panel, first=cut + HISTORY_DAYS * 24, every=MOST_BETWEEN_ORIGINS if quick else BETWEEN_ORIGINS)
    series, origin = np.repeat(np.arange(len(left_out)), len(origins)), np.tile(origins, len(left_out))
    actual = window_targets(asked, series=series, origin=origin, leads=LEADS).astype(np.float64)
    learned = models["learned"].forecast(known["learned"], series=series, origin=origin).astype(np.float64)
    cold = np.concatenate([_cold(models["cold"], known["cold"], origin=int(each)) for each in origins])
    order = np.tile(np.arange(len(left_out)), len(origins))
    return {
        zone: {
            **_scores("cold", actual[series == row], cold[order == row]),
            **_scores("learned", actual[series == row], learned[series == row]),
        }
        for row, zone in enumerate(left_out)
    }


def _training(*, quick: bool) -> TrainSpec:
    """The default with one member, so that it takes minutes."""
    alone = replace(ModelSettings().training, members=1)
    return replace(alone, epochs=1, windows_per_epoch=512, held_out_blocks=2) if quick else alone


def _forecaster(panel: Panel, weather: pl.DataFrame, directory: Path, *, spec: TrainSpec, cut: int) -> Forecaster:
    """An exported model of the series of a panel, with the station mix they have learned."""
    from gridcast.models.tensorflow.export import save
    from gridcast.models.tensorflow.train import fit

    mix = learn_station_mix(panel, reports_on(weather, time=panel.time, interval=HOUR), until=cut)
    trained = fit(
        panel.with_weather(weather, station_mix=mix),
        train_until=cut,
        network_spec=NetworkSpec(LEADS, HOUR, ModelSettings().network),
        train_spec=spec,
    )
    save(trained, directory, metadata={STATION_MIX: mix.to_facts()})
    return Forecaster.load(directory)


def _cold(forecaster: Forecaster, panel: Panel, *, origin: int) -> Floats:
    """Quantiles (series, lead, quantile), MW, of every series of a panel as if its history had begun lately."""
    load = panel.load_mw.copy()
    load[:, : origin - HISTORY_DAYS * 24] = np.nan
    series = np.arange(len(load))
    young = replace(panel, load_mw=load)
    return model_quantiles(forecaster, young, series=series, origin=np.full(len(series), origin))


def _origins(panel: Panel, *, first: int, every: int) -> npt.NDArray[np.int32]:
    stop = int(np.flatnonzero(np.isfinite(panel.load_mw).all(axis=0))[-1]) + 1
    return np.arange(first, stop - LEADS + 1, every, dtype=np.int32)


def _scores(name: str, actual: Floats, quantiles: Floats) -> Figures:
    band = band_score(actual, lower=quantiles[..., 1], upper=quantiles[..., -2])
    return {
        f"{name}_mae": mae(actual, quantiles[..., 3]),
        f"{name}_pinball": mean_pinball(actual, quantiles),
        f"{name}_coverage_80": band.coverage,
        f"{name}_width_80": band.width_mw,
    }


if __name__ == "__main__":
    main()
