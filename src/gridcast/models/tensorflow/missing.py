"""Missing values inside the graph: what is observed, and zero in place of what is not."""

from typing import Any

from keras import ops

LARGEST = 1e30


def is_observed(values: Any) -> Any:
    """1.0 where a value is a finite number, 0.0 where it is NaN or infinite; same shape."""
    return ops.cast(ops.abs(values) < LARGEST, "float32")


def or_zero(values: Any) -> Any:
    """The values with zero in place of NaN and infinity."""
    return ops.where(ops.abs(values) < LARGEST, values, ops.zeros_like(values))
