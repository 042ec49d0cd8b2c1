"""What a model is made by: the same recipe on the same history gives the same model."""

from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta

from pydantic import TypeAdapter

from gridcast.models.tensorflow.spec import NetworkSize, TrainSpec
from gridcast.workflows.forecasts.weather_use import WeatherKnown, WeatherUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything but the history.

    Attributes:
        size: of the network.
        training: how it learns.
        horizon: how far it forecasts.
        weather: how stations are mixed, and which temperatures stand for the future.
    """

    size: NetworkSize
    training: TrainSpec
    horizon: timedelta
    weather: WeatherUse = field(default_factory=WeatherUse)

    def with_weather(self, known: WeatherKnown) -> "Recipe":
        """The same with other temperatures for the future."""
        return replace(self, weather=replace(self.weather, known=known))

    def to_json(self) -> str:
        """All of it, so that the same model can be made again."""
        return TypeAdapter(Recipe).dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """What `to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        return TypeAdapter(cls).validate_json(text)

    def params(self) -> dict[str, object]:
        """Every setting by its dotted name, for the registry."""
        parts = {"network": asdict(self.size), "training": asdict(self.training), "weather": asdict(self.weather)}
        return {
            "horizon": str(self.horizon),
            **{f"{part}.{name}": value for part, each in parts.items() for name, value in each.items()},
        }
