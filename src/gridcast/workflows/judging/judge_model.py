"""Registered models before the judge: one against the baselines, or two on the very same points."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from gridcast import __version__
from gridcast.domain.errors import GridcastError
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.registry.catalogue import RegisteredModel
from gridcast.workflows.forecasts.weather_use import WeatherKnown
from gridcast.workflows.judging.backtest import Backtest, JudgedModel, Task, backtest, judging_origins, unseen_origins
from gridcast.workflows.judging.model_cost import Cost, cost_of
from gridcast.workflows.readings.processed import Processed


class Comparison(NamedTuple):
    """Candidate and champion on the same origins and leads, and what a candidate costs.

    `remark` says why there is no champion to compare with.
    """

    candidate: Backtest
    champion: Backtest | None
    remark: str
    cost: Cost


@dataclass(frozen=True, slots=True)
class Judge:
    """Backtests models on the newest days of a history that they have not been trained on.

    Attributes:
        processed: the clean history.
        kept: folder with earlier backtests.
        days: how many of the newest local days to judge on.
        local_hour: when on each day a forecast is issued.
        weather: which temperatures stand for the future; all models are judged on the same.
    """

    processed: Processed
    kept: Path
    days: int
    local_hour: int
    weather: WeatherKnown = WeatherKnown.OBSERVED

    def judge(self, model: RegisteredModel) -> tuple[Backtest, bool]:
        """The backtest of a model against both baselines, and whether an equal one was kept from before.

        Raises:
            GridcastError: the model is damaged, or too few days are unseen by it.
        """
        forecaster, task = Forecaster.load(model.directory), self.task_of(model)
        identity = identity_of(model, weather=self.weather)
        earlier = Backtest.read(self.kept, model_version=model.version, weather=self.weather)
        if earlier is not None and earlier.is_of(identity, data=self.processed.fingerprint, origins=task.origins):
            return earlier, True
        made = backtest(JudgedModel(forecaster, model.version, identity), self.processed, task=task)
        made.write(self.kept)
        return made, False

    def compare(self, candidate: RegisteredModel, champion: RegisteredModel | None) -> Comparison:
        """Both models against the weekly naive, on days neither has seen and leads both forecast.

        A champion that is damaged or forecasts other intervals counts as none, and the remark says so. The candidate's
        backtest is kept where it has none yet: what is usual of its errors is learned from it.
        """
        challenger = Forecaster.load(candidate.directory)
        reigning, remark = _loaded(champion, interval_of=challenger)
        leads = challenger.leads if reigning is None else min(challenger.leads, reigning.leads)
        seen = max(trained_until(each) for each in (candidate, champion) if each is not None)
        task = self.task(challenger, leads=leads, trained_until=seen)

        def measured(forecaster: Forecaster, model: RegisteredModel) -> Backtest:
            return backtest(JudgedModel(forecaster, model.version), self.processed, task=task, with_linear=False)

        held = None if reigning is None or champion is None else measured(reigning, champion)
        cost = cost_of(challenger, candidate.directory, self.processed)
        found = Comparison(measured(challenger, candidate), held, remark, cost)
        if Backtest.read(self.kept, model_version=candidate.version, weather=self.weather) is None:
            found.candidate.write(self.kept)
        return found

    def task_of(self, model: RegisteredModel) -> Task:
        """What one model is asked.

        Raises:
            GridcastError: it is damaged, or too few days are unseen by it.
        """
        forecaster = Forecaster.load(model.directory)
        return self.task(forecaster, leads=forecaster.leads, trained_until=trained_until(model))

    def task(self, forecaster: Forecaster, *, leads: int, trained_until: datetime) -> Task:
        """What models are asked that have seen nothing from `trained_until` on.

        Raises:
            GridcastError: too few days are left for a verdict.
        """
        wanted = judging_origins(
            self.processed, horizon=leads * forecaster.interval, days=self.days, local_hour=self.local_hour
        )
        return Task(unseen_origins(wanted, trained_until=trained_until), self.weather, leads)


def trained_until(model: RegisteredModel) -> datetime:
    """Exclusive end of everything a model has seen, UTC."""
    return datetime.fromisoformat(model.tags["trained_until"])


def identity_of(model: RegisteredModel, *, weather: WeatherKnown) -> str:
    """Which model and judge exactly."""
    return f"{model.version} of {model.created_at.isoformat()}, judged by gridcast {__version__} with {weather} weather"


def _loaded(champion: RegisteredModel | None, *, interval_of: Forecaster) -> tuple[Forecaster | None, str]:
    if champion is None:
        return None, ""
    try:
        forecaster = Forecaster.load(champion.directory)
    except GridcastError as error:
        return None, f"champion {champion.version} cannot be asked: {error}"
    if forecaster.interval != interval_of.interval:
        return None, f"champion {champion.version} forecasts intervals of {forecaster.interval}"
    return forecaster, ""
