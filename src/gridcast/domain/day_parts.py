"""Parts of the local day that share a calibration."""

from typing import Any

import numpy as np
import numpy.typing as npt

DAY_PARTS = ("night", "morning", "afternoon", "evening")
"""Six hours each, from local midnight on."""


def day_part(hour_of_day: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Which of `DAY_PARTS` each hour since local midnight lies in, same shape.

    >>> day_part(np.array([0.0, 5.9, 6.0, 23.75])).tolist()
    [0, 0, 1, 3]
    """
    return (hour_of_day * len(DAY_PARTS) / 24.0).astype(np.int64)
