"""From a source to data/raw: good rows land as received, bad rows in the dead letter with a reason."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.ingestion import raw
from gridcast.ingestion.connectors.files import read_holidays, read_readings, read_weather
from gridcast.ingestion.locks import reading_alone
from gridcast.ingestion.sample import SOURCE, read_sample
from gridcast.ingestion.source import Batch, Source
from gridcast.ingestion.tabular.columns import DEAD_ROWS, Parsed
from gridcast.ingestion.tabular.formats import FileFormat, WeatherFormat

EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
"""No meter of interest was read before."""

LATEST_AFTER: Final = {"readings": timedelta(hours=1), "weather": timedelta(days=366)}
"""How far ahead of the clock a valid time may lie: that of a meter whose clock is not exact, that of a forecast."""

_EXAMPLES: Final = {
    "readings": "zone_01,2024-01-01T00:00:00Z,16.9",
    "weather": "ws_01,2024-01-01T00:00:00Z,11.5",
    "holidays": "2024-12-25,Christmas Day",
}


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

    Times before `EARLIEST` or more than `LATEST_AFTER` after `now` are rejected.

    Raises:
        GridcastError: a file cannot be read at all, holds not a single good row, or the disk is full.
        UsageError: the sample would be mixed with other readings.
    """
    name = SOURCE if source is None else name
    require_own(directory, source=name)
    batch = Batch.of(position="")
    for kind, (path, parsed) in (_read_sample() if source is None else _read_files(source)).items():
        batch = _joined(batch, _usable(parsed, kind=kind, path=path, source=name, now=now), kind=kind)
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
        SourceInUseError: another process reads it into the same folder; nothing was touched.
        UsageError: the sample would be mixed with other readings.
    """
    require_own(directory, source=name)
    done = Ingested(name)
    try:
        with contextlib.nullcontext() if dry_run else reading_alone(directory, source=name):
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


def _read_sample() -> dict[str, tuple[str, Parsed]]:
    sample = read_sample()
    rows = {"readings": sample.readings, "weather": sample.weather, "holidays": sample.holidays}
    return {kind: (SOURCE, Parsed(each, DEAD_ROWS.to_frame())) for kind, each in rows.items()}


def _read_files(source: FileSource) -> dict[str, tuple[str, Parsed]]:
    """Kind → path and content, of those that are named."""
    parts = {}
    if source.readings is not None:
        parts["readings"] = source.readings, read_readings(source.readings, file_format=source.readings_format)
    if source.weather is not None:
        parts["weather"] = source.weather, read_weather(source.weather, weather_format=source.weather_format)
    if source.holidays is not None:
        parts["holidays"] = source.holidays, read_holidays(source.holidays)
    return parts


def _usable(parsed: Parsed, *, kind: str, path: str, source: str, now: datetime) -> Batch:
    """What was read of one kind, in range.

    Raises:
        GridcastError: that is not a single row.
    """
    rows: dict[str, Any] = {kind: parsed.rows}
    batch = in_range(Batch.of(position="", dead=parsed.dead, **rows), source=source, now=now)
    if getattr(batch, kind).is_empty():
        reasons = ", ".join(f"{reason}: {number}" for reason, number in by_reason(batch.dead).items())
        raise GridcastError(
            f"{path}: none of {batch.dead.height} rows could be used ({reasons}); expected {kind} like "
            f"{_EXAMPLES[kind]}. Nothing was changed; mend the file or its format in config/pipeline_config.yaml."
        )
    return batch


def _joined(batch: Batch, part: Batch, *, kind: str) -> Batch:
    rows = {kind: getattr(part, kind)}
    return batch._replace(dead=pl.concat([batch.dead, part.dead]), **rows)


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
    """The batch with readings and weather before `EARLIEST` or beyond `LATEST_AFTER` among its dead rows."""
    readings, absurd_readings = _split(batch.readings, source=source, latest=now + LATEST_AFTER["readings"])
    weather, absurd_weather = _split(batch.weather, source=source, latest=now + LATEST_AFTER["weather"])
    return batch._replace(
        readings=readings, weather=weather, dead=pl.concat([batch.dead, absurd_readings, absurd_weather])
    )


def _split(rows: pl.DataFrame, *, source: str, latest: datetime) -> tuple[pl.DataFrame, pl.DataFrame]:
    """READINGS or WEATHER with valid times from `EARLIEST` to `latest`; the others as DEAD_ROWS."""
    is_possible = pl.col("valid_time").is_between(EARLIEST, latest)
    name, time, value = rows.columns[:3]
    absurd = rows.filter(~is_possible).select(
        pl.lit(source).alias("source"),
        pl.lit(None, dtype=pl.Int64).alias("row"),
        pl.lit("time_out_of_range").alias("reason"),
        pl.concat_str(name, pl.col(time).cast(pl.String), value, separator=",").alias("raw"),
    )
    return rows.filter(is_possible), absurd.cast(DEAD_ROWS)


def by_reason(dead: pl.DataFrame) -> dict[str, int]:
    """Reason → rows, of DEAD_ROWS."""
    return dict(dead.group_by("reason").len().sort("reason").iter_rows())
