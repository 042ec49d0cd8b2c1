"""A small clean history with station weather, as `prepare` leaves it, made in a second."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from gridcast.domain.series import Hierarchy, zones_to_system
from gridcast.domain.tables import CLEAN_READINGS, SPECIAL_DAYS, UTC_TIME, WEATHER, Quality
from gridcast.workflows.readings.processed import WEATHER_FILE, Processed

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
STATIONS = ("north", "south", "west")
ZONES = ("zone_n", "zone_s")
TIME_ZONE = "Europe/London"


def write_history(directory: Path, *, days: int = 120, forecasts: bool = True) -> Processed:
    """Two zones, one warmed by the station in the north, one by that in the south, and their sum.

    Stations report every hour on the hour's end; with `forecasts`, every six hours they also say the next 54 hours,
    a little wrong.
    """
    rng = np.random.default_rng(11)
    temperature = _temperatures(days, rng)
    readings = _readings(days, temperature, rng)
    weather = [_observed(name, values) for name, values in zip(STATIONS, temperature, strict=True)]
    if forecasts:
        weather += [_forecast(name, values, rng) for name, values in zip(STATIONS, temperature, strict=True)]
    month = directory / "readings" / "month=all"
    month.mkdir(parents=True)
    readings.write_parquet(month / "all.parquet")
    pl.concat(weather).sort("station_id", "valid_time", "available_at").write_parquet(directory / WEATHER_FILE)
    SPECIAL_DAYS.to_frame().write_parquet(directory / "holidays.parquet")
    made = Processed(directory, f"{days} days", HOUR, tree(), START + timedelta(days=days))
    made.write_manifest(directory)
    return made


def tree() -> Hierarchy:
    """The two zones and their sum."""
    return zones_to_system(ZONES, time_zone=TIME_ZONE)


def _temperatures(days: int, rng: np.random.Generator) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    hours = np.arange(days * 24 + 54)
    common = 10 + 6 * np.sin(hours / 200) + 4 * np.sin((hours - 8) * 2 * np.pi / 24)
    own: np.ndarray[tuple[int, int], np.dtype[np.float64]] = (
        common + np.repeat(rng.normal(0, 5, (len(STATIONS), len(hours) // 24 + 1)), 24, axis=1)[:, : len(hours)]
    )
    return own


def _readings(
    days: int, temperature: np.ndarray[tuple[int, int], np.dtype[np.float64]], rng: np.random.Generator
) -> pl.DataFrame:
    hours = np.arange(days * 24)
    shape = 60 + 12 * np.sin((hours - 6) * 2 * np.pi / 24) - 8 * (hours // 24 % 7 > 4)
    loads = [shape + 2 * np.maximum(18 - temperature[row, : len(hours)], 0) for row in range(len(ZONES))]
    loads = [each + rng.normal(0, 1, len(hours)) for each in loads]
    times = pl.Series([START + HOUR * int(hour) for hour in hours], dtype=UTC_TIME)
    return pl.concat(
        pl.DataFrame({"series_id": [name] * len(hours), "valid_time": times, "load_mw": load}).with_columns(
            pl.col("load_mw").alias("raw_load_mw"),
            pl.lit(Quality.GOOD.value).alias("quality"),
            pl.lit("").alias("rule"),
            (pl.col("valid_time") + HOUR).alias("available_at"),
        )
        for name, load in zip((*ZONES, "system"), (*loads, loads[0] + loads[1]), strict=True)
    ).select(CLEAN_READINGS.names())


def _observed(station: str, values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> pl.DataFrame:
    hours = np.arange(len(values) - 54)
    return _weather(station, hours, values[: len(hours)], hours + 1)


def _forecast(
    station: str, values: np.ndarray[tuple[int], np.dtype[np.float64]], rng: np.random.Generator
) -> pl.DataFrame:
    issued = np.repeat(np.arange(0, len(values) - 54, 6), 54)
    about = issued + np.tile(np.arange(54), len(issued) // 54)
    return _weather(station, about, values[about] + rng.normal(0, 1, len(about)), issued)


def _weather(
    station: str,
    about: np.ndarray[tuple[int], np.dtype[np.int64]],
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
    available: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> pl.DataFrame:
    start = pl.lit(START, dtype=UTC_TIME)
    return (
        pl.DataFrame({"station_id": station, "about": about, "temperature_c": values, "available": available})
        .select(
            "station_id",
            (start + pl.duration(hours="about")).alias("valid_time"),
            "temperature_c",
            (start + pl.duration(hours="available")).alias("available_at"),
        )
        .cast(WEATHER)
    )
