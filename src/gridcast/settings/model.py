"""config/model_config.yaml: what is forecast, how the network learns, and how it is judged."""

from datetime import timedelta

from pydantic import BaseModel, Field, field_validator

from gridcast.features.windows import LONGEST_HORIZON
from gridcast.models.tensorflow.spec import NetworkSize, TrainSpec
from gridcast.settings.strict import STRICT
from gridcast.workflows.forecasts.weather_use import WeatherUse
from gridcast.workflows.lifecycle.gate import Gate
from gridcast.workflows.lifecycle.retrain_rules import RetrainRules
from gridcast.workflows.training.recipe import Recipe


class BacktestSettings(BaseModel):
    """On which days a model is judged."""

    model_config = STRICT

    days: int = Field(default=84, ge=7, le=3660)
    local_hour: int = Field(default=0, ge=0, le=23)


class ModelSettings(BaseModel):
    """The whole file."""

    model_config = STRICT

    horizon: timedelta = timedelta(hours=48)
    weather: WeatherUse = WeatherUse()
    network: NetworkSize = NetworkSize()
    training: TrainSpec = TrainSpec()
    backtest: BacktestSettings = BacktestSettings()
    gate: Gate = Gate()
    retraining: RetrainRules = RetrainRules()

    @property
    def recipe(self) -> Recipe:
        """What a model is made by."""
        return Recipe(size=self.network, training=self.training, horizon=self.horizon, weather=self.weather)

    @field_validator("horizon")
    @classmethod
    def _horizon_is_possible(cls, value: timedelta) -> timedelta:
        if not timedelta(hours=1) <= value <= LONGEST_HORIZON:
            raise ValueError("expected PT1H to P7D")
        return value
