"""Better settings by trial: many short trainings, of which the hopeless are given up early."""

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl

from gridcast.domain.lead_time import lead_count
from gridcast.features.panel import Panel
from gridcast.ingestion.atomic import write_files
from gridcast.ingestion.locks import tuning_alone
from gridcast.ingestion.parquet import to_parquet
from gridcast.models.tensorflow.spec import NetworkSpec
from gridcast.models.tensorflow.train import Progress, fit
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.training.history import training_history
from gridcast.workflows.training.recipe import Recipe
from gridcast.workflows.training.search_space import Values, space_around, to_yaml, values_of, with_values
from gridcast.workflows.training.tuning_study import End, Study, Trial, no_trials, opened, values_of_trial

QUARTERS = 4
"""A trial is compared with the others each time a quarter of its epochs is over."""
OVERTIME = 1.25
"""The running trial ends with its epoch once this many times the time budget is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """When to stop.

    Attributes:
        trials: as many there are to be in the study, those of earlier runs counted.
        time: no trial begins after this long; None for no limit.
    """

    trials: int
    time: timedelta | None = None


class TuningProgress(NamedTuple):
    """Where a tuning run stands."""

    trial: int
    """Trials that ended."""
    training: Progress
    """Of the running one."""
    best: float
    """Lowest held-out loss of a complete trial, NaN before there is one."""


@dataclass(frozen=True, slots=True, eq=False)
class Tuned:
    """What a study knows.

    Attributes:
        study: its name: equal for equal data, settings outside the search, and search space.
        trials: as `Study.table` has them.
        present: the settings in force.
        begun: trials that this run began.
    """

    study: str
    trials: pl.DataFrame
    present: Values
    begun: int = 0

    @property
    def best(self) -> dict[str, float] | None:
        """The best settings tried to the end, if any."""
        complete = self.trials.filter(end=End.COMPLETE.value)
        return complete.select(list(self.present)).row(0, named=True) if complete.height else None

    @property
    def loss(self) -> float | None:
        """The held-out loss of the best."""
        complete = self.trials.filter(end=End.COMPLETE.value)
        return complete["held_out_loss"].item(0) if complete.height else None

    @property
    def present_loss(self) -> float | None:
        """The held-out loss of the settings in force, once they were tried."""
        same = self.trials.filter(pl.col("end") == End.COMPLETE.value, **dict(self.present))
        return same["held_out_loss"].item(0) if same.height else None

    @property
    def improvement(self) -> float | None:
        """Share by which the best lies below the settings in force."""
        if self.loss is None or self.present_loss is None:
            return None
        return 1 - self.loss / self.present_loss

    @property
    def yaml(self) -> str:
        """The best settings as they stand in config/model_config.yaml."""
        return "" if self.best is None else to_yaml(self.best, present=self.present)


class _StopTrialError(Exception):
    """Raised out of a training that is not worth its end."""

    def __init__(self, end: End) -> None:
        super().__init__(end)
        self.end = end


@dataclass(slots=True)
class _Watch:
    """Listens to one trial's training and ends it when it is hopeless or out of time."""

    study: Study
    trial: Trial
    deadline: float
    tell: Callable[[Progress], None]
    epoch: int = 0
    lowest: float = math.inf

    def __call__(self, at: Progress) -> None:
        self.tell(at)
        if at.epoch == self.epoch:
            return
        before, self.epoch = QUARTERS * self.epoch // at.epochs, at.epoch
        if not math.isfinite(at.held_out_loss):
            raise _StopTrialError(End.DIVERGED)
        self.lowest = min(self.lowest, at.held_out_loss)
        quarter = QUARTERS * at.epoch // at.epochs
        if before < quarter < QUARTERS:
            self.trial.report(self.lowest, quarter)
            if self.trial.should_prune():
                raise _StopTrialError(End.PRUNED)
        if at.epoch < at.epochs and time.monotonic() > self.deadline:
            raise _StopTrialError(End.INTERRUPTED)


