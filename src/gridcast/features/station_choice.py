"""Which stations a series listens to: chosen by the held-out fit of a quick regression."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gridcast.features.block_means import block_means
from gridcast.features.panel import Panel
from gridcast.features.quick_regression import QuickRegression, quick_regression
from gridcast.features.station_mix import StationMix
from gridcast.features.station_reports import Reports

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Picks = tuple[int, ...]
"""How often each station was picked."""

SPAN = timedelta(days=4 * 365)
"""The newest history a mix is learned from."""
MOST_PICKS = 4
SHORTLIST = 8
"""Stations a series chooses from: those that fit it best alone."""
AT_ONCE = 128
"""Series that search for themselves, the others choose among what these found; and that are worked on at a time."""
MOST_MIXES = 64
"""Different mixes of one time zone."""
PLAIN_SHARE = 0.25
"""Of every weight comes from the plain mean: a pull towards it, and something left when stations fall silent."""
LEAST_GAIN = 0.01
"""A mix that lowers the held-out error by less is not worth leaving the plain mean for."""
FEWEST_BLOCKS = 4 * 56
"""With fewer usable blocks, eight weeks, nothing is learned."""


def learn_station_mix(panel: Panel, reports: Reports, *, until: int) -> StationMix:
    """The station mix of every series of a panel, learned on its history before position `until` only.

    Each series picks up to `MOST_PICKS` stations one after the other, the same one again if that is best, by the
    held-out error of a quick regression (greedy selection with replacement); the picks are pulled towards the plain
    mean. It keeps the plain mean where the mixes found lower its error by less than `LEAST_GAIN`.
    """
    stations = reports.station_ids
    plain = np.full(len(stations), 1 / len(stations))
    mixes: list[Floats] = [plain]
    of_series: dict[str, int] = {}
    start = max(0, until - SPAN // panel.interval)
    task = _Task(panel, reports.newest(len(panel.time)), start, until)
    for zone in np.unique(panel.zone_of_series):
        series = np.flatnonzero(panel.zone_of_series == zone)
        library = _library(task, series)
        for part in _parts(series) if library else ():
            choice = _choice(task.regression(part), [plain, *library])
            own = zip(part, choice, strict=True)
            of_series |= {panel.series_ids[row]: len(mixes) - 1 + int(pick) for row, pick in own if pick}
        mixes += library
    return _compact(mixes, of_series, station_ids=stations)


class _Task(NamedTuple):
    """What is learned from: a panel, temperatures of its stations (station, time), and the positions to look at."""

    panel: Panel
    temperature_c: Floats
    start: int
    until: int

    def regression(self, series: Ints) -> QuickRegression:
        """That of some rows of the panel."""
        return quick_regression(
            block_means(self.panel, self.temperature_c, series=series, start=self.start, stop=self.until)
        )


def _parts(series: Ints) -> list[Ints]:
    return np.array_split(series, -(-len(series) // AT_ONCE))


def _library(task: _Task, series: Ints) -> list[Floats]:
    """Mixes that some of the series, evenly drawn, found for themselves, the most frequent ones."""
    learners = series[np.unique(np.linspace(0, len(series) - 1, min(len(series), AT_ONCE)).astype(np.int64))]
    regression, stations = task.regression(learners), len(task.temperature_c)
    if regression.count < FEWEST_BLOCKS or stations < 2:
        return []
    found = Counter(_search(regression, np.arange(len(learners)), stations=stations))
    return [_pulled(picks) for picks, _ in found.most_common(MOST_MIXES - 1)]


class _Step(NamedTuple):
    picks: list[Picks]
    error: Floats


def _search(regression: QuickRegression, series: Ints, *, stations: int) -> list[Picks]:
    """Greedy picks of each of these series."""
    alone = np.stack([regression.held_out_error(each, series=series) for each in np.eye(stations)])
    shortlist = np.argsort(alone, axis=0)[:SHORTLIST].T
    best = _Step([_one(int(each), stations) for each in alone.argmin(axis=0)], alone.min(axis=0))
    current = best
    for _ in range(MOST_PICKS - 1):
        current = _next(regression, series, current.picks, shortlist=shortlist)
        better = current.error < best.error
        picks = [new if gain else old for new, old, gain in zip(current.picks, best.picks, better, strict=True)]
        best = _Step(picks, np.minimum(current.error, best.error))
    return best.picks


def _next(regression: QuickRegression, series: Ints, picks: list[Picks], *, shortlist: Ints) -> _Step:
    """One more pick for each series; series that consider the same mix are judged together."""
    asking: dict[Picks, list[int]] = {}
    for row, (own, near) in enumerate(zip(picks, shortlist, strict=True)):
        for station in near:
            asking.setdefault(_and(own, int(station)), []).append(row)
    error, chosen = np.full(len(series), np.inf), list(picks)
    for candidate, rows in asking.items():
        weights = np.array(candidate) / sum(candidate)
        for row, value in zip(rows, regression.held_out_error(weights, series=series[rows]), strict=True):
            if value < error[row]:
                error[row], chosen[row] = value, candidate
    return _Step(chosen, error)


def _choice(regression: QuickRegression, mixes: list[Floats]) -> Ints:
    """The best of the mixes for every series; the first unless another one is clearly better."""
    series = np.arange(regression.load.shape[-1])
    error = np.stack([regression.held_out_error(weights, series=series) for weights in mixes])
    best = error.argmin(axis=0)
    chosen: Ints = np.where(error.min(axis=0) < (1 - LEAST_GAIN) * error[0], best, 0)
    return chosen


def _compact(mixes: list[Floats], of_series: dict[str, int], *, station_ids: Iterable[str]) -> StationMix:
    """The mixes that are used, the plain mean first."""
    used = [0, *sorted(set(of_series.values()))]
    weights = tuple(
        {name: round(float(weight), 9) for name, weight in zip(station_ids, mixes[row], strict=True)} for row in used
    )
    return StationMix(weights, {name: used.index(row) for name, row in of_series.items()})


def _one(station: int, stations: int) -> Picks:
    return tuple(int(each == station) for each in range(stations))


def _and(picks: Picks, station: int) -> Picks:
    return tuple(count + (place == station) for place, count in enumerate(picks))


def _pulled(picks: Picks) -> Floats:
    own = np.array(picks) / sum(picks)
    return (1 - PLAIN_SHARE) * own + PLAIN_SHARE / len(picks)
