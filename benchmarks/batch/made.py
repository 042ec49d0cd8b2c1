"""Quarter-hourly readings of made-up meters with every fault the rules know, seeded."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from gridcast.domain.tables import HOLIDAYS, READINGS, UTC_TIME, WEATHER
from gridcast.ingestion import raw
from gridcast.ingestion.tabular.columns import DEAD_ROWS

INTERVAL: Final = timedelta(minutes=15)
TIME_ZONE: Final = "Europe/London"
START: Final = datetime(2024, 1, 1, tzinfo=UTC)
LARGEST_MW: Final = 60.0
"""More than any of the meters can take, less than some of their faults."""
PER_METER: Final = 10_250
"""Intervals of a meter: 106 days, the change to summer time among them."""
_PER_DAY: Final = 96


def main() -> None:
    """`python -m benchmarks.batch.made FOLDER METERS` writes FOLDER/raw and FOLDER/temperature.parquet."""
    folder, meters = Path(sys.argv[1]), int(sys.argv[2])
    temperature = temperatures()
    folder.mkdir(parents=True)
    temperature.write_parquet(folder / "temperature.parquet")
    raw.write_source(
        folder / "raw",
        source="made",
        readings=pl.concat([meter(number, temperature=temperature) for number in range(meters)]),
        weather=WEATHER.to_frame(),
        holidays=HOLIDAYS.to_frame(),
        dead=DEAD_ROWS.to_frame(),
    )


def temperatures() -> pl.DataFrame:
    """`valid_time`, `temperature_c` of every interval."""
    time = pl.datetime_range(START, START + PER_METER * INTERVAL, INTERVAL, closed="left", time_unit="us", eager=True)
    day = np.arange(PER_METER) / _PER_DAY
    celsius = 8 + 5 * np.sin(2 * np.pi * day / 365) + 4 * np.sin(2 * np.pi * (day - 0.4))
    return pl.DataFrame({"valid_time": time.cast(UTC_TIME), "temperature_c": celsius})


def meter(number: int, *, temperature: pl.DataFrame) -> pl.DataFrame:
    """READINGS of one meter: doubled, spiked, stuck, lost, out of range, in the wrong unit, on the wrong clock."""
    random = np.random.default_rng([20240101, number])
    time, at = temperature["valid_time"], random.integers(_PER_DAY, PER_METER - _PER_DAY, 24)
    load = _load(random, temperature, follows_clock=number % 20 != 1)
    load[at[:8]] *= random.choice([8, 15, 200], 8)
    load[at[8]] = -load[at[8]]
    load[at[9] : at[9] + 60] = load[at[9]]
    load[at[10] : at[10] + 30] *= 1_000
    if number % 20 == 0:
        slipped = slice(at[11], at[11] + 20 * _PER_DAY)
        load[slipped] = np.roll(load, _PER_DAY // 24)[slipped]
    rows = pl.DataFrame(
        {"series_id": f"meter_{number:05d}", "valid_time": time, "load_mw": load, "available_at": time + INTERVAL}
    )
    is_kept = np.ones(PER_METER, np.bool_)
    for begin, length in zip(at[12:20], random.integers(1, 60, 8), strict=True):
        is_kept[begin : begin + length] = False
    doubled = rows.gather(random.integers(0, PER_METER, 40)).with_columns(
        pl.col("load_mw") * 1.02, pl.col("available_at") + timedelta(days=1)
    )
    return pl.concat([rows.filter(pl.Series(is_kept)), doubled]).cast(READINGS)


def _load(random: np.random.Generator, temperature: pl.DataFrame, *, follows_clock: bool) -> np.ndarray:
    """A daily and weekly shape by the wall clock, or by UTC where a source lost the change to summer time."""
    wall = temperature["valid_time"].dt.convert_time_zone(TIME_ZONE if follows_clock else "UTC")
    hour = (wall.dt.hour() + wall.dt.minute() / 60).to_numpy()
    shape = 1 + 0.4 * np.sin(np.pi * (hour - 7) / 12) + 0.2 * np.sin(np.pi * (hour - 2) / 6)
    is_weekend = (wall.dt.weekday() > random.integers(4, 6)).to_numpy()
    heating = 0.02 * np.maximum(15 - temperature["temperature_c"].to_numpy(), 0)
    noise = 1 + 0.05 * random.standard_normal(PER_METER)
    return random.uniform(0.2, 2.0) * (shape - 0.15 * is_weekend + heating) * noise


if __name__ == "__main__":
    main()
