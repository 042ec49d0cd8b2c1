"""From clean history to a registered challenger that knows nothing of the days it will be judged on."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

from gridcast.domain.lead_time import lead_count
from gridcast.models.tensorflow.artefact import STATION_MIX
from gridcast.models.tensorflow.export import save
from gridcast.models.tensorflow.spec import NetworkSize, NetworkSpec, TrainSpec
from gridcast.models.tensorflow.train import Progress, TrainedModel, fit
from gridcast.registry.mlflow_registry import RegisteredModel, Registry
from gridcast.workflows.history import training_history
from gridcast.workflows.lineage import git_revision, pip_requirements
from gridcast.workflows.processed import Processed
from gridcast.workflows.weather_use import WeatherUse

OBSERVED_AND_LEARNED = WeatherUse()


def train_model(
    processed: Processed,
    registry: Registry,
    *,
    scratch: Path,
    size: NetworkSize,
    training: TrainSpec,
    horizon: timedelta,
    unseen_from: datetime,
    on_progress: Callable[[Progress], None],
    again: bool = False,
    weather: WeatherUse = OBSERVED_AND_LEARNED,
) -> tuple[RegisteredModel, bool]:
    """Train on the history before `unseen_from` and register the result.

    Args:
        processed: the clean history.
        registry: where the model goes.
        scratch: folder for the export on its way there; removed afterwards.
        size: of the network.
        training: how it learns.
        horizon: how far it forecasts.
        unseen_from: the first issue time the model will be judged on.
        on_progress: called as training goes on.
        again: train even if an equal model is registered.
        weather: how stations are mixed, and which temperatures stand for the future.

    Returns:
        The registered model, and whether an equal one was there already.

    Raises:
        GridcastError: the history is too short.
    """
    settings = {"network": asdict(size), "training": asdict(training), "weather": asdict(weather)}
    params = {
        "horizon": str(horizon),
        "unseen_from": unseen_from.isoformat(),
        "series": len(processed.hierarchy.ids),
        **{f"{part}.{name}": value for part, each in settings.items() for name, value in each.items()},
    }
    lineage = {"data_fingerprint": processed.fingerprint, "settings_fingerprint": _fingerprint(params)}
    known = registry.trained_from(lineage)
    if known is not None and not again:
        registry.nominate(known)
        return registry.get(known.version), True
    panel, station_mix = training_history(processed, until=unseen_from, use=weather)
    network = NetworkSpec(leads=lead_count(horizon, processed.interval), interval=processed.interval, size=size)
    trained = fit(
        panel, train_until=len(panel.time), network_spec=network, train_spec=training, on_progress=on_progress
    )
    tags = {**lineage, **_origin(trained)}
    mix = None if station_mix is None else station_mix.to_facts()
    try:
        save(trained, scratch, metadata={**tags, STATION_MIX: mix})
        model = registry.register(
            scratch, params=params, metrics=_metrics(trained), tags=tags, pip_requirements=pip_requirements()
        )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return model, False


def _origin(trained: TrainedModel) -> dict[str, str]:
    return {
        "git_revision": git_revision(),
        "trained_from": trained.trained_from.isoformat(),
        "trained_until": trained.trained_until.isoformat(),
    }


def _metrics(trained: TrainedModel) -> dict[str, float]:
    best = min(trained.losses, key=lambda each: each.held_out)
    return {
        "train_seconds": trained.seconds,
        "train_epochs": float(len(trained.losses)),
        "train_windows": float(trained.windows),
        "train_loss": best.training,
        "held_out_loss": best.held_out,
        "held_out_windows": float(trained.held_out_windows),
        "left_out_windows": float(trained.left_out_windows),
    }


def _fingerprint(params: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(params, sort_keys=True, default=str).encode()).hexdigest()
