"""Losses over quantile forecasts."""

from typing import Any

import numpy as np
from keras import ops

from gridcast.domain.quantiles import QUANTILE_LEVELS
from gridcast.models.tensorflow.missing import is_observed, or_zero


def observed_count(target: Any) -> Any:
    """How many targets are observed; a scalar."""
    return ops.sum(is_observed(target))


def pinball(target: Any, quantiles: Any, *, weight: Any) -> Any:
    """Weighted mean pinball loss over quantile levels, windows and leads with an observed target; a scalar.

    target (window, lead), NaN = missing; quantiles (window, lead, quantile); weight (window,), for instance one
    over the size of the series, so that every series counts alike.
    """
    levels = ops.convert_to_tensor(np.array(QUANTILE_LEVELS, dtype=np.float32))
    observed = is_observed(target)
    error = ops.expand_dims(or_zero(target), -1) - quantiles
    loss = ops.mean(ops.maximum(levels * error, (levels - 1.0) * error), axis=-1)
    counted = observed * ops.expand_dims(weight, -1)
    return ops.sum(loss * counted) / ops.maximum(ops.sum(observed), 1.0)
