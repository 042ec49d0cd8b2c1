"""From a source to data/raw: good rows land as received, bad rows in the dead letter with a reason."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.domain.tables import HOLIDAYS, WEATHER
from gridcast.ingestion import raw
from gridcast.ingestion.columns import DEAD_ROWS
from gridcast.ingestion.files import read_holidays, read_readings, read_weather
from gridcast.ingestion.formats import FileFormat, WeatherFormat
from gridcast.ingestion.sample import SOURCE, read_sample

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""No meter of interest was read before."""


@dataclass(frozen=True, slots=True)
class FileSource:
    """The user's own files; weather and holidays may be left out."""

    readings: str
    weather: str | None
    holidays: str | None
    readings_format: FileFormat
    weather_format: WeatherFormat


@dataclass(frozen=True, slots=True)
class Ingested:
    """What arrived: rows of each kind, rejected rows by reason, and the file that keeps them."""

    source: str
    readings: int
    series: int
    weather: int
    holidays: int
    rejected: dict[str, int]
    dead_letter: Path | None


def ingest(directory: Path, *, source: FileSource | None, now: datetime, dry_run: bool = False) -> Ingested:
    """Read the source (None: the bundled sample) and write it below `directory`, replacing what it wrote before.

    Readings from before `EARLIEST` or more than a day after `now` are rejected.

    Raises:
        GridcastError: a file cannot be read at all, holds not a single good row, or the disk is full.
        UsageError: the folder holds the readings of another source.
    """
    name, readings, weather, holidays, dead = _read(source)
    _require_own(directory, source=name)
    readings, absurd = _in_range(readings, source=name, now=now)
    dead = pl.concat([dead, absurd])
    if readings.is_empty():
        reasons = ", ".join(f"{reason}: {rows}" for reason, rows in _by_reason(dead).items())
        where = name if source is None else source.readings
        raise GridcastError(
            f"{where}: none of {dead.height} rows could be used ({reasons}); expected rows like "
            "zone_01,2024-01-01T00:00:00Z,16.9. Nothing was changed; mend the file or its format in "
            "config/pipeline_config.yaml."
        )
    letter = None
    if not dry_run:
        letter = raw.write_source(
            directory, source=name, readings=readings, weather=weather, holidays=holidays, dead=dead
        )
    series = readings["series_id"].n_unique()
    return Ingested(name, readings.height, series, weather.height, holidays.height, _by_reason(dead), letter)


def _read(source: FileSource | None) -> tuple[str, pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    if source is None:
        sample = read_sample()
        return SOURCE, sample.readings, sample.weather, sample.holidays, DEAD_ROWS.to_frame()
    readings, dead = read_readings(source.readings, file_format=source.readings_format)
    weather, holidays = WEATHER.to_frame(), HOLIDAYS.to_frame()
    if source.weather is not None:
        weather, dead_weather = read_weather(source.weather, weather_format=source.weather_format)
        dead = pl.concat([dead, dead_weather])
    if source.holidays is not None:
        holidays, dead_holidays = read_holidays(source.holidays)
        dead = pl.concat([dead, dead_holidays])
    return "files", readings, weather, holidays, dead


def _require_own(directory: Path, *, source: str) -> None:
    others = sorted(raw.sources(directory) - {source})
    if others:
        raise UsageError(
            f"{directory} holds the readings of {', '.join(others)}, and these are of {source}; expected one source in "
            "a data folder. Set another data_dir in config/app_config.yaml."
        )


def _in_range(readings: pl.DataFrame, *, source: str, now: datetime) -> tuple[pl.DataFrame, pl.DataFrame]:
    is_possible = pl.col("valid_time").is_between(EARLIEST, now + timedelta(days=1))
    absurd = readings.filter(~is_possible).select(
        pl.lit(source).alias("source"),
        pl.lit(None, dtype=pl.Int64).alias("row"),
        pl.lit("time_out_of_range").alias("reason"),
        pl.concat_str("series_id", pl.col("valid_time").cast(pl.String), "load_mw", separator=",").alias("raw"),
    )
    return readings.filter(is_possible), absurd.cast(DEAD_ROWS)


def _by_reason(dead: pl.DataFrame) -> dict[str, int]:
    return dict(dead.group_by("reason").len().sort("reason").iter_rows())
