"""A registered model made once more from what was recorded of it, and how far the two differ."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from gridcast.domain.errors import GridcastError
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.models.tensorflow.train import Progress
from gridcast.registry.catalogue import RegisteredModel
from gridcast.workflows.judging.backtest import JudgedModel, Task, backtest
from gridcast.workflows.judging.judge_model import Judge
from gridcast.workflows.training.lineage import git_revision, pip_requirements
from gridcast.workflows.training.recipe import Recipe
from gridcast.workflows.training.snapshots import open_snapshot
from gridcast.workflows.training.train_model import RECIPE, make

_JUDGED: Final = ("pinball_model", "mape_model", "coverage_80", "coverage_90")


class Measure(NamedTuple):
    """What was measured of the model that was recorded, and of the one made again."""

    measure: str
    recorded: float
    again: float

    @property
    def relative(self) -> float:
        """Share by which the second differs."""
        return 0.0 if self.recorded == self.again else (self.again - self.recorded) / (abs(self.recorded) or 1.0)


@dataclass(frozen=True, slots=True)
class Reproduction:
    """Measures of both, and what else is not as it was: code, packages."""

    version: str
    measures: tuple[Measure, ...]
    remarks: tuple[str, ...]


def reproduce_model(
    model: RegisteredModel,
    *,
    snapshots: Path,
    days: int,
    local_hour: int,
    on_progress: Callable[[Progress], None] | None = None,
) -> Reproduction:
    """Train a model from its recorded data, seed and settings, and judge both on the same days of that data.

    Args:
        model: the registered one.
        snapshots: where the histories of models are kept.
        days: of the newest local days, those neither was trained on are judged.
        local_hour: when on each day a forecast is issued.
        on_progress: called as training goes on.

    Raises:
        GridcastError: the data or settings were not recorded, or are no longer what they were.
    """
    if RECIPE not in model.tags:
        raise GridcastError(
            f"model {model.version}: its recipe was not recorded; expected a model trained by this version of gridcast "
            "or a later one."
        )
    processed = open_snapshot(model.tags["data_fingerprint"], directory=snapshots)
    recipe, until = Recipe.from_json(model.tags[RECIPE]), datetime.fromisoformat(model.params["unseen_from"])
    made = make(processed, recipe=recipe, until=until, on_progress=on_progress)
    with tempfile.TemporaryDirectory() as scratch:
        made.save(Path(scratch) / "model", tags={})
        again = Forecaster.load(Path(scratch) / "model")
        recorded = Forecaster.load(model.directory)
        judge = Judge(processed, Path(scratch), days, local_hour, recipe.weather.known)
        task = judge.task(recorded, leads=recorded.leads, trained_until=until)
        figures = [_figures(each, judge, task=task) for each in (recorded, again)]
    losses = ("held_out_loss", "train_loss")
    trained = {name: (model.metrics[name], made.metrics[name]) for name in losses if name in model.metrics}
    judged = {name: (figures[0][name], figures[1][name]) for name in _JUDGED if name in figures[0]}
    measures = tuple(Measure(name, *both) for part in (judged, trained) for name, both in part.items())
    return Reproduction(model.version, measures, tuple(_remarks(model)))


def _figures(forecaster: Forecaster, judge: Judge, *, task: Task) -> dict[str, float]:
    found = backtest(JudgedModel(forecaster, ""), judge.processed, task=task, with_linear=False)
    return {name: float(value) for name, value in found.headline.items() if value is not None}


def _remarks(model: RegisteredModel) -> list[str]:
    remarks = []
    before, now = model.tags.get("git_revision", "unknown"), git_revision()
    if before != now:
        remarks.append(f"code is at {now[:12]}, was at {before[:12]}")
    recorded = (model.directory / "requirements.txt").read_text(encoding="utf-8").split()
    other = sorted(set(recorded) - set(pip_requirements()))
    if other:
        remarks.append(f"packages were {', '.join(other)}")
    return remarks
