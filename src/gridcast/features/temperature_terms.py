"""Temperature terms: the present and what the past hours and days have stored in buildings."""

from datetime import timedelta

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

TEMPERATURE_MEANS = tuple(timedelta(hours=hours) for hours in (3, 8, 24, 72))
TEMPERATURE_TERMS = ("now", *(f"mean_{window // timedelta(hours=1)}h" for window in TEMPERATURE_MEANS))
"""Names of the last axis of temperature arrays; trailing means end with the interval they belong to."""


def temperature_terms(temperature_c: Floats, *, interval: timedelta) -> Floats:
    """Temperature now and its trailing means, °C: (…, time) → (…, time, term), terms as in `TEMPERATURE_TERMS`.

    A mean is taken over the observed values of its window and is NaN if there are none.
    """
    means = [trailing_mean(temperature_c, window=max(1, round(window / interval))) for window in TEMPERATURE_MEANS]
    return np.stack([temperature_c.astype(np.float32), *means], axis=-1)


def trailing_mean(values: Floats, *, window: int) -> Floats:
    """Mean of the last `window` values up to and including each, over observed values: (…, time) → (…, time).

    >>> trailing_mean(np.array([1.0, np.nan, 3.0, 5.0], dtype=np.float32), window=2)
    array([1., 1., 3., 4.], dtype=float32)
    """
    observed = np.isfinite(values)
    total = _window_sum(np.where(observed, values, np.float32(0.0)), window)
    count = _window_sum(observed, window)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean.astype(np.float32)


def _window_sum(values: npt.NDArray[np.generic], window: int) -> npt.NDArray[np.float64]:
    total: npt.NDArray[np.float64] = np.cumsum(values, axis=-1, dtype=np.float64)
    width = min(window, total.shape[-1])
    before = total[..., : total.shape[-1] - width].copy()
    total[..., width:] -= before
    return total
