"""Temperatures as they became known: observations and the forecasts issued before them, without look-ahead."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gridcast.features.station_mix import MixedTemperature, mix_stations
from gridcast.features.station_reports import Reports

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
NEVER = np.iinfo(np.int32).max


@dataclass(frozen=True, slots=True, eq=False)
class Vintages:
    """What was known of the temperature of every mix, and from when on.

    An event is a position at which, from an origin on, something new was known.

    Attributes:
        key: (event,) ascending, position × span + origin.
        span: origins there are.
        temperature_c: (mix, event), °C, and a last column of NaN for what was not known.
        newest: (time,), last event of each position, -1 if there is none.
        settled: (time,), origin from which that event was known; never, without one.
        whole_from: (mix, time), origin from which stations with enough weight had reported; `NEVER` if they did not.
    """

    key: Ints
    span: int
    temperature_c: Floats
    newest: Ints
    settled: Ints
    whole_from: npt.NDArray[np.int32]

    def known(self, *, mix: npt.ArrayLike, position: npt.ArrayLike, origin: npt.ArrayLike) -> Floats:
        """Temperature, °C, of mixes at positions as known at origins; NaN if it was not. All broadcast."""
        mixes, at, issued = np.broadcast_arrays(mix, position, origin)
        inside = (at >= 0) & (at < len(self.newest))
        place = np.where(inside, at, 0).astype(np.int64)
        event = np.where(inside, self.newest[place], -1)
        late = inside & (self.settled[place] > issued)
        if late.any() and len(self.key):
            event[late] = self._event(place[late], issued[late].astype(np.int64))
        known: Floats = self.temperature_c[mixes, event]
        return known

    def _event(self, position: Ints, origin: Ints) -> Ints:
        found = np.searchsorted(self.key, position * self.span + np.minimum(origin, self.span - 1), side="right") - 1
        fits = (found >= 0) & (self.key[found] // self.span == position)
        event: Ints = np.where(fits, found, -1)
        return event


def vintages(reports: Reports, *, weights: npt.NDArray[np.float64], intervals: int) -> Vintages:
    """The mixed vintages of a grid of so many intervals: weights (mix, station)."""
    span = intervals + 1
    at = np.lexsort((reports.known_from, reports.position))
    at = at[reports.known_from[at] < span]
    key_of_report = reports.position[at] * span + reports.known_from[at]
    key = np.unique(key_of_report)
    mixed = _mixed_at(key, reports=reports, order=at, key_of_report=key_of_report, weights=weights, span=span)
    position, known_from = np.divmod(key, span)
    newest = np.full(intervals, -1, dtype=np.int64)
    newest[position] = np.arange(len(key))
    settled = np.where(newest >= 0, known_from[newest] if len(key) else NEVER, NEVER)
    whole_from = np.full((len(weights), intervals), NEVER, dtype=np.int32)
    for mix, is_thin in enumerate(mixed.is_thin):
        whole = np.flatnonzero(~is_thin)[::-1]
        whole_from[mix, position[whole]] = known_from[whole]
    unknown = np.full((len(weights), 1), np.nan, dtype=np.float32)
    return Vintages(key, span, np.hstack([mixed.temperature_c, unknown]), newest, settled, whole_from)


def _mixed_at(
    key: Ints, *, reports: Reports, order: Ints, key_of_report: Ints, weights: npt.NDArray[np.float64], span: int
) -> MixedTemperature:
    """Mix of the newest report of each station at each event."""
    station = reports.station[order]
    latest = np.full((weights.shape[1], len(key)), np.nan)
    for row in range(weights.shape[1]):
        own = np.flatnonzero(station == row)
        if len(own):
            found = np.searchsorted(key_of_report[own], key, side="right") - 1
            fits = (found >= 0) & (key_of_report[own[found]] // span == key // span)
            latest[row] = np.where(fits, reports.temperature_c[order[own[found]]], np.nan)
    return mix_stations(latest, weights=weights)
