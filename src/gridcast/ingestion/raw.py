"""The raw folder: readings, weather and holidays as received.

Layout: readings/month=YYYY-MM/<source>.parquet of a source that is replaced as a whole, <source>-<batch>.parquet of one
that appends (months are UTC, batches count upwards over all sources); the same below weather/ and, without months,
holidays/; dead_letter/<source>.csv; positions/<source>.json with the newest batch that is kept: no later one counts;
locks/ with what processes hold while they read or write.
"""

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from gridcast.domain.tables import HOLIDAYS, READINGS, WEATHER
from gridcast.ingestion import raw_layout as layout
from gridcast.ingestion.atomic import disk_error, sync_folder, write_files
from gridcast.ingestion.locks import writing
from gridcast.ingestion.parquet import parquet_read, to_parquet
from gridcast.ingestion.source import Batch

_REMEDY: Final = 'run "gridcast ingest" again'


def write_source(
    directory: Path,
    *,
    source: str,
    readings: pl.DataFrame | None = None,
    weather: pl.DataFrame | None = None,
    holidays: pl.DataFrame | None = None,
    dead: pl.DataFrame | None = None,
) -> Path | None:
    """Replace all that `source` had, its dead letters too. None stands for no rows.

    The new files are written in full first, then renamed one after another, and the old ones are removed last: a call
    that is killed in between leaves files of both until the next one.

    Returns:
        The dead-letter file, if there are dead rows.

    Raises:
        GridcastError: the disk is full; as a rule nothing was changed.
        UsageError: the source's name cannot be a file name.
    """
    batch = Batch.of(position="", readings=readings, weather=weather, holidays=holidays, dead=dead)
    files = _files_of_batch(directory, batch, source=source, number=0)
    position = layout.position_path(directory, source=source)
    with writing(directory):
        write_files(files, scratch=layout.scratch(directory, source=source))
        position.unlink(missing_ok=True)
        _remove(path for path in layout.files_of(directory, source=source) if path not in files)
    return _letter(files, directory, source=source, number=0)


def append_batch(directory: Path, *, source: str, batch: Batch) -> Path | None:
    """Add a batch to what `source` has; it counts as a whole once its position is written, or not at all.

    What an interrupted call left behind is removed by the next one of the same source; calls of other processes wait.

    Returns:
        The dead-letter file, if there are dead rows.

    Raises:
        GridcastError: the disk is full; nothing was changed.
        UsageError: the source's name cannot be a file name.
    """
    position, scratch = layout.position_path(directory, source=source), layout.scratch(directory, source=source)
    with writing(directory):
        kept = layout.newest_kept(directory)
        number = 1 + max((each.batch for each in kept.values()), default=0)
        newest = kept[source].batch if source in kept else 0
        files = _files_of_batch(directory, batch, source=source, number=number)
        with _unfinished(directory, source=source) as was_cut_off:
            if was_cut_off:
                old = layout.files_of(directory, source=source)
                _remove(path for path in old if layout.is_newer(path, than=newest))
            write_files(files, scratch=scratch)
            write_files({position: layout.position_text(layout.Kept(number, batch.position))}, scratch=scratch)
    return _letter(files, directory, source=source, number=number)


def position_of(directory: Path, source: str) -> str | None:
    """Where `source` goes on after its newest kept batch; None before its first."""
    kept = layout.newest_kept(directory).get(source)
    return None if kept is None else kept.position


def read_readings(
    directory: Path,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    series: tuple[str, str] | None = None,
) -> pl.DataFrame:
    """Raw READINGS with start ≤ valid time < end, month by month, in order of arrival; only those months are opened.

    `series`: only ids from the first of the two to the second, in alphabetical order.
    """
    wanted = None if series is None else pl.col("series_id").is_between(pl.lit(series[0]), pl.lit(series[1]))
    return _read_months(directory, layout.READINGS, schema=READINGS, start=start, end=end, wanted=wanted)


def read_weather(directory: Path, *, start: datetime | None = None, end: datetime | None = None) -> pl.DataFrame:
    """Raw WEATHER with start ≤ valid time < end; see read_readings."""
    return _read_months(directory, layout.WEATHER, schema=WEATHER, start=start, end=end)


def read_holidays(directory: Path) -> pl.DataFrame:
    """HOLIDAYS of all sources by date, without rows when none were ingested."""
    files = layout.holiday_files(directory)
    with parquet_read(files, remedy=_REMEDY):
        parts = [pl.read_parquet(path) for path in files]
    return pl.concat([HOLIDAYS.to_frame(), *parts]).unique(maintain_order=True).sort("date", maintain_order=True)


def sources(directory: Path) -> set[str]:
    """Names of the sources whose readings or weather lie in the folder."""
    return {
        layout.owner(path) for kind in (layout.READINGS, layout.WEATHER) for path in layout.month_files(directory, kind)
    }


