"""The raw folder: readings, weather and holidays as received, one Parquet file per month (UTC) and source.

Layout: readings/month=YYYY-MM/<source>.parquet, weather/month=YYYY-MM/<source>.parquet, holidays.parquet,
dead_letter/<source>.csv.
"""

import hashlib
import re
from collections.abc import Container
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from gridcast.domain.errors import UsageError
from gridcast.domain.tables import HOLIDAYS, READINGS, WEATHER
from gridcast.ingestion.atomic import write_files
from gridcast.ingestion.parquet import parquet_read, to_parquet

_READINGS: Final = "readings"
_WEATHER: Final = "weather"
_HOLIDAYS: Final = "holidays.parquet"
_REMEDY: Final = 'run "gridcast ingest" again'
_SOURCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Written(NamedTuple):
    """Rows and months (YYYY-MM, UTC) a source now holds, and the SHA-256 of its files."""

    rows: int
    months: tuple[str, ...]
    sha256: str


def write_source(
    directory: Path,
    *,
    source: str,
    readings: pl.DataFrame,
    weather: pl.DataFrame,
    holidays: pl.DataFrame,
    dead: pl.DataFrame,
) -> Path | None:
    """Replace all that `source` had, its dead letters too, and the holidays: everything or nothing.

    Returns:
        The dead-letter file, if there are dead rows.

    Raises:
        GridcastError: the disk is full; nothing was changed.
        UsageError: the source's name cannot be a file name.
    """
    name, letter = f"{_checked(source)}.parquet", _dead_letter(directory, source)
    months = {
        directory / _READINGS: _by_month(readings.select(READINGS.names()).cast(READINGS)),
        directory / _WEATHER: _by_month(weather.select(WEATHER.names()).cast(WEATHER)),
    }
    files = {folder / month / name: content for folder, each in months.items() for month, content in each.items()}
    files[directory / _HOLIDAYS] = _holidays_file(holidays)
    if dead.height:
        files[letter] = dead.write_csv().encode()
    write_files(files, scratch=_scratch(directory, f"all-{source}"))
    for folder, each in months.items():
        _drop_other_months(folder, name=name, kept=each)
    if dead.height:
        return letter
    letter.unlink(missing_ok=True)
    return None


def write_readings(readings: pl.DataFrame, *, directory: Path, source: str) -> Written:
    """Replace everything `source` had among the raw readings (READINGS, order kept); other sources stay.

    Raises:
        GridcastError: the disk is full; nothing is half-written.
        UsageError: the source's name cannot be a file name.
    """
    return _write_months(
        readings.select(READINGS.names()).cast(READINGS), directory=directory, kind=_READINGS, source=source
    )


def write_weather(weather: pl.DataFrame, *, directory: Path, source: str) -> Written:
    """Replace everything `source` had among the raw weather (WEATHER); see write_readings."""
    return _write_months(
        weather.select(WEATHER.names()).cast(WEATHER), directory=directory, kind=_WEATHER, source=source
    )


def write_holidays(holidays: pl.DataFrame, *, directory: Path) -> Written:
    """Replace the holidays (HOLIDAYS).

    Raises:
        GridcastError: the disk is full; nothing is half-written.
    """
    content = _holidays_file(holidays)
    write_files({directory / _HOLIDAYS: content}, scratch=_scratch(directory, "holidays"))
    return Written(holidays.height, (), hashlib.sha256(content).hexdigest())


def write_dead_rows(dead: pl.DataFrame, *, directory: Path, source: str) -> Path | None:
    """Replace the dead-letter file of `source` by these rows, whatever their columns; no rows, no file.

    Raises:
        GridcastError: the disk is full; nothing is half-written.
    """
    path = _dead_letter(directory, _checked(source))
    if dead.is_empty():
        path.unlink(missing_ok=True)
        return None
    write_files({path: dead.write_csv().encode()}, scratch=_scratch(directory, f"dead-{source}"))
    return path


def read_readings(directory: Path, *, start: datetime | None = None, end: datetime | None = None) -> pl.DataFrame:
    """Raw READINGS with start ≤ valid time < end, month by month, sources by name; only those months are opened."""
    return _read_months(directory / _READINGS, schema=READINGS, start=start, end=end)


def read_weather(directory: Path, *, start: datetime | None = None, end: datetime | None = None) -> pl.DataFrame:
    """Raw WEATHER with start ≤ valid time < end; see read_readings."""
    return _read_months(directory / _WEATHER, schema=WEATHER, start=start, end=end)


