"""Layers that turn raw MW, °C and calendar numbers into terms of a sensible size."""

import math
from typing import Any

import keras
from keras import ops

from gridcast.models.tensorflow.missing import is_observed, or_zero

PACKAGE = "gridcast"
LARGEST_C = 60.0


@keras.saving.register_keras_serializable(package=PACKAGE)
class WeekLevel(keras.layers.Layer):
    """Level and scale of a series: mean and root mean square of the last `week` observed loads, MW.

    (window, time) → (window, 2). Falls back on the whole input if nothing in that week was observed. The scale is
    at least `floor_mw`, so it stays usable for a series that stands still at zero.
    """

    def __init__(self, week: int, floor_mw: float = 1e-3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.week = week
        self.floor_mw = floor_mw

    def call(self, load_mw: Any) -> Any:
        """Level and scale side by side, (window, 2)."""
        weight = is_observed(load_mw)
        load = or_zero(load_mw)
        recent = weight[:, -self.week :]
        has_week = ops.cast(ops.sum(recent, axis=1, keepdims=True) > 0.5, "float32")
        ones = ops.ones_like(recent)
        older = ops.zeros_like(weight[:, : -self.week])
        in_week = ops.concatenate([older, ones], axis=1)
        weight = weight * (has_week * in_week + (1.0 - has_week))
        count = ops.maximum(ops.sum(weight, axis=1, keepdims=True), 1.0)
        level = ops.sum(load * weight, axis=1, keepdims=True) / count
        size = ops.sqrt(ops.sum(ops.square(load) * weight, axis=1, keepdims=True) / count)
        return ops.concatenate([level, ops.maximum(size, self.floor_mw)], axis=1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, int]:
        """(window, 2)."""
        return (input_shape[0], 2)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "week": self.week, "floor_mw": self.floor_mw}


@keras.saving.register_keras_serializable(package=PACKAGE)
class ScaledLoad(keras.layers.Layer):
    """Loads relative to level and scale, (load − level) / scale, zero where missing, and what was observed.

    Load (window, …) MW and (window, 2) level and scale → (window, …, 2): value, observed. Values beyond ±`limit`
    are cut off, so one broken reading cannot drive the network anywhere.
    """

    def __init__(self, limit: float = 8.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.limit = limit

    def call(self, load_mw: Any, level_scale: Any) -> Any:
        """Scaled load and its mask on a new last axis."""
        inner = (1,) * (len(load_mw.shape) - 1)
        level = ops.reshape(level_scale[:, 0], (-1, *inner))
        scale = ops.reshape(level_scale[:, 1], (-1, *inner))
        observed = is_observed(load_mw)
        value = observed * ops.clip((or_zero(load_mw) - level) / scale, -self.limit, self.limit)
        return ops.stack([value, observed], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "limit": self.limit}


@keras.saving.register_keras_serializable(package=PACKAGE)
class HourlyMeans(keras.layers.Layer):
    """Means over observed values of `steps` intervals at a time: (window, time, 2) of `ScaledLoad` → (window, hour).

    Keeps the network the same size whatever the interval; hours without any observed value are zero.
    """

    def __init__(self, steps: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.steps = steps

    def call(self, scaled: Any) -> Any:
        """Mean scaled load of each hour."""
        value = scaled[..., 0]
        if self.steps <= 1:
            return value
        hours = (-1, value.shape[1] // self.steps, self.steps)
        count = ops.sum(ops.reshape(scaled[..., 1], hours), axis=-1)
        return ops.sum(ops.reshape(value, hours), axis=-1) / ops.maximum(count, 1.0)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "steps": self.steps}


@keras.saving.register_keras_serializable(package=PACKAGE)
class ObservedShares(keras.layers.Layer):
    """Share observed of `steps` intervals at a time: (window, time, 2) of `ScaledLoad` → (window, part)."""

    def __init__(self, steps: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.steps = steps

    def call(self, scaled: Any) -> Any:
        """Shares from 0 to 1."""
        observed = scaled[..., 1]
        return ops.mean(ops.reshape(observed, (-1, observed.shape[1] // self.steps, self.steps)), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "steps": self.steps}


@keras.saving.register_keras_serializable(package=PACKAGE)
class CalendarTerms(keras.layers.Layer):
    """Position on the horizon, daily and yearly harmonics, weekday: (window, lead) inputs → (window, lead, term)."""

    def __init__(self, daily: int = 5, yearly: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.daily = daily
        self.yearly = yearly

    def call(self, hour_of_day: Any, weekday: Any, day_of_year: Any) -> Any:
        """Lead as a share of the horizon, sines and cosines, a one-hot weekday."""
        lead = ops.zeros_like(hour_of_day) + ops.linspace(0.0, 1.0, hour_of_day.shape[1])
        day = hour_of_day / 24.0
        year = (ops.cast(day_of_year, "float32") - 1.0 + day) / 365.25
        weekdays = ops.one_hot(weekday, 7, dtype="float32")
        waves = [harmonics(day, self.daily), harmonics(year, self.yearly)]
        return ops.concatenate([ops.expand_dims(lead, -1), *waves, weekdays], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "daily": self.daily, "yearly": self.yearly}


def harmonics(phase: Any, count: int) -> Any:
    """Sines and cosines of the first `count` multiples of a phase in turns: (…) → (…, 2 · count)."""
    turns = ops.expand_dims(2.0 * 3.14159265 * phase, -1) * ops.cast(ops.arange(1, count + 1), "float32")
    return ops.concatenate([ops.sin(turns), ops.cos(turns)], axis=-1)


@keras.saving.register_keras_serializable(package=PACKAGE)
class TemperatureHinges(keras.layers.Layer):
    """Temperature around 16 °C and its excess over and shortfall below knots, in tens of degrees, and what is known.

    (…, term) °C → (…, term · (1 + knots) + 1); missing temperatures give zeros, and the last number says whether the
    first term was observed. Straight beyond the outer knots, so a heat wave without precedent is extrapolated rather
    than saturated; beyond ±60 °C it is no temperature.
    """

    def __init__(self, below: tuple[float, ...], above: tuple[float, ...], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.below = tuple(below)
        self.above = tuple(above)

    def call(self, temperature_c: Any) -> Any:
        """Hinge terms on the last axis."""
        observed = is_observed(temperature_c)
        temperature = ops.clip(or_zero(temperature_c), -LARGEST_C, LARGEST_C)
        terms = [temperature - 16.0]
        terms += [ops.relu(knot - temperature) for knot in self.below]
        terms += [ops.relu(temperature - knot) for knot in self.above]
        return ops.concatenate([*(0.1 * observed * term for term in terms), observed[..., :1]], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "below": self.below, "above": self.above}


@keras.saving.register_keras_serializable(package=PACKAGE)
class UniformNoise(keras.layers.Layer):
    """Values plus uniform noise of a standard deviation, in training only; shape unchanged.

    Normal noise takes a fifth of a training step to draw; added up over hundreds of terms the two are alike.
    """

    def __init__(self, deviation: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.deviation = deviation
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, values: Any, training: bool = False) -> Any:
        """The values, noisy if `training`."""
        if not training or self.deviation == 0:
            return values
        most = math.sqrt(3.0) * self.deviation
        return values + keras.random.uniform(ops.shape(values), -most, most, seed=self.seed_generator)

    def get_config(self) -> dict[str, Any]:
        """What the layer is made of."""
        return {**super().get_config(), "deviation": self.deviation}