def first_readings(directory: Path) -> dict[str, datetime]:
    """Time of each series' first raw reading."""
    return _per_series(directory, pl.col("valid_time").min())


def reading_counts(directory: Path) -> dict[str, int]:
    """How many raw readings each series has, series in alphabetical order."""
    return _per_series(directory, pl.len())


def last_reading(directory: Path) -> datetime | None:
    """Time of the newest raw reading of any series."""
    files = layout.month_files(directory, layout.READINGS)
    if not files:
        return None
    with parquet_read(files, remedy=_REMEDY):
        newest: datetime | None = _scan(files).select(pl.col("valid_time").max()).collect().item()
    return newest


def data_hash(directory: Path) -> str:
    """SHA-256 over names and contents of all readings, weather and holidays; equal for equal data, wherever it lies."""
    kinds = [path for kind in (layout.READINGS, layout.WEATHER) for path in layout.month_files(directory, kind)]
    digest = hashlib.sha256()
    for path in sorted([*kinds, *layout.holiday_files(directory)]):
        digest.update(path.relative_to(directory).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _files_of_batch(directory: Path, batch: Batch, *, source: str, number: int) -> dict[Path, bytes]:
    name = f"{layout.stem(source, batch=number)}.parquet"
    months = {
        layout.READINGS: _by_month(batch.readings.select(READINGS.names()).cast(READINGS)),
        layout.WEATHER: _by_month(batch.weather.select(WEATHER.names()).cast(WEATHER)),
    }
    files = {directory / kind / month / name: data for kind, each in months.items() for month, data in each.items()}
    if batch.holidays.height:
        rows = batch.holidays.select(HOLIDAYS.names()).cast(HOLIDAYS).sort("date", maintain_order=True)
        files[directory / layout.HOLIDAYS / name] = to_parquet(rows)
    if batch.dead.height:
        files[layout.dead_letter(directory, source=source, batch=number)] = batch.dead.write_csv().encode()
    return files


@contextlib.contextmanager
def _unfinished(directory: Path, *, source: str) -> Iterator[bool]:
    """Whether the last block of this kind was cut off; a mark on disk tells the next one."""
    mark = layout.scratch(directory, source=f"{source}.unfinished")
    was_cut_off = mark.exists()
    try:
        mark.mkdir(parents=True, exist_ok=True)
        sync_folder(mark.parent)
    except OSError as error:
        raise disk_error(error, mark) from error
    yield was_cut_off
    with contextlib.suppress(OSError):
        mark.rmdir()
        mark.parent.rmdir()


def _letter(files: Mapping[Path, bytes], directory: Path, *, source: str, number: int) -> Path | None:
    path = layout.dead_letter(directory, source=source, batch=number)
    return path if path in files else None


def _by_month(frame: pl.DataFrame) -> dict[str, bytes]:
    """Folder name to file content, rows by series or station and time."""
    labelled = frame.sort(frame.columns[0], "valid_time", maintain_order=True).with_columns(
        _month(pl.col("valid_time")).alias("month")
    )
    months = labelled.partition_by("month", as_dict=True, include_key=False)
    return {f"month={month}": to_parquet(part) for (month,), part in sorted(months.items())}


def _read_months(
    directory: Path,
    kind: str,
    *,
    schema: pl.Schema,
    start: datetime | None,
    end: datetime | None,
    wanted: pl.Expr | None = None,
) -> pl.DataFrame:
    first, last = (None if time is None else f"month={pl.select(_month(pl.lit(time))).item()}" for time in (start, end))
    files = [
        path
        for path in layout.month_files(directory, kind)
        if (first is None or path.parent.name >= first) and (last is None or path.parent.name <= last)
    ]
    if not files:
        return schema.to_frame()
    rows = _scan(files)
    rows = rows if wanted is None else rows.filter(wanted)
    rows = rows if start is None else rows.filter(pl.col("valid_time") >= start)
    with parquet_read(files, remedy=_REMEDY):
        return (rows if end is None else rows.filter(pl.col("valid_time") < end)).collect()


def _per_series(directory: Path, figure: pl.Expr) -> dict[str, Any]:
    files = layout.month_files(directory, layout.READINGS)
    if not files:
        return {}
    with parquet_read(files, remedy=_REMEDY):
        figures = _scan(files).group_by("series_id").agg(figure).collect()
    return dict(figures.sort("series_id").iter_rows())


def _scan(files: list[Path]) -> pl.LazyFrame:
    return pl.scan_parquet(files, hive_partitioning=False)


def _month(time: pl.Expr) -> pl.Expr:
    return time.dt.convert_time_zone("UTC").dt.strftime("%Y-%m")


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