def read_holidays(directory: Path) -> pl.DataFrame:
    """HOLIDAYS, without rows when none were ingested."""
    path = directory / _HOLIDAYS
    with parquet_read([path], remedy=_REMEDY):
        return pl.read_parquet(path) if path.exists() else HOLIDAYS.to_frame()


def sources(directory: Path) -> set[str]:
    """Names of the sources whose readings lie in the folder."""
    return {path.stem for path in _files(directory / _READINGS)}


def first_readings(directory: Path) -> dict[str, datetime]:
    """Time of each series' first raw reading."""
    files = _files(directory / _READINGS)
    if not files:
        return {}
    with parquet_read(files, remedy=_REMEDY):
        firsts = pl.scan_parquet(files).group_by("series_id").agg(pl.col("valid_time").min()).collect()
    return dict(firsts.sort("series_id").iter_rows())


def last_reading(directory: Path) -> datetime | None:
    """Time of the newest raw reading of any series."""
    files = _files(directory / _READINGS)
    if not files:
        return None
    with parquet_read(files, remedy=_REMEDY):
        newest: datetime | None = pl.scan_parquet(files).select(pl.col("valid_time").max()).collect().item()
    return newest


def data_hash(directory: Path) -> str:
    """SHA-256 over names and contents of all readings, weather and holidays; equal for equal data, wherever it lies."""
    files = [*_files(directory / _READINGS), *_files(directory / _WEATHER), *directory.glob(_HOLIDAYS)]
    return _sha256({path.relative_to(directory).as_posix(): path.read_bytes() for path in files})


def _write_months(frame: pl.DataFrame, *, directory: Path, kind: str, source: str) -> Written:
    name = f"{_checked(source)}.parquet"
    contents = _by_month(frame)
    write_files(
        {directory / kind / month / name: content for month, content in contents.items()},
        scratch=_scratch(directory, f"{kind}-{source}"),
    )
    _drop_other_months(directory / kind, name=name, kept=contents)
    return Written(frame.height, tuple(month.removeprefix("month=") for month in contents), _sha256(contents))


def _by_month(frame: pl.DataFrame) -> dict[str, bytes]:
    """Folder name to file content, rows by series or station and time."""
    labelled = frame.sort(frame.columns[0], "valid_time", maintain_order=True).with_columns(
        _month("valid_time").alias("month")
    )
    months = labelled.partition_by("month", as_dict=True, include_key=False)
    return {f"month={month}": to_parquet(part) for (month,), part in sorted(months.items())}


def _drop_other_months(folder: Path, *, name: str, kept: Container[str]) -> None:
    for path in _files(folder):
        if path.name == name and path.parent.name not in kept:
            path.unlink()


def _holidays_file(holidays: pl.DataFrame) -> bytes:
    return to_parquet(holidays.select(HOLIDAYS.names()).cast(HOLIDAYS).sort("date", maintain_order=True))


def _read_months(folder: Path, *, schema: pl.Schema, start: datetime | None, end: datetime | None) -> pl.DataFrame:
    first, last = (None if time is None else f"month={pl.select(_month(pl.lit(time))).item()}" for time in (start, end))
    files = [
        path
        for path in _files(folder)
        if (first is None or path.parent.name >= first) and (last is None or path.parent.name <= last)
    ]
    if not files:
        return schema.to_frame()
    rows = pl.concat([pl.scan_parquet(path) for path in files])
    rows = rows if start is None else rows.filter(pl.col("valid_time") >= start)
    with parquet_read(files, remedy=_REMEDY):
        return (rows if end is None else rows.filter(pl.col("valid_time") < end)).collect()


def _month(time: str | pl.Expr) -> pl.Expr:
    column = pl.col(time) if isinstance(time, str) else time
    return column.dt.convert_time_zone("UTC").dt.strftime("%Y-%m")


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("month=*/*.parquet"))


def _sha256(contents: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()


def _dead_letter(directory: Path, source: str) -> Path:
    return directory / "dead_letter" / f"{source}.csv"


def _scratch(directory: Path, name: str) -> Path:
    return directory / ".writing" / name


def _checked(source: str) -> str:
    if not _SOURCE.fullmatch(source):
        raise UsageError(f"source {source!r}: expected letters, digits, '.', '_' and '-' only, as it names files.")
    return source
