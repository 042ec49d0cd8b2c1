"""Temperature that is not known: taken from the last day that has it, and marked."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gridcast.features.panel import Panel


class FilledTemperature(NamedTuple):
    """A panel without holes in its temperature, and where the holes were."""

    panel: Panel
    """The panel; intervals whose temperature no earlier day knows stay NaN."""
    filled: npt.NDArray[np.bool_]
    """(time,), true where the temperature was missing."""


def fill_missing_temperature(panel: Panel, *, origin: int = 0) -> FilledTemperature:
    """Replace missing temperatures from position `origin` on by those of the same local hour, last day available.

    Only measured values are repeated, at most four weeks old, by the clock of the panel's first time zone.
    """
    temperature = panel.temperature_c.copy()
    missing = np.isnan(temperature)
    missing[:origin] = False
    for lag in panel.calendar.lag[0]:
        holes = np.flatnonzero(missing & np.isnan(temperature))
        source = lag[holes]
        temperature[holes] = np.where(source >= 0, panel.temperature_c[np.maximum(source, 0)], np.float32(np.nan))
    return FilledTemperature(panel.with_temperature(temperature) if missing.any() else panel, missing)
