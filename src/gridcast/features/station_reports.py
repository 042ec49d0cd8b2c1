"""Weather rows as arrays on the grid of a panel."""

from datetime import timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gridcast.features.grid_positions import Times, known_positions, positions

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Reports(NamedTuple):
    """Vintages of stations on a grid, arrays (row,) in the order in which they became available."""

    station_ids: tuple[str, ...]
    """Names of the stations."""
    station: Ints
    """Row of the station among them."""
    position: Ints
    """Interval on the grid."""
    known_from: Ints
    """First position at which a forecast may look at it, 0 and up."""
    temperature_c: Floats
    """°C."""

    def newest(self, intervals: int) -> Floats:
        """Newest temperature of each station, °C, (station, time); NaN where it never reported."""
        temperature = np.full((len(self.station_ids), intervals), np.nan)
        temperature[self.station, self.position] = self.temperature_c
        return temperature


def reports_on(weather: pl.DataFrame, *, time: Times, interval: timedelta) -> Reports:
    """The rows of `WEATHER` that lie on the grid `time` and have a temperature.

    Without the column station_id all are of one station; without available_at each is known when its interval ends.

    Raises:
        GridcastError: a time is off the interval grid.
    """
    rows = weather.drop_nulls("temperature_c")
    if "station_id" not in rows.columns:
        rows = rows.with_columns(pl.lit("").alias("station_id"))
    if "available_at" not in rows.columns:
        rows = rows.with_columns((pl.col("valid_time") + interval).alias("available_at"))
    rows = rows.sort("available_at", maintain_order=True)
    position = positions(rows["valid_time"], time=time, interval=interval, what="weather")
    known_from = known_positions(rows["available_at"], time=time, interval=interval)
    inside = (position >= 0) & (position < len(time))
    stations = rows["station_id"].unique().sort()
    order = pl.int_range(len(stations), eager=True)
    station = rows["station_id"].replace_strict(stations, order).to_numpy().astype(np.int64)
    return Reports(
        station_ids=tuple(stations),
        station=station[inside],
        position=position[inside],
        known_from=np.maximum(known_from[inside], 0),
        temperature_c=rows["temperature_c"].to_numpy()[inside].astype(np.float64),
    )
