"""Layers that turn hidden values into quantiles that never cross."""

from typing import Any

import keras
from keras import ops

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
    """Quantiles in MW from median and gaps; each gap is stretched by a calibrated factor of its lead.

    Gaps (window, lead, quantile) as of `QuantileGaps`, base (window, lead, 1) scaled, level and scale (window, 2) →
    (window, lead, quantile) MW, ascending by construction: factors are never negative.
    """

    def __init__(self, lower: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lower = lower

    def build(self, gaps_shape: tuple[Any, ...], *_: Any) -> None:
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
