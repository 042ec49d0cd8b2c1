"""The user's own readings, weather and holidays from CSV and Parquet files."""

import csv
import difflib
import glob
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import HOLIDAYS
from gridcast.ingestion.columns import DEAD_ROWS, ROW, Parsed, dead_rows, parse_columns
from gridcast.ingestion.formats import FileFormat, Layout, WeatherFormat, readings_layout, weather_layout

_ENDINGS: Final = (".csv", ".parquet")


class _Table(NamedTuple):
    """A file's rows as they stand in it, numbered by ROW; `dead`: rows with the wrong number of fields."""

    path: Path
    rows: pl.DataFrame
    dead: pl.DataFrame


def read_readings(path: str | Path, *, file_format: FileFormat) -> Parsed:
    """READINGS of every row that can be read, and DEAD_ROWS of every row that cannot.

    `path` is a file, a folder (with everything below it) or a pattern. A negative load is a reading: quality judges it.

    Raises:
        GridcastError: nothing is there, a file is empty or damaged, a column is missing, or times have no zone.
    """
    return _read(path, layout=readings_layout(file_format))


def read_weather(path: str | Path, *, weather_format: WeatherFormat) -> Parsed:
    """WEATHER of every row that can be read, and DEAD_ROWS of every row that cannot; see read_readings."""
    return _read(path, layout=weather_layout(weather_format))


def read_holidays(path: str | Path) -> Parsed:
    """HOLIDAYS from columns `date` (2024-12-25) and `name`, and DEAD_ROWS of rows without a date.

    Raises:
        GridcastError: see read_readings.
    """
    parts = []
    for table in _tables(path, separator=","):
        _require_columns(table, columns=["date", "name"], remedy="Holidays need the columns date and name.")
        written = pl.col("date").cast(pl.String).str.strip_chars().str.slice(0, 10)
        dates = table.rows.select(written.str.to_date("%Y-%m-%d", strict=False)).to_series()
        is_dead = dates.is_null()
        named = table.rows.select(dates, pl.col("name").cast(pl.String).fill_null("")).filter(~is_dead)
        bad = table.rows.filter(is_dead)
        reasons = pl.repeat("unparsable_date", bad.height, dtype=pl.String, eager=True)
        parts.append(
            Parsed(named.cast(HOLIDAYS), pl.concat([table.dead, dead_rows(bad, reasons, source=table.path.name)]))
        )
    together = _together(parts)
    return Parsed(together.rows.unique(maintain_order=True).sort("date", maintain_order=True), together.dead)


def _read(path: str | Path, *, layout: Layout) -> Parsed:
    parts = []
    for table in _tables(path, separator=layout.text.separator):
        _require_columns(table, columns=layout.columns, remedy="Name the columns of your file in the file format.")
        parsed = parse_columns(table.rows, layout=layout, source=table.path.name, stem=table.path.stem)
        parts.append(Parsed(parsed.rows, pl.concat([table.dead, parsed.dead])))
    return _together(parts)


def _together(parts: list[Parsed]) -> Parsed:
    return Parsed(pl.concat([part.rows for part in parts]), pl.concat([part.dead for part in parts]))


def _tables(path: str | Path, *, separator: str) -> Iterator[_Table]:
    for file in _find(Path(path)):
        yield _open_parquet(file) if file.suffix == ".parquet" else _open_csv(file, separator=separator)


def _find(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    inside = path.rglob("*") if path.is_dir() else map(Path, glob.iglob(str(path), recursive=True))  # noqa: PTH207
    found = sorted(each for each in inside if each.is_file() and each.suffix in _ENDINGS)
    if found:
        return found
    if path.is_dir():
        raise GridcastError(
            f"{path}: the folder has no {' or '.join(_ENDINGS)} file; give the folder your readings lie in."
        )
    siblings = [each.name for each in path.parent.glob("*")]
    raise GridcastError(
        f"{path}: there is no such file; expected a file, a folder or a pattern.{_suggestion(path.name, siblings)} "
        "Name it in config/pipeline_config.yaml or on the command line."
    )


def _open_parquet(file: Path) -> _Table:
    try:
        rows = pl.read_parquet(file, hive_partitioning=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise GridcastError(f"{file}: not a whole Parquet file ({error}); copy or export it again.") from error
    return _numbered(file, rows, dead=DEAD_ROWS.to_frame())


def _open_csv(file: Path, *, separator: str) -> _Table:
    try:
        rows, dead = pl.read_csv(file, infer_schema=False, separator=separator), DEAD_ROWS.to_frame()
    except pl.exceptions.NoDataError as error:
        raise _empty(file) from error
    except pl.exceptions.PolarsError:
        return _open_ragged_csv(file, separator=separator)
    return _numbered(file, rows, dead=dead)


def _open_ragged_csv(file: Path, *, separator: str) -> _Table:
    """Row by row, for files the fast reader refuses: rows with too many fields are dead, the others are kept."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            header, *body = csv.reader(lines, delimiter=separator, strict=True)
    except UnicodeDecodeError as error:
        raise GridcastError(
            f"{file}: byte {error.start} is not UTF-8; save the file with the encoding UTF-8."
        ) from error
    except csv.Error as error:
        raise GridcastError(
            f"{file}: cannot be read as CSV ({error}); expected fields separated by {separator!r}."
        ) from error
    width = len(header)
    whole = [
        [number, *(field or None for field in row), *[None] * (width - len(row))]
        for number, row in enumerate(body, start=1)
        if 0 < len(row) <= width
    ]
    ragged = [
        (file.name, number, "too_many_fields", separator.join(row))
        for number, row in enumerate(body, start=1)
        if len(row) > width
    ]
    rows = pl.DataFrame(whole, schema={ROW: pl.Int64(), **dict.fromkeys(header, pl.String())}, orient="row")
    return _Table(file, rows, pl.DataFrame(ragged, schema=DEAD_ROWS, orient="row"))


def _numbered(file: Path, rows: pl.DataFrame, *, dead: pl.DataFrame) -> _Table:
    if rows.is_empty():
        raise _empty(file)
    numbered = rows.with_row_index(ROW, offset=1).with_columns(pl.col(ROW).cast(pl.Int64))
    return _Table(file, numbered.filter(pl.any_horizontal(pl.exclude(ROW).is_not_null())), dead)


def _empty(file: Path) -> GridcastError:
    return GridcastError(
        f"{file}: the file is empty; expected a header and at least one row. Remove it or export it again."
    )


def _require_columns(table: _Table, *, columns: list[str], remedy: str) -> None:
    present = [name for name in table.rows.columns if name != ROW]
    for name in columns:
        if name not in present:
            raise GridcastError(
                f"{table.path}: there is no column {name!r}; the file has {present}.{_suggestion(name, present)} "
                f"{remedy}"
            )


def _suggestion(name: str, known: list[str]) -> str:
    folded = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(name.casefold(), list(folded), n=1)
    return f" Did you mean {folded[close[0]]!r}?" if close else ""
