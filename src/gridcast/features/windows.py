"""Windows: what is known at an issue time about the past and about each interval of the horizon, in raw units."""

from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gridcast.domain.errors import GridcastError
from gridcast.features.day_calendar import DAY_TERMS, LAG_DAYS, REFERENCE_DAY_TERMS
from gridcast.features.known_temperature import terms_at
from gridcast.features.panel import Panel

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Inputs = dict[str, npt.NDArray[np.generic]]

_MISSING = np.float32(np.nan)
_REFERENCE_DAY_TERMS = [DAY_TERMS.index(each) for each in REFERENCE_DAY_TERMS]

RECENT_DAYS = 14
"""Days of load right before the issue time that the model reads."""
REFERENCE_WEEKS = (1, 2, 3)
REFERENCES = ("last_day", "last_day_but_one", *(f"week_{weeks}" for weeks in REFERENCE_WEEKS))
"""Names of the reference axis: the last two days with that wall time available, and 1, 2, 3 weeks before."""
DAYS_OF_HISTORY = 32
"""Days of readings and weather before the issue time that a forecast reads at most."""
LONGEST_HORIZON = timedelta(days=7)


class Windows(NamedTuple):
    """Pairs of a series and an issue time, both (window,): rows of a panel and positions of its first lead."""

    series: Ints
    origin: Ints


class VisibleLoads(NamedTuple):
    """Positions between which the loads of each window may be looked at, start ≤ position < stop, both (window,)."""

    start: Ints
    stop: Ints


def intervals_per_day(interval: timedelta) -> int:
    """How many intervals a day of 24 hours holds."""
    return timedelta(days=1) // interval


def window_inputs(
    panel: Panel,
    *,
    series: npt.ArrayLike,
    origin: npt.ArrayLike,
    leads: int,
    visible: VisibleLoads | None = None,
    mix: npt.ArrayLike | None = None,
) -> Inputs:
    """Raw inputs of a batch of windows; window i forecasts `series[i]` from position `origin[i]` on, `leads` intervals.

    Loads at or after an origin, those that became available later, and those that are not `visible` influence
    nothing. Temperatures of the horizon are known-future covariates; a panel with vintages gives those known at the
    origin. MW and °C, NaN = missing, and where the temperature is, so are its means; `series` holds 1 + the panel's
    row (0 stands for a series unknown to the model). Shapes: see `input_shapes`. Temperatures are those of the series'
    station mix, or of the rows `mix` (window,) of the panel.

    Raises:
        GridcastError: the horizon leaves the panel or is longer than a week.
    """
    rows, origins = np.asarray(series, dtype=np.int32), np.asarray(origin, dtype=np.int32)
    _require(panel, origins, leads=leads)
    zone = panel.zone_of_series[rows]
    valid = origins[:, np.newaxis] + np.arange(leads, dtype=np.int32)
    loads = _KnownLoads(panel, rows, origins, visible)
    reference = _reference_positions(loads, leads=leads)
    known = reference >= 0
    at = np.where(known, reference, 0)
    asked = np.concatenate([valid[..., np.newaxis], reference], axis=-1)
    mixes = panel.mix_of_series[rows] if mix is None else np.asarray(mix, dtype=np.int32)
    terms = terms_at(panel, mix=mixes, origin=origins, position=asked, leads=leads)
    terms = np.where(np.isnan(terms[..., :1]), np.float32(np.nan), terms)
    by_zone, calendar = zone[:, np.newaxis], panel.calendar
    by_zone_too = zone[:, np.newaxis, np.newaxis]
    return {
        "series": rows + 1,
        "recent_load_mw": loads.at(_recent_positions(panel, origins)),
        "hour_of_day": calendar.hour_of_day[by_zone, valid],
        "weekday": calendar.weekday[by_zone, valid],
        "day_of_year": calendar.day_of_year[by_zone, valid],
        "holiday": calendar.holiday[by_zone, valid],
        "temperature_c": terms[:, :, 0],
        "reference_load_mw": loads.at(reference),
        "reference_temperature_c": terms[:, :, 1:],
        "reference_weekday": np.where(known, calendar.weekday[by_zone_too, at], 0),
        "reference_holiday": np.where(
            known[..., np.newaxis], calendar.holiday[by_zone_too, at][..., _REFERENCE_DAY_TERMS], np.float32(0.0)
        ),
    }


@dataclass(frozen=True, slots=True, eq=False)
class _KnownLoads:
    """What windows may know of the loads of their series."""

    panel: Panel
    series: Ints
    origin: Ints
    visible: VisibleLoads | None = None

    def at(self, position: Ints) -> Floats:
        """Load, MW, at positions (window, …); NaN where it is missing, was not known at the origin, or lies before."""
        load: Floats = np.where(
            self._may_be_seen(position), self.panel.load_mw[self._rows(position), np.maximum(position, 0)], _MISSING
        )
        return load

    def are_known(self, position: Ints) -> npt.NDArray[np.bool_]:
        """Whether there is a load at positions (window, …) that windows may look at."""
        return np.isfinite(self.at(position))

    def _may_be_seen(self, position: Ints) -> npt.NDArray[np.bool_]:
        issued = _over(self.origin, position)
        seen = (position >= 0) & (self.panel.known_from[self._rows(position), np.maximum(position, 0)] <= issued)
        if self.visible is not None:
            seen &= (position >= _over(self.visible.start, position)) & (position < _over(self.visible.stop, position))
        return seen

    def _rows(self, position: Ints) -> Ints:
        return _over(self.series, position)


