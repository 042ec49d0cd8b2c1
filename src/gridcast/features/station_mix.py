"""How much each weather station counts for each series, and the temperature that follows."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gridcast.domain.errors import GridcastError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

LEAST_WEIGHT = 0.5
"""A temperature mixed from stations with less of the weight than this is thin: a forecast from it is degraded."""
_ROUNDING = 1e-6
_CHUNK = 65_536


class MixWeights(NamedTuple):
    """A station mix as arrays."""

    mix_of_series: npt.NDArray[np.int32]
    """(series,), row of each series in `weights`."""
    weights: Floats
    """(mix, station); a row adds up to less than one where its stations are not among those asked for."""


class MixedTemperature(NamedTuple):
    """Temperatures of mixes, both (mix, …)."""

    temperature_c: npt.NDArray[np.float32]
    """°C; NaN where no station reported."""
    is_thin: Bools
    """Stations with less than `LEAST_WEIGHT` of the mix reported."""


@dataclass(frozen=True, slots=True)
class StationMix:
    """Weights of stations, shared by the series that mix alike.

    Attributes:
        mixes: station id → weight, from 0 to 1 with the sum 1. The first is for series that are not named.
        of_series: series id → position in `mixes`.

    Raises:
        GridcastError: a mix has other weights, or a series a mix that is not there.
    """

    mixes: tuple[Mapping[str, float], ...]
    of_series: Mapping[str, int]

    def __post_init__(self) -> None:
        for mix in self.mixes:
            if not (all(weight >= 0 for weight in mix.values()) and math.isclose(sum(mix.values()), 1, abs_tol=1e-6)):
                raise GridcastError(f"station mix {dict(mix)}: expected weights from 0 to 1 that add up to 1.")
        if not self.mixes or any(not 0 <= row < len(self.mixes) for row in self.of_series.values()):
            raise GridcastError(
                f"station mix of {len(self.of_series)} series: expected each to name one of {len(self.mixes)} mixes."
            )

    def of(self, series_id: str) -> Mapping[str, float]:
        """The weights for a series: station id → weight."""
        return self.mixes[self.row_of(series_id)]

    def row_of(self, series_id: str) -> int:
        """Position of the mix of a series."""
        return self.of_series.get(series_id, 0)

    def weights(self, *, series_ids: Sequence[str], station_ids: Sequence[str]) -> MixWeights:
        """All mixes, over these stations, and which of them each of these series uses."""
        rows = np.array([self.row_of(each) for each in series_ids], dtype=np.int32)
        weights = [[mix.get(station, 0.0) for station in station_ids] for mix in self.mixes]
        return MixWeights(rows, np.array(weights, dtype=np.float64).reshape(len(self.mixes), -1))

    def to_facts(self) -> dict[str, Any]:
        """What JSON can carry; see `from_facts`."""
        return {"mixes": [dict(mix) for mix in self.mixes], "series": dict(self.of_series)}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> "StationMix":
        """The mix that `to_facts` wrote.

        Raises:
            GridcastError: the facts are not those of a mix.
        """
        try:
            mixes = tuple({str(name): float(weight) for name, weight in mix.items()} for mix in facts["mixes"])
            return cls(mixes, {str(name): int(row) for name, row in facts["series"].items()})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise GridcastError(
                f"station mix {facts!r:.80} cannot be read ({type(error).__name__}: {error}); expected mixes and "
                'series as "gridcast train" writes them.'
            ) from error


def plain_mix(station_ids: Sequence[str]) -> StationMix:
    """Every station counts alike, for every series.

    >>> plain_mix(["a", "b"]).of("zone_01")
    {'a': 0.5, 'b': 0.5}
    """
    return StationMix((dict.fromkeys(station_ids, 1 / len(station_ids)),), {})


def equal_weights(*, series: int, stations: int) -> MixWeights:
    """One mix for all series in which every station counts alike."""
    return MixWeights(np.zeros(series, dtype=np.int32), np.full((1, stations), 1 / max(stations, 1)))


def mix_stations(station_temperature_c: Floats, *, weights: Floats) -> MixedTemperature:
    """Temperatures of stations (station, k), °C, mixed by weights (mix, station) → (mix, k).

    Weights are taken among the stations that reported. Where none of a mix did, the plain mean of all others stands in.

    >>> mix_stations(np.array([[10.0, np.nan], [20.0, 24.0]]), weights=np.array([[0.75, 0.25]]))
    MixedTemperature(temperature_c=array([[12.5, 24. ]], dtype=float32), is_thin=array([[False,  True]]))
    """
    count = station_temperature_c.shape[1]
    mixed = np.full((len(weights), count), np.nan, dtype=np.float32)
    is_thin = np.ones(mixed.shape, dtype=np.bool_)
    for first in range(0, count, _CHUNK):
        part = slice(first, first + _CHUNK)
        mixed[:, part], is_thin[:, part] = _mixed(station_temperature_c[:, part], weights)
    return MixedTemperature(mixed, is_thin)


def _mixed(temperature_c: Floats, weights: Floats) -> tuple[Floats, Bools]:
    """Added up station by station, so that a value does not depend on what stands beside it."""
    total, share = np.zeros((2, len(weights), temperature_c.shape[1]))
    everywhere, reports = np.zeros((2, temperature_c.shape[1]))
    for station, values in enumerate(temperature_c):
        is_there = np.isfinite(values)
        value = np.where(is_there, values, 0.0)
        total += weights[:, station, np.newaxis] * value
        share += weights[:, station, np.newaxis] * is_there
        everywhere += value
        reports += is_there
    others = np.where(reports > 0, everywhere / np.maximum(reports, 1), np.nan)
    mixed = np.where(share > _ROUNDING, total / np.maximum(share, _ROUNDING), others)
    return mixed, share < LEAST_WEIGHT - _ROUNDING
