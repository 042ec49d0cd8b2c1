"""What a new series loses: zones of the sample forecast from 14 days of history, against a model that has learned them.

Some zones are left out of training; a second model of the same settings has learned all. Both forecast the zones left
out in the 26 weeks after their training. The ratio is the mean absolute error of the first to that of the second, the
geometric mean over the zones.
"""

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import replace
from datetime import timedelta
from importlib.metadata import version

import numpy as np
import numpy.typing as npt

from benchmarks.accuracy.tasks import HOUR, LEADS, sample_panel
from gridcast.evaluation.metrics import band_score, mae, mean_pinball
from gridcast.features.panel import Panel
from gridcast.features.station_choice import learn_station_mix
from gridcast.features.station_reports import reports_on
from gridcast.features.windows import VisibleLoads, window_inputs, window_targets
from gridcast.ingestion.sample import read_sample
from gridcast.models.tensorflow.spec import NetworkSpec, TrainSpec
from gridcast.settings.model import ModelSettings

TARGET = 1.25
LEFT_OUT = ("zone_02", "zone_06", "zone_12", "zone_17", "zone_20")
"""Neither of the twins 3 and 7, nor the factory that is zone 9."""
HISTORY_DAYS = 14
JUDGED = timedelta(weeks=26)
BETWEEN_ORIGINS = 29
"""Hours, so that every hour of the day comes up."""

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
    spec = _training(quick=quick)
    learned = _forecast(panel, panel, left_out, spec=spec, cut=cut)
    cold = _forecast(*_without(left_out, panel, cut=cut), left_out, spec=spec, cut=cut)
    series, origin = _windows(panel, left_out, cut=cut)
    actual = window_targets(panel, series=series, origin=origin, leads=LEADS).astype(np.float64)
    return {
        zone: {
            **_scores("cold", actual[series == row], cold[series == row]),
            **_scores("learned", actual[series == row], learned[series == row]),
        }
        for zone, row in ((each, panel.series_ids.index(each)) for each in left_out)
    }


def _training(*, quick: bool) -> TrainSpec:
    """The default with one member, so that it takes minutes."""
    alone = replace(ModelSettings().training, members=1)
    return replace(alone, epochs=1, windows_per_epoch=512, held_out_blocks=2) if quick else alone


def _forecast(learns: Panel, panel: Panel, zones: tuple[str, ...], *, spec: TrainSpec, cut: int) -> Floats:
    """Quantiles (window, lead, quantile), MW, by a model of some series; of zones it does not know from 14 days."""
    from gridcast.models.tensorflow.train import fit

    trained = fit(
        learns, train_until=cut, network_spec=NetworkSpec(LEADS, HOUR, ModelSettings().network), train_spec=spec
    )
    series, origin = _windows(panel, zones, cut=cut)
    numbers = [learns.series_ids.index(each) + 1 if each in learns.series_ids else 0 for each in panel.series_ids]
    number = np.array(numbers, dtype=np.int32)[series]
    start = np.where(number == 0, origin - HISTORY_DAYS * 24, 0).astype(np.int32)
    inputs = window_inputs(panel, series=series, origin=origin, leads=LEADS, visible=VisibleLoads(start, origin))
    return trained.predict({**inputs, "series": number}).astype(np.float64)


def _windows(panel: Panel, zones: tuple[str, ...], *, cut: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Rows and origins of every zone and issue time, both (window,)."""
    stop = int(np.flatnonzero(np.isfinite(panel.load_mw).all(axis=0))[-1]) + 1
    origins = np.arange(cut, stop - LEADS + 1, BETWEEN_ORIGINS, dtype=np.int32)
    rows = np.array([panel.series_ids.index(each) for each in zones], dtype=np.int32)
    return np.repeat(rows, len(origins)), np.tile(origins, len(rows))


def _scores(name: str, actual: Floats, quantiles: Floats) -> Figures:
    band = band_score(actual, lower=quantiles[..., 1], upper=quantiles[..., -2])
    return {
        f"{name}_mae": mae(actual, quantiles[..., 3]),
        f"{name}_pinball": mean_pinball(actual, quantiles),
        f"{name}_coverage_80": band.coverage,
        f"{name}_width_80": band.width_mw,
    }


def _without(zones: tuple[str, ...], panel: Panel, *, cut: int) -> tuple[Panel, Panel]:
    """The panel without some zones, and the whole of it, both with the station mix that the others have learned."""
    rows = [row for row, each in enumerate(panel.series_ids) if each not in zones]
    others = replace(
        panel,
        series_ids=tuple(panel.series_ids[row] for row in rows),
        load_mw=panel.load_mw[rows],
        known_from=panel.known_from[rows],
        zone_of_series=panel.zone_of_series[rows],
        mix_of_series=panel.mix_of_series[rows],
    )
    weather = read_sample().weather
    mix = learn_station_mix(others, reports_on(weather, time=panel.time, interval=HOUR), until=cut)
    return others.with_weather(weather, station_mix=mix), panel.with_weather(weather, station_mix=mix)


if __name__ == "__main__":
    main()
