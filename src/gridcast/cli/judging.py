"""A registered model before the judge: artefact, history and settings put together."""

from datetime import datetime

from gridcast.cli.installation import Installation
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.registry.mlflow_registry import RegisteredModel
from gridcast.workflows.backtest import Backtest, backtest, judging_origins, unseen_origins


def judge(here: Installation, model: RegisteredModel, *, days: int | None = None) -> tuple[Backtest, bool]:
    """The backtest of a model against both baselines, and whether an equal one was already kept."""
    forecaster = Forecaster.load(model.directory)
    origins = _origins(here, forecaster, days=days, unseen_since=datetime.fromisoformat(model.tags["trained_until"]))
    kept = Backtest.read(here.workspace.backtest, model_version=model.version)
    processed = here.processed()
    if kept is not None and (kept.origins, kept.data_fingerprint) == (origins, processed.fingerprint):
        return kept, True
    made = backtest(forecaster, processed, model_version=model.version, origins=origins)
    made.write(here.workspace.backtest)
    return made, False


def judge_unseen(here: Installation, model: RegisteredModel, unseen_since: datetime) -> Backtest:
    """The backtest of a model against the weekly naive alone, on days after `unseen_since`; it is not kept."""
    forecaster = Forecaster.load(model.directory)
    origins = _origins(here, forecaster, days=None, unseen_since=unseen_since)
    return backtest(forecaster, here.processed(), model_version=model.version, origins=origins, with_linear=False)


def _origins(
    here: Installation, forecaster: Forecaster, *, days: int | None, unseen_since: datetime
) -> tuple[datetime, ...]:
    settings = here.settings.model.backtest
    wanted = judging_origins(
        here.processed(),
        horizon=forecaster.leads * forecaster.interval,
        days=days or settings.days,
        local_hour=settings.local_hour,
    )
    return unseen_origins(wanted, trained_until=unseen_since)
