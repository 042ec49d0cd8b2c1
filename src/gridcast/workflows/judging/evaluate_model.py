"""One registered model on data it has never seen: newer days, or the history of somebody else."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.domain.tables import earliest
from gridcast.evaluation.folds import daily_origins
from gridcast.features.windows import RECENT_DAYS
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.registry.catalogue import RegisteredModel
from gridcast.workflows.forecasts.weather_use import WeatherKnown
from gridcast.workflows.judging.backtest import Backtest, JudgedModel, Task, backtest
from gridcast.workflows.judging.judge_model import identity_of, trained_until
from gridcast.workflows.readings.processed import Processed

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which forecasts are judged.

    Attributes:
        start: the first issue time; by default from the end of the training data on.
        end: when the horizon of the last one has passed at the latest; by default the newest reading.
        local_hour: when on each local day a forecast is issued.
    """

    start: datetime | None = None
    end: datetime | None = None
    local_hour: int = 0


def evaluate_model(
    model: RegisteredModel, processed: Processed, *, span: Span, weather: WeatherKnown = WeatherKnown.OBSERVED
) -> Backtest:
    """The scores of a model, and of both baselines, on daily origins after everything it was trained on.

    The first `RECENT_DAYS` of a history are left to the inputs of the first forecast.

    Raises:
        UsageError: the span begins before the end of the training data.
        GridcastError: the history has another interval, or no forecast lies in the span.
    """
    forecaster = Forecaster.load(model.directory)
    if forecaster.interval != processed.interval:
        raise GridcastError(
            f"model {model.version} forecasts intervals of {forecaster.interval}, {processed.directory} holds "
            f"intervals of {processed.interval}; expected the same. Choose another model or history."
        )
    seen = trained_until(model)
    if span.start is not None and span.start < seen:
        raise UsageError(
            f"{span.start:%Y-%m-%d %H:%MZ}: model {model.version} was trained on data until {seen:%Y-%m-%d %H:%MZ}, "
            "and its error on what it has seen says nothing; expected that time or a later one."
        )
    begins = earliest(processed.readings()["valid_time"]) + RECENT_DAYS * _DAY
    start = max(span.start or seen, begins)
    end = min(span.end or processed.observed_until, processed.observed_until)
    task = Task(_origins(processed, start=start, end=end, span=span, forecaster=forecaster), weather)
    return backtest(JudgedModel(forecaster, model.version, identity_of(model, weather=weather)), processed, task=task)


def _origins(
    processed: Processed, *, start: datetime, end: datetime, span: Span, forecaster: Forecaster
) -> tuple[datetime, ...]:
    horizon = forecaster.leads * forecaster.interval
    nothing = GridcastError(
        f"from {start:%Y-%m-%d %H:%MZ} to {end:%Y-%m-%d %H:%MZ} no forecast of {horizon} begins at {span.local_hour} "
        "o'clock and ends; expected at least one. Wait for newer readings, or choose a longer time."
    )
    if end - start < horizon:
        raise nothing
    found = daily_origins(
        end,
        time_zone=processed.hierarchy.time_zones[processed.hierarchy.root],
        days=math.ceil((end - start) / _DAY) + 1,
        horizon=horizon,
        local_hour=span.local_hour,
    )
    inside = tuple(each for each in found if each >= start)
    if not inside:
        raise nothing
    return inside
