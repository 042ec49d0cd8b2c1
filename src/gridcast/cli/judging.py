"""A registered model before the judge: artefact, history and settings put together."""

from datetime import datetime

from gridcast.cli.installation import Installation
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.registry.mlflow_registry import RegisteredModel
from gridcast.workflows.backtest import Backtest, backtest


def judge(
    here: Installation,
    model: RegisteredModel,
    *,
    days: int | None = None,
    unseen_since: datetime | None = None,
    with_linear: bool = True,
) -> Backtest:
    """Backtest a registered model as configured, on days after both its training and `unseen_since`."""
    settings = here.settings.model.backtest
    trained_until = datetime.fromisoformat(model.tags["trained_until"])
    return backtest(
        Forecaster.load(model.directory),
        here.processed(),
        model_version=model.version,
        trained_until=trained_until if unseen_since is None else max(trained_until, unseen_since),
        days=days or settings.days,
        local_hour=settings.local_hour,
        with_linear=with_linear,
    )
