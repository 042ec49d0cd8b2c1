"""What is kept from a network in training now and then, so that it learns to do without it, and how much wider."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gridcast.features.windows import DAYS_OF_HISTORY, RECENT_DAYS, Inputs, VisibleLoads, Windows

Ints = npt.NDArray[np.int32]

KINDS = ("no weather", "weather beyond a lead", "newest readings", "older history", "who the series is")
"""What can be missing; every kind takes an equal share of the blinded windows."""
LACKS = ("temperature", "readings of the last day", "a series known to the model")
"""What forecasts are measured without, to know how much wider they have to be."""
MOST_DAYS_WITHOUT_READINGS = 2
FEWEST_DAYS_OF_HISTORY = 7


class Blinds(NamedTuple):
    """What windows may see, each (window,)."""

    loads: VisibleLoads
    """Positions of the loads."""
    weather_leads: Ints
    """Leads whose temperature is known; −1 stands for no temperature at all, past or future."""
    is_unknown: npt.NDArray[np.bool_]
    """Whether the series counts as one never seen before."""

    def of(self, windows: slice) -> "Blinds":
        """Those of some of the windows."""
        loads = VisibleLoads(self.loads.start[windows], self.loads.stop[windows])
        return Blinds(loads, self.weather_leads[windows], self.is_unknown[windows])


def draw_blinds(windows: Windows, *, share: float, leads: int, per_day: int, rng: np.random.Generator) -> Blinds:
    """Blinds for a `share` of the windows; the others see everything.

    Newest readings are missing for up to two days, older history beyond 7 to 32 days, the weather from a lead on. A
    series counts as new with 14 to 64 days of history.
    """
    count = len(windows.origin)
    kind = np.where(rng.random(count) < share, rng.integers(0, len(KINDS), count), -1)
    gap = rng.integers(1, MOST_DAYS_WITHOUT_READINGS * per_day + 1, count)
    history = rng.integers(FEWEST_DAYS_OF_HISTORY, DAYS_OF_HISTORY, count) * per_day
    known = rng.integers(0, leads, count)
    return Blinds(
        VisibleLoads(
            np.select(
                [kind == KINDS.index("older history"), kind == KINDS.index("who the series is")],
                [windows.origin - history, windows.origin - 2 * history],
                0,
            ).astype(np.int32),
            np.where(kind == KINDS.index("newest readings"), windows.origin - gap, windows.origin).astype(np.int32),
        ),
        np.select(
            [kind == KINDS.index("no weather"), kind == KINDS.index("weather beyond a lead")], [-1, known], leads
        ).astype(np.int32),
        kind == KINDS.index("who the series is"),
    )


def blinds_without(windows: Windows, lack: str, *, leads: int, per_day: int) -> Blinds:
    """Blinds that hide all of one of `LACKS`; a series unknown to the model has 14 days of history."""
    everything = np.zeros_like(windows.origin)
    is_unknown = lack == LACKS[2]
    start = windows.origin - RECENT_DAYS * per_day if is_unknown else everything
    stop = windows.origin - per_day if lack == LACKS[1] else windows.origin
    known = np.full_like(windows.origin, -1 if lack == LACKS[0] else leads)
    return Blinds(VisibleLoads(start, stop), known, np.full(len(windows.origin), is_unknown))


def blinded(inputs: Inputs, blinds: Blinds) -> Inputs:
    """Inputs of `window_inputs`, made with the blinds' loads, without the weather and series that stay unseen."""
    leads = np.arange(inputs["temperature_c"].shape[1], dtype=np.int32)
    unseen = leads >= blinds.weather_leads[:, np.newaxis]
    nothing = (blinds.weather_leads < 0)[:, np.newaxis, np.newaxis, np.newaxis]
    return {
        **inputs,
        "series": np.where(blinds.is_unknown, 0, inputs["series"]).astype(np.int32),
        "temperature_c": _without(inputs["temperature_c"], unseen[..., np.newaxis]),
        "reference_temperature_c": _without(inputs["reference_temperature_c"], nothing),
    }


def _without(values: npt.NDArray[Any], unseen: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    return np.where(unseen, np.float32(np.nan), values)
