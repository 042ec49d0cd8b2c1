"""How good would a model have been that is trained again every few weeks? One training for each fold of origins."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import polars as pl

from gridcast import __version__
from gridcast.evaluation.folds import Fold
from gridcast.features.panel import Panel
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.models.tensorflow.train import Progress
from gridcast.workflows.judging.backtest import Answers, Backtest, Task, answers_of, judged
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.training.lineage import git_revision
from gridcast.workflows.training.recipe import Recipe
from gridcast.workflows.training.train_model import make


@dataclass(frozen=True, slots=True)
class RefitPlan:
    """What is trained when, and judged on what.

    Attributes:
        folds: the folds, in the order of time.
        every: how long after the one before it each begins.
        recipe: by which every model is made; its weather stands for the future in judging too.
    """

    folds: tuple[Fold, ...]
    every: timedelta
    recipe: Recipe

    @property
    def name(self) -> str:
        """Whose results these are, such as 'refit_P28D'."""
        return f"refit_P{self.every.days}D"

    @property
    def identity(self) -> str:
        """Which models and judge exactly."""
        made = ", ".join(f"{name}={value}" for name, value in self.recipe.params().items())
        return f"{self.name} by {made}; gridcast {__version__} at {git_revision()}"

    @property
    def task(self) -> Task:
        """What is asked of all folds together."""
        origins = tuple(origin for fold in self.folds for origin in fold.origins)
        return Task(origins, self.recipe.weather.known)


def refit_backtest(
    processed: Processed,
    *,
    plan: RefitPlan,
    kept: Path,
    on_progress: Callable[[int, Progress], None],
) -> tuple[Backtest, bool]:
    """Train at the begin of each fold on the history before it, forecast until the next, and score all folds together.

    Baselines are fitted anew for each fold too. Points carry the number of their fold in `fold`. The models are not
    registered. `on_progress` is called with the fold and how far its training is.

    Returns:
        The backtest, and whether an equal one was kept from before.

    Raises:
        GridcastError: the history before a fold is too short.
    """
    earlier = Backtest.read(kept, model_version=plan.name, weather=plan.task.weather)
    if earlier is not None and earlier.is_of(plan.identity, data=processed.fingerprint, origins=plan.task.origins):
        return earlier, True
    answers = _together(_answers(processed, plan=plan, scratch=kept / ".refit", on_progress=on_progress), plan.folds)
    made = judged(answers, processed, task=plan.task, model_version=plan.name, identity=plan.identity)
    made.write(kept)
    return made, False


def _answers(
    processed: Processed, *, plan: RefitPlan, scratch: Path, on_progress: Callable[[int, Progress], None]
) -> Iterator[Answers]:
    for number, fold in enumerate(plan.folds):

        def tell(progress: Progress, number: int = number) -> None:
            on_progress(number, progress)

        try:
            made = make(processed, recipe=plan.recipe, until=fold.train_until, on_progress=tell)
            made.save(scratch, tags={})
            task = Task(fold.origins, plan.recipe.weather.known)
            answers = answers_of(Forecaster.load(scratch), processed, task=task)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        yield answers._replace(points=answers.points.with_columns(pl.lit(number).alias("fold")))


def _together(answers: Iterable[Answers], folds: Sequence[Fold]) -> Answers:
    """The answers of all folds, with what the forecasters of the first could look at."""
    points: list[pl.DataFrame] = []
    known: Panel | None = None
    degraded = 0.0
    for each, fold in zip(answers, folds, strict=True):
        points.append(each.points)
        known = known or each.known
        degraded += each.degraded_share * len(fold.origins)
    if known is None:
        raise ValueError("there are no folds; expected at least one")
    return Answers(pl.concat(points), known, degraded / sum(len(fold.origins) for fold in folds))
