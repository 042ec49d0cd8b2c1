"""Layers that turn hidden values into quantiles that never cross."""

from typing import Any

import keras
from keras import ops

from gridcast.domain.day_parts import DAY_PARTS
from gridcast.models.tensorflow.blinds import LACKS

PACKAGE = "gridcast"


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
    """Quantiles in MW from median and gaps; each gap is stretched by calibrated factors.

    Gaps (window, lead, quantile) as of `QuantileGaps`, scaled, level and scale (window, 2), hour of the day (window,
    lead) and series (window,) → (window, lead, quantile) MW, ascending by construction: factors are never negative.
    The factor of a gap is that of its lead and part of the day, `factors` (lead, day part, gap), times that of its
    series, `series_factors` (series + 1, gap).
    """

    def __init__(self, lower: int, series: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lower = lower
        self.series = series

    def build(self, gaps_shape: tuple[Any, ...], *_: Any) -> None:
        """Create the factors, one for a network that is not calibrated yet."""
        leads, gaps = gaps_shape[1], gaps_shape[2] - 1
        self.factors = self.add_weight(
            name="factors", shape=(leads, len(DAY_PARTS), gaps), initializer="ones", trainable=False
        )
        self.series_factors = self.add_weight(
            name="series_factors", shape=(self.series + 1, gaps), initializer="ones", trainable=False
        )

    def calibrate(self, factors: Any, series_factors: Any) -> None:
        """Take over factors in the shapes above."""
        self.factors.assign(factors)
        self.series_factors.assign(series_factors)

    def call(self, gaps: Any, level_scale: Any, hour_of_day: Any, series: Any) -> Any:
        """Ascending quantiles, MW."""
        part = ops.one_hot(ops.cast(hour_of_day * len(DAY_PARTS) / 24.0, "int32"), len(DAY_PARTS), dtype="float32")
        factors = ops.sum(ops.expand_dims(part, -1) * self.factors, axis=2)
        factors = factors * ops.expand_dims(ops.take(self.series_factors, series, axis=0), 1)
        median = gaps[..., :1]
        stretched = gaps[..., 1:] * ops.maximum(factors, 0.0)
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
        return {**super().get_config(), "lower": self.lower, "series": self.series}


@keras.saving.register_keras_serializable(package=PACKAGE)
class WiderWhereLacking(keras.layers.Layer):
    """Quantiles drawn apart from the median where the inputs lack something.

    Quantiles (window, lead, quantile) MW and the missing shares (window, lead, lack) of `LACKS` → (window, lead,
    quantile) MW. Each lack has a factor, `factors` (lack,), that holds where all of it is missing.
    """

    def __init__(self, median: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.median = median

    def build(self, *_: Any) -> None:
        """Create the factors, one for a network that is not calibrated yet."""
        self.factors = self.add_weight(name="factors", shape=(len(LACKS),), initializer="ones", trainable=False)

    def calibrate(self, factors: Any) -> None:
        """Take over factors, (lack,)."""
        self.factors.assign(factors)

    def call(self, quantiles: Any, lacking: Any) -> Any:
        """Quantiles around the same median."""
        factor = ops.prod(1.0 + lacking * (self.factors - 1.0), axis=-1, keepdims=True)
        median = quantiles[..., self.median : self.median + 1]
        return median + factor * (quantiles - median)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "median": self.median}
