"""Layers that turn raw MW, °C and calendar numbers into terms, and terms into quantiles that never cross."""

from typing import Any

import keras
from keras import ops

PACKAGE = "gridcast"
LARGEST = 1e30
LARGEST_C = 60.0


def is_observed(values: Any) -> Any:
    """1.0 where a value is a finite number, 0.0 where it is NaN or infinite; same shape."""
    return ops.cast(ops.abs(values) < LARGEST, "float32")


def or_zero(values: Any) -> Any:
    """The values with zero in place of NaN and infinity."""
    return ops.where(ops.abs(values) < LARGEST, values, ops.zeros_like(values))


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
    """Temperature around 16 °C and its excess over and shortfall below knots, in tens of degrees.

    (…, term) °C → (…, term · (1 + knots)); missing temperatures give zeros. Straight beyond the outer knots, so a
    heat wave without precedent is extrapolated rather than saturated; beyond ±60 °C it is no temperature.
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
        return ops.concatenate([0.1 * observed * term for term in terms], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "below": self.below, "above": self.above}


@keras.saving.register_keras_serializable(package=PACKAGE)
class QuantileGaps(keras.layers.Layer):
    """Median and non-negative distances between neighbouring quantiles, in scaled units.

    Hidden (window, lead, width) → (window, lead, quantile): the median's correction first, then the gaps
    outward, below the median and above it.
    """

    def __init__(self, quantiles: int, typical_gap: float = 0.03, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.quantiles = quantiles
        self.typical_gap = typical_gap
        self.median = keras.layers.Dense(1, kernel_initializer="zeros", name="median")
        self.gaps = keras.layers.Dense(quantiles - 1, kernel_initializer="zeros", name="gaps")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the two projections."""
        self.median.build(input_shape)
        self.gaps.build(input_shape)

    def call(self, hidden: Any) -> Any:
        """Median correction and gaps on the last axis."""
        gaps = self.typical_gap * 1.4427 * ops.softplus(self.gaps(hidden))
        return ops.concatenate([self.median(hidden), gaps], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "quantiles": self.quantiles, "typical_gap": self.typical_gap}


@keras.saving.register_keras_serializable(package=PACKAGE)
class CalibratedQuantiles(keras.layers.Layer):
    """Quantiles in MW from median and gaps; each gap is stretched by a calibrated factor of its lead.

    Gaps (window, lead, quantile) as of `QuantileGaps`, base (window, lead, 1) scaled, level and scale (window, 2) →
    (window, lead, quantile) MW, ascending by construction: factors are never negative.
    """

    def __init__(self, lower: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lower = lower

    def build(self, gaps_shape: tuple[int | None, ...], *_: Any) -> None:
        """Create the factors, one for a network that is not calibrated yet."""
        self.factors = self.add_weight(
            name="factors", shape=(gaps_shape[1], gaps_shape[2] - 1), initializer="ones", trainable=False
        )

    def call(self, gaps: Any, base: Any, level_scale: Any) -> Any:
        """Ascending quantiles, MW."""
        median = gaps[..., :1] + base
        stretched = gaps[..., 1:] * ops.maximum(self.factors, 0.0)
        below, above = [median], [median]
        for step in range(self.lower):
            below.append(below[-1] - stretched[..., step : step + 1])
        for step in range(self.lower, stretched.shape[-1]):
            above.append(above[-1] + stretched[..., step : step + 1])
        scaled = ops.concatenate([*below[::-1], *above[1:]], axis=-1)
        level = ops.reshape(level_scale[:, 0], (-1, 1, 1))
        scale = ops.reshape(level_scale[:, 1], (-1, 1, 1))
        return level + scale * scaled

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "lower": self.lower}
