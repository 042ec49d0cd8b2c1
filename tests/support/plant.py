"""A small history with a model that was trained on it."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from support.processed_history import write_history

from gridcast.models.tensorflow.spec import NetworkSize, TrainSpec
from gridcast.registry.catalogue import RegisteredModel
from gridcast.registry.mlflow_registry import Registry
from gridcast.workflows.forecasts.weather_use import WeatherKnown, WeatherUse
from gridcast.workflows.judging.backtest import judging_origins
from gridcast.workflows.judging.judge_model import Judge
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.training.recipe import Recipe
from gridcast.workflows.training.train_model import train_model

HORIZON = timedelta(hours=12)
JUDGED_DAYS = 14
AS_ISSUED = WeatherUse(known=WeatherKnown.AS_ISSUED)


@dataclass(frozen=True)
class Plant:
    """A clean history with forecasts, and a model that was trained on them as they were issued."""

    processed: Processed
    registry: Registry
    model: RegisteredModel
    kept: Path

    def judge(self, known: WeatherKnown) -> Judge:
        """Who judges it on the newest two weeks."""
        return Judge(self.processed, self.kept, JUDGED_DAYS, 0, known)


def train(processed: Processed, registry: Registry, folder: Path, *, weather: WeatherUse) -> RegisteredModel:
    """A small model, trained in a second or two."""
    model, _ = train_model(
        processed,
        registry,
        recipe=Recipe(
            size=NetworkSize(width=16, blocks=1, encoder_width=8, summary=4, embedding=2),
            training=TrainSpec(members=1, epochs=2, windows_per_epoch=512, batch_size=64, held_out_blocks=2),
            horizon=HORIZON,
            weather=weather,
        ),
        unseen_from=judging_origins(processed, horizon=HORIZON, days=JUDGED_DAYS, local_hour=0)[0],
        scratch=folder / "scratch",
        on_progress=lambda _: None,
    )
    return model


def build(folder: Path) -> Plant:
    """History and model in `folder`."""
    processed, registry = write_history(folder / "processed"), Registry.open(folder / "registry")
    model = train(processed, registry, folder, weather=AS_ISSUED)
    return Plant(processed, registry, model, folder / "backtest")