def tune_model(
    processed: Processed,
    *,
    recipe: Recipe,
    until: datetime,
    directory: Path,
    budget: Budget,
    on_progress: Callable[[TuningProgress], None],
) -> Tuned:
    """Search better settings by the held-out loss of the history before `until`; later days stay unseen.

    Every trial trains one network; the first has the settings in force. Trials are kept in `directory` as they end: a
    run that was interrupted goes on, and one over the same data and settings adds to what is there.

    Args:
        processed: the clean history.
        recipe: the settings in force; those outside the search space hold for every trial.
        until: the first issue time models are judged on.
        directory: keeps study.db, and for each study trials.parquet and tuned.yaml.
        budget: when to stop.
        on_progress: called as trials go on.

    Raises:
        GridcastError: the history is too short, or another process tunes in `directory`.
    """
    single, space = _single(recipe), space_around(recipe)
    limit = math.inf if budget.time is None else budget.time.total_seconds()
    name, present, begun = study_name(processed, recipe=recipe, until=until), values_of(recipe), 0
    with tuning_alone(directory), opened(_file(directory), name=name, space=space, seed=recipe.training.seed) as study:
        study.take_up(present)
        panel = training_history(processed, until=until, use=recipe.weather).panel
        begins = time.monotonic()
        while (ended := study.ended()) < budget.trials and time.monotonic() - begins < limit:
            begun += 1
            table = study.table().filter(end=End.COMPLETE.value)
            best = table["held_out_loss"].item(0) if table.height else math.nan

            def tell(at: Progress, ended: int = ended, best: float = best) -> None:
                on_progress(TuningProgress(ended, at, best))

            _try(study, panel, recipe=single, deadline=begins + OVERTIME * limit, tell=tell)
            _write(Tuned(name, study.table(), present), directory)
        return Tuned(name, study.table(), present, begun)


def tuned_before(processed: Processed, *, recipe: Recipe, until: datetime, directory: Path) -> Tuned:
    """What the study of this data and these settings holds by now, changing nothing."""
    name, space = study_name(processed, recipe=recipe, until=until), space_around(recipe)
    path = directory / name / "trials.parquet"
    return Tuned(name, pl.read_parquet(path) if path.exists() else no_trials(space), values_of(recipe))


def study_name(processed: Processed, *, recipe: Recipe, until: datetime) -> str:
    """Equal for equal data, settings outside the search, and search space."""
    space = {name: repr(each) for name, each in space_around(recipe).items()}
    fixed = {name: value for name, value in _single(recipe).params().items() if name not in space}
    facts = {"data": processed.fingerprint, "until": until.isoformat(), "fixed": fixed, "space": space}
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:12]


def _try(study: Study, panel: Panel, *, recipe: Recipe, deadline: float, tell: Callable[[Progress], None]) -> None:
    started, trial, loss = time.monotonic(), study.ask(), None
    tried = with_values(recipe, values_of_trial(trial))
    spec = NetworkSpec(leads=lead_count(tried.horizon, panel.interval), interval=panel.interval, size=tried.size)
    try:
        trained = fit(
            panel,
            train_until=len(panel.time),
            network_spec=spec,
            train_spec=tried.training,
            on_progress=_Watch(study, trial, deadline, tell),
        )
    except _StopTrialError as stop:
        end = stop.end
    else:
        end, loss = End.COMPLETE, min(each.held_out for each in trained.losses[0])
    study.tell(trial, end, held_out_loss=loss, seconds=time.monotonic() - started)


def _single(recipe: Recipe) -> Recipe:
    """The recipe of one network, whatever ensemble the settings ask for."""
    return replace(recipe, training=replace(recipe.training, members=1))


def _file(directory: Path) -> Path:
    return directory / "study.db"


def _write(tuned: Tuned, directory: Path) -> None:
    own = directory / tuned.study
    contents = {own / "trials.parquet": to_parquet(tuned.trials), own / "tuned.yaml": f"{tuned.yaml}\n".encode()}
    write_files(contents, scratch=directory / ".gridcast" / tuned.study)