def _over(values: Ints, position: Ints) -> Ints:
    """Values (window,) that broadcast over positions (window, …)."""
    return values.reshape(-1, *(1,) * (position.ndim - 1))


def window_targets(panel: Panel, *, series: npt.ArrayLike, origin: npt.ArrayLike, leads: int) -> Floats:
    """Observed load of each window's horizon, MW, (window, lead); NaN where missing."""
    rows, origins = np.asarray(series, dtype=np.int32), np.asarray(origin, dtype=np.int32)
    _require(panel, origins, leads=leads)
    valid = origins[:, np.newaxis] + np.arange(leads, dtype=np.int32)
    targets: Floats = panel.load_mw[rows[:, np.newaxis], valid]
    return targets


def reference_positions(panel: Panel, *, series: Ints, origin: Ints, leads: int) -> Ints:
    """Positions of the reference intervals, (window, lead, reference) as in `REFERENCES`; -1 before the panel.

    Each has the wall time of the interval it refers to and a load that was known at the origin, where such a day is
    in reach.
    """
    return _reference_positions(_KnownLoads(panel, series, origin), leads=leads)


def _reference_positions(loads: _KnownLoads, *, leads: int) -> Ints:
    day = [_days_back(loads, leads=leads, candidates=LAG_DAYS[:8], skip=skip) for skip in (0, 1)]
    week = [
        _days_back(loads, leads=leads, candidates=tuple(7 * n for n in range(weeks, 5)), skip=0)
        for weeks in REFERENCE_WEEKS
    ]
    return np.stack([*day, *week], axis=-1)


def _days_back(loads: _KnownLoads, *, leads: int, candidates: tuple[int, ...], skip: int) -> Ints:
    """Position of the first candidate lag whose load is known, or of the one `skip` candidates later."""
    panel = loads.panel
    valid = loads.origin[:, np.newaxis] + np.arange(leads, dtype=np.int32)
    zone = panel.zone_of_series[loads.series][:, np.newaxis]
    lags = np.array([LAG_DAYS.index(days) for days in candidates])
    first = np.maximum(np.arange(leads) // intervals_per_day(panel.interval) // candidates[0] - 1, 0)
    choice = np.broadcast_to(first, valid.shape).copy()
    last = len(candidates) - 1

    def positions() -> Ints:
        found: Ints = panel.calendar.lag[zone, lags[np.minimum(choice, last)], valid]
        return found

    for _ in candidates:
        is_unknown = ~loads.are_known(positions())
        if not is_unknown.any():
            break
        choice += is_unknown
    choice += skip
    chosen = positions()
    result: Ints = np.where(chosen < loads.origin[:, np.newaxis], chosen, -1)
    return result


def _recent_positions(panel: Panel, origins: Ints) -> Ints:
    width = RECENT_DAYS * intervals_per_day(panel.interval)
    return (origins[:, np.newaxis] + np.arange(-width, 0)).astype(np.int32)


def _require(panel: Panel, origins: Ints, *, leads: int) -> None:
    if leads * panel.interval > LONGEST_HORIZON:
        raise GridcastError(f"horizon of {leads} intervals of {panel.interval}; expected at most {LONGEST_HORIZON}.")
    if len(origins) and (origins.min() < 0 or origins.max() + leads > len(panel.time)):
        raise GridcastError(
            f"issue positions {origins.min()} to {origins.max()} with {leads} intervals each leave the history of "
            f"{len(panel.time)} intervals; build the panel with `until` at the end of the last horizon."
        )


def usable_windows(
    panel: Panel, *, leads: int, start: int = 0, stop: int | None = None, every: int = 1, observed_share: float = 0.5
) -> Windows:
    """Every series and origin, start ≤ origin and origin + leads ≤ stop, with enough observed to learn from.

    At least `observed_share` of the last week before the origin and of the horizon's loads has to be observed; a
    temperature need not be. Origins are `every` intervals apart and leave `RECENT_DAYS` of history before them.
    """
    per_day = intervals_per_day(panel.interval)
    end = len(panel.time) if stop is None else stop
    origins = np.arange(max(start, RECENT_DAYS * per_day), end - leads + 1, every, dtype=np.int32)
    if not len(origins):
        return Windows(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32))
    load = _observed_counts(panel.load_mw)
    week = 7 * per_day
    usable = (load[:, origins] - load[:, origins - week] >= observed_share * week) & (
        load[:, origins + leads] - load[:, origins] >= observed_share * leads
    )
    rows, columns = np.nonzero(usable)
    return Windows(rows.astype(np.int32), origins[columns])


def _observed_counts(values: Floats) -> npt.NDArray[np.int32]:
    counts = np.cumsum(np.isfinite(values), axis=1, dtype=np.int32)
    return np.concatenate([np.zeros((len(values), 1), dtype=np.int32), counts], axis=1)
