"""From clean history to a registered challenger that knows nothing of the days it will be judged on."""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Final, NamedTuple, TypeAlias

from gridcast import __version__
from gridcast.domain.lead_time import lead_count
from gridcast.features.station_mix import StationMix
from gridcast.models.tensorflow.artefact import STATION_MIX
from gridcast.models.tensorflow.cluster import Cluster
from gridcast.models.tensorflow.export import save
from gridcast.models.tensorflow.gathering import gather
from gridcast.models.tensorflow.model_card import DATA_LICENCE, WEATHER_KNOWN
from gridcast.models.tensorflow.spec import NetworkSpec
from gridcast.models.tensorflow.train import Checkpoint, Progress, TrainedModel, fit
from gridcast.monitoring.logs import tell
from gridcast.registry.catalogue import RegisteredModel
from gridcast.registry.mlflow_registry import Registry
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.training.history import training_history
from gridcast.workflows.training.lineage import git_revision, pip_requirements
from gridcast.workflows.training.recipe import Recipe
from gridcast.workflows.training.snapshots import keeping_snapshot

_LOG: Final = logging.getLogger(__name__)

KNOWN_UNTIL: Final = "known_until"
"""Tag: end of the newest reading when a version was trained, the days it is judged on among them."""
RECIPE: Final = "recipe"
"""Tag: `Recipe.to_json`."""
TRAINED_BECAUSE: Final = "trained_because"
"""Tag: why a version was trained."""
Crew: TypeAlias = Callable[[], AbstractContextManager[Cluster | None]]
"""Calls the workers that learn together, this process among them as their chief; None: it learns alone."""


class Made(NamedTuple):
    """A trained network and the station mix it was trained with."""

    trained: TrainedModel
    station_mix: StationMix | None

    @property
    def metrics(self) -> dict[str, float]:
        """What training measured; of the members of an ensemble the means."""
        trained = self.trained
        best = [min(member, key=lambda each: each.held_out) for member in trained.losses]
        return {
            "train_seconds": trained.seconds,
            "train_epochs": fmean(len(member) for member in trained.losses),
            "train_windows": float(trained.windows),
            "train_loss": fmean(each.training for each in best),
            "held_out_loss": fmean(each.held_out for each in best),
            "held_out_windows": float(trained.held_out_windows),
        }

    def save(self, directory: Path, *, tags: Mapping[str, str]) -> None:
        """Export it with its lineage."""
        mix = None if self.station_mix is None else self.station_mix.to_facts()
        save(self.trained, directory, metadata={**tags, STATION_MIX: mix})


def train_model(
    processed: Processed,
    registry: Registry,
    *,
    recipe: Recipe,
    unseen_from: datetime,
    scratch: Path,
    on_progress: Callable[[Progress], None],
    again: bool = False,
    unfinished: Path | None = None,
    crew: Crew = nullcontext,
    data_licence: str = "",
    because: str = "",
    snapshots: Path | None = None,
) -> tuple[RegisteredModel, bool]:
    """Train on the history before `unseen_from` and register the result.

    Args:
        processed: the clean history.
        registry: where the model goes.
        recipe: what it is made by.
        unseen_from: the first issue time the model will be judged on.
        scratch: folder for the export on its way there; removed afterwards.
        on_progress: called as training goes on.
        again: train even if an equal model is registered.
        unfinished: file that keeps how far training is, so that an equal run goes on after an interruption.
        crew: who learns together, called if there is anything to learn.
        data_licence: of the history, where it is known; for the model card.
        because: why it is made, where that is known.
        snapshots: where the history is kept that it was trained on, for `reproduce_model`.

    Returns:
        The registered model, and whether an equal one was there already.

    Raises:
        GridcastError: the history is too short, or a worker was lost.
    """
    params = {
        "unseen_from": unseen_from.isoformat(),
        "series": len(processed.hierarchy.ids),
        **recipe.params(),
    }
    lineage = {"data_fingerprint": processed.fingerprint, "settings_fingerprint": _fingerprint(params)}
    known = registry.trained_from(lineage)
    if known is not None and not again:
        registry.nominate(known)
        return registry.get(known.version), True
    keeping = nullcontext() if snapshots is None else keeping_snapshot(processed, directory=snapshots)
    with keeping, crew() as cluster:
        made = make(
            processed,
            recipe=recipe,
            until=unseen_from,
            on_progress=_told(on_progress),
            unfinished=unfinished,
            cluster=cluster,
        )
    tags = {
        **lineage,
        **_origin(made.trained),
        KNOWN_UNTIL: processed.observed_until.isoformat(),
        RECIPE: recipe.to_json(),
        **({TRAINED_BECAUSE: because} if because else {}),
    }
    try:
        told = {WEATHER_KNOWN: recipe.weather.known.in_words, DATA_LICENCE: data_licence}
        made.save(scratch, tags={**tags, **told})
        model = registry.register(
            scratch, params=params, metrics=made.metrics, tags=tags, pip_requirements=pip_requirements()
        )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if unfinished is not None:
        unfinished.unlink(missing_ok=True)
    return model, False


def make(
    processed: Processed,
    *,
    recipe: Recipe,
    until: datetime,
    on_progress: Callable[[Progress], None] | None = None,
    unfinished: Path | None = None,
    cluster: Cluster | None = None,
) -> Made:
    """A model of the history before `until`, in memory; every worker of a `cluster` must call this to make it together.

    Raises:
        GridcastError: the history is too short, or a worker was lost.
    """
    identity = _run_identity(processed, recipe=recipe, until=until)
    panel, station_mix = training_history(processed, until=until, use=recipe.weather)
    spec = NetworkSpec(
        leads=lead_count(recipe.horizon, processed.interval), interval=processed.interval, size=recipe.size
    )
    if cluster is not None:
        gather(cluster, purpose=identity)
    trained = fit(
        panel,
        train_until=len(panel.time),
        network_spec=spec,
        train_spec=recipe.training,
        on_progress=on_progress,
        checkpoint=None if unfinished is None else Checkpoint(unfinished, identity),
        cluster=cluster,
    )
    return Made(trained, station_mix)


def _told(on_progress: Callable[[Progress], None]) -> Callable[[Progress], None]:
    """The same, each whole epoch logged as well."""
    told = (0, 0)

    def tell_both(at: Progress) -> None:
        nonlocal told
        if at.epoch and (at.member, at.epoch) != told:
            told = at.member, at.epoch
            tell(_LOG, "epoch", fields=at._asdict())
        on_progress(at)

    return tell_both


def _run_identity(processed: Processed, *, recipe: Recipe, until: datetime) -> str:
    """Equal for runs that come to the same network step by step."""
    code = f"{__version__} at {git_revision()}"
    return _fingerprint({"data": processed.fingerprint, "until": until.isoformat(), "code": code, **recipe.params()})


def _origin(trained: TrainedModel) -> dict[str, str]:
    return {
        "git_revision": git_revision(),
        "trained_from": trained.trained_from.isoformat(),
        "trained_until": trained.trained_until.isoformat(),
    }


def _fingerprint(params: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(params, sort_keys=True, default=str).encode()).hexdigest()
