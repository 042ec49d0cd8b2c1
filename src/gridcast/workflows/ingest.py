"""From a source to data/raw: good rows land as received, bad rows in the dead letter with a reason."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.ingestion import raw
from gridcast.ingestion.connectors.files import read_holidays, read_readings, read_weather
from gridcast.ingestion.sample import SOURCE, read_sample
from gridcast.ingestion.source import Batch, Source
from gridcast.ingestion.tabular.columns import DEAD_ROWS
from gridcast.ingestion.tabular.formats import FileFormat, WeatherFormat

EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
"""No meter of interest was read before."""


@dataclass(frozen=True, slots=True)
class FileSource:
    """The user's own files that hold the whole history; any of them may be left out."""

    readings: str | None
    weather: str | None
    holidays: str | None
    readings_format: FileFormat
    weather_format: WeatherFormat


@dataclass(frozen=True, slots=True)
class Ingested:
    """What arrived: rows of each kind, rejected rows by reason, and the file (or pattern) that keeps them."""

    source: str
    readings: int = 0
    series: frozenset[str] = frozenset()
    weather: int = 0
    holidays: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    dead_letter: Path | None = None

    def plus(self, batch: Batch, *, letter: Path | None) -> "Ingested":
        """This and one more batch, whose rejected rows are kept in `letter`."""
        rejected = dict(self.rejected)
        for reason, rows in by_reason(batch.dead).items():
            rejected[reason] = rejected.get(reason, 0) + rows
        is_second = self.dead_letter is not None and letter is not None
        return Ingested(
            self.source,
            self.readings + batch.readings.height,
            self.series | set(batch.readings["series_id"].unique()),
            self.weather + batch.weather.height,
            self.holidays + batch.holidays.height,
            rejected,
            letter.with_name(f"{self.source}-*.csv") if letter and is_second else letter or self.dead_letter,
        )


def ingest(
    directory: Path, *, source: FileSource | None, now: datetime, name: str = "files", dry_run: bool = False
) -> Ingested:
    """Read files (None: the bundled sample) and write them below `directory`, replacing what `name` had before.

    Readings from before `EARLIEST` or more than a day after `now` are rejected.

    Raises:
        GridcastError: a file cannot be read at all, holds not a single good row, or the disk is full.
        UsageError: the sample would be mixed with other readings.
    """
    name = SOURCE if source is None else name
    require_own(directory, source=name)
    batch = in_range(_read_sample() if source is None else _read_files(source), source=name, now=now)
    if batch.readings.is_empty() and (source is None or source.readings is not None):
        reasons = ", ".join(f"{reason}: {rows}" for reason, rows in by_reason(batch.dead).items())
        raise GridcastError(
            f"{name if source is None else source.readings}: none of {batch.dead.height} rows could be used "
            f"({reasons}); expected rows like zone_01,2024-01-01T00:00:00Z,16.9. Nothing was changed; mend the file or "
            "its format in config/pipeline_config.yaml."
        )
    letter = None
    if not dry_run:
        letter = raw.write_source(
            directory,
            source=name,
            readings=batch.readings,
            weather=batch.weather,
            holidays=batch.holidays,
            dead=batch.dead,
        )
    return Ingested(name).plus(batch, letter=letter)


def append(
    directory: Path,
    *,
    source: Source,
    name: str,
    now: datetime,
    dry_run: bool = False,
    on_batch: Callable[[Batch], None] | None = None,
) -> Ingested:
    """Add what `source` has since its newest kept batch, batch by batch; see ingest for what is rejected.

    Raises:
        GridcastError: the source cannot be read or the disk is full; batches before are kept.
        UsageError: the sample would be mixed with other readings.
    """
    require_own(directory, source=name)
    done = Ingested(name)
    try:
        for handed_over in source.batches(raw.position_of(directory, name)):
            batch = in_range(handed_over, source=name, now=now)
            letter = None
            if not dry_run:
                letter = raw.append_batch(directory, source=name, batch=batch)
                source.done(batch.position)
            done = done.plus(batch, letter=letter)
            if on_batch is not None:
                on_batch(batch)
    except GridcastError as error:
        rows = done.readings + done.weather + done.holidays
        if dry_run or not rows:
            raise
        raise GridcastError(f"{error} {rows:,} rows that came before are kept.") from error
    return done


def _read_sample() -> Batch:
    sample = read_sample()
    return Batch.of(position="", readings=sample.readings, weather=sample.weather, holidays=sample.holidays)


def _read_files(source: FileSource) -> Batch:
    parts, dead = {}, [DEAD_ROWS.to_frame()]
    if source.readings is not None:
        parts["readings"], bad = read_readings(source.readings, file_format=source.readings_format)
        dead.append(bad)
    if source.weather is not None:
        parts["weather"], bad = read_weather(source.weather, weather_format=source.weather_format)
        dead.append(bad)
    if source.holidays is not None:
        parts["holidays"], bad = read_holidays(source.holidays)
        dead.append(bad)
    return Batch.of(position="", dead=pl.concat(dead), **parts)


def require_own(directory: Path, *, source: str) -> None:
    """Let the sample stay alone in a data folder.

    Raises:
        UsageError: it is there and `source` is another, or the other way round.
    """
    others = sorted(raw.sources(directory) - {source})
    if SOURCE in others or (others and source == SOURCE):
        raise UsageError(
            f"{directory} holds the readings of {', '.join(others)}, and these are of {source}; expected the sample "
            "alone in a data folder. Set another data_dir in config/app_config.yaml."
        )


def in_range(batch: Batch, *, source: str, now: datetime) -> Batch:
    """The batch with readings from before `EARLIEST` or more than a day after `now` among its dead rows."""
    is_possible = pl.col("valid_time").is_between(EARLIEST, now + timedelta(days=1))
    absurd = batch.readings.filter(~is_possible).select(
        pl.lit(source).alias("source"),
        pl.lit(None, dtype=pl.Int64).alias("row"),
        pl.lit("time_out_of_range").alias("reason"),
        pl.concat_str("series_id", pl.col("valid_time").cast(pl.String), "load_mw", separator=",").alias("raw"),
    )
    dead = pl.concat([batch.dead, absurd.cast(DEAD_ROWS)])
    return batch._replace(readings=batch.readings.filter(is_possible), dead=dead)


def by_reason(dead: pl.DataFrame) -> dict[str, int]:
    """Reason → rows, of DEAD_ROWS."""
    return dict(dead.group_by("reason").len().sort("reason").iter_rows())
