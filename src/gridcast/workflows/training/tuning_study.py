"""Trials that outlive the process: an Optuna study in a SQLite file."""

import enum
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import optuna
import polars as pl
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, Trial, TrialState

from gridcast.domain.errors import GridcastError
from gridcast.ingestion.atomic import disk_error
from gridcast.workflows.training.search_space import Range, Values

__all__ = ["End", "Study", "Trial", "no_trials", "opened", "values_of_trial"]

FIRST_PRUNED_TRIAL = 4
"""Trials that must be through before one is compared with them."""
_VALUES, _END = "values", "end"


class End(enum.StrEnum):
    """How a trial ended."""

    COMPLETE = "complete"
    """Trained to its end."""
    PRUNED = "pruned"
    """Given up as worse than half of the others at the same point."""
    DIVERGED = "diverged"
    """Its loss was no number."""
    INTERRUPTED = "interrupted"
    """Out of time, or the process ended; it is tried again."""


_STATES = {
    End.COMPLETE: TrialState.COMPLETE,
    End.PRUNED: TrialState.PRUNED,
    End.DIVERGED: TrialState.FAIL,
    End.INTERRUPTED: TrialState.FAIL,
}


@dataclass(frozen=True, slots=True)
class Study:
    """The trials of one search over one space; every method reads or writes the file.

    Attributes:
        trials_of: the Optuna study.
        space: what is searched.
        seed: of the search. Trial n draws by seed + n: a run that was interrupted goes on as if it had not been.
    """

    trials_of: optuna.Study
    space: Mapping[str, Range]
    seed: int

    @classmethod
    def of(
        cls, storage: optuna.storages.BaseStorage | None, *, name: str, space: Mapping[str, Range], seed: int
    ) -> "Study":
        """The study called `name` in a storage, made if it is not there; without a storage, in memory."""
        pruner = optuna.pruners.MedianPruner(n_startup_trials=FIRST_PRUNED_TRIAL)
        study = optuna.create_study(storage=storage, study_name=name, load_if_exists=True, pruner=pruner)
        return cls(study, space, seed)

    def ask(self) -> Trial:
        """The next trial: one that waits, or the most promising."""
        study = self.trials_of
        study.sampler = optuna.samplers.TPESampler(seed=(self.seed + len(study.get_trials(deepcopy=False))) % 2**32)
        trial = study.ask({name: _distribution(each) for name, each in self.space.items()})
        if _VALUES not in trial.user_attrs:
            values = {name: each.rounded(trial.params[name]) for name, each in self.space.items()}
            trial.set_user_attr(_VALUES, values)
        return trial

    def tell(self, trial: Trial, end: End, *, held_out_loss: float | None = None, seconds: float) -> None:
        """A trial is over; one that was interrupted waits to be tried again."""
        trial.set_user_attr(_END, [end, seconds])
        self.trials_of.tell(trial, held_out_loss, state=_STATES[end])
        if end is End.INTERRUPTED:
            self.await_values(values_of_trial(trial))

    def await_values(self, values: Values) -> None:
        """Try these values next."""
        self.trials_of.enqueue_trial(dict(values), user_attrs={_VALUES: dict(values)})

    def take_up(self, present: Values) -> None:
        """Let trials that another process left running wait again, and `present` unless it was or will be tried."""
        for trial in self.trials_of.get_trials(states=(TrialState.RUNNING,)):
            self.trials_of.tell(trial.number, state=TrialState.FAIL)
            if _VALUES in trial.user_attrs:
                self.await_values(values_of_trial(trial))
        states = (TrialState.COMPLETE, TrialState.WAITING)
        if not any(values_of_trial(each) == present for each in self.trials_of.get_trials(states=states)):
            self.await_values(present)

    def ended(self) -> int:
        """Trials that are over and not to be tried again."""
        return sum(_end(each) in {End.COMPLETE, End.PRUNED, End.DIVERGED} for each in self._trials())

    def table(self) -> pl.DataFrame:
        """One row for every trial that ended, best first.

        Columns: trial, end, held_out_loss (the lowest so far where it did not complete), seconds, and every setting by
        its dotted name.
        """
        rows = [
            {"trial": each.number, "end": end.value, "held_out_loss": _loss(each), "seconds": each.user_attrs[_END][1]}
            | values_of_trial(each)
            for each in self._trials()
            if (end := _end(each)) is not None
        ]
        frame = pl.DataFrame(rows, schema=no_trials(self.space).schema)
        is_complete = pl.col("end") == End.COMPLETE.value
        return frame.sort(~is_complete, "held_out_loss", "trial", nulls_last=True)

    def _trials(self) -> list[FrozenTrial]:
        return self.trials_of.get_trials(deepcopy=False)


@contextmanager
def opened(path: Path, *, name: str, space: Mapping[str, Range], seed: int) -> Iterator[Study]:
    """The study called `name` in the file `path`, made if it is not there, and closed afterwards.

    Raises:
        GridcastError: the file is no database, or cannot be written.
    """
    _require_database(path)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    try:
        yield Study.of(storage, name=name, space=space, seed=seed)
    except optuna.exceptions.StorageInternalError as error:
        raise GridcastError(
            f"{path}: cannot be used ({error}); expected a file gridcast may write, on a disk with free space."
        ) from error
    finally:
        storage.remove_session()
        storage.engine.dispose()
        optuna.logging.set_verbosity(verbosity)


def no_trials(space: Mapping[str, Range]) -> pl.DataFrame:
    """The table of a study before its first trial."""
    fixed = {"trial": pl.Int64, "end": pl.String, "held_out_loss": pl.Float64, "seconds": pl.Float64}
    settings = {name: pl.Float64 if each.multiple is None else pl.Int64 for name, each in space.items()}
    return pl.DataFrame(schema={**fixed, **settings})


def values_of_trial(trial: Trial | FrozenTrial) -> dict[str, float]:
    """The settings a trial is about."""
    return dict(trial.user_attrs[_VALUES])


def _distribution(values: Range) -> BaseDistribution:
    if values.multiple is None:
        return FloatDistribution(values.low, values.high, log=values.is_log)
    return IntDistribution(int(values.low), int(values.high), log=values.is_log)


def _end(trial: FrozenTrial) -> End | None:
    end = trial.user_attrs.get(_END)
    return None if end is None or not trial.state.is_finished() else End(end[0])


def _loss(trial: FrozenTrial) -> float | None:
    if trial.state is TrialState.COMPLETE:
        return trial.value
    return min(trial.intermediate_values.values(), default=None)


def _require_database(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        begins = path.read_bytes()[:16] if path.exists() else b""
    except OSError as error:
        raise disk_error(error, path) from error
    if begins and begins != b"SQLite format 3\0":
        raise GridcastError(
            f'{path}: begins with {begins!r}; expected the SQLite file of "gridcast tune". Move it away: the next '
            "run begins a new one."
        )
    if path.exists() and not os.access(path, os.W_OK):
        raise GridcastError(f"{path}: may not be written; expected a file gridcast may write to.")
