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
    """(mix, time), true where the temperature was missing."""


def fill_missing_temperature(panel: Panel, *, origin: int = 0) -> FilledTemperature:
    """Replace missing temperatures from position `origin` on by those of the same local hour, last day available.

    Only temperatures that came from a station are repeated, at most four weeks old, by the clock of the first series
    of each mix.
    """
    missing = np.isnan(panel.temperature_c)
    missing[:, :origin] = False
    if not missing.any():
        return FilledTemperature(panel, missing)
    temperature = panel.temperature_c.copy()
    for mix, lags in enumerate(panel.calendar.lag[panel.zone_of_mix]):
        temperature[mix] = repeat_last_day(temperature[mix], missing=missing[mix], lags=lags)
    return FilledTemperature(panel.with_temperature(temperature), missing)


def repeat_last_day(
    temperature_c: npt.NDArray[np.float32], *, missing: npt.NDArray[np.bool_], lags: npt.NDArray[np.integer]
) -> npt.NDArray[np.float32]:
    """Temperatures (time,), the missing ones taken from the first of the lags (lag, time) that has one.

    Lags are positions of the temperatures, negative where there is none; what was missing is not repeated.
    """
    repeated = temperature_c.copy()
    for lag in lags:
        holes = np.flatnonzero(missing & np.isnan(repeated))
        source = lag[holes]
        repeated[holes] = np.where(source >= 0, temperature_c[np.maximum(source, 0)], np.float32(np.nan))
    return repeated
