"""The user's own readings, weather and holidays from CSV and Parquet files."""

import difflib
import glob
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import HOLIDAYS
from gridcast.ingestion.parquet import read_table
from gridcast.ingestion.tabular.columns import DEAD_ROWS, Parsed, Table, dead_rows, parse_columns
from gridcast.ingestion.tabular.csv_rows import printable
from gridcast.ingestion.tabular.csv_text import read_csv
from gridcast.ingestion.tabular.file_content import read_content
from gridcast.ingestion.tabular.formats import (
    FileFormat,
    Layout,
    TextFormat,
    WeatherFormat,
    readings_layout,
    weather_layout,
)

ENDINGS: Final = (".csv", ".csv.gz", ".csv.zst", ".parquet")
_NAMES_SHOWN: Final = 20


class _File(NamedTuple):
    """A file and what stands in it."""

    path: Path
    table: Table


def read_readings(path: str | Path, *, file_format: FileFormat) -> Parsed:
    """READINGS of every row that can be read, and DEAD_ROWS of every row that cannot.

    `path` is a file, a folder (with everything below it) or a pattern. A negative load is a reading: quality judges it.
    Among several files, one without a row is dead; alone it is refused.

    Raises:
        GridcastError: nothing is there, a file is empty or damaged, a column is missing, or times have no zone.
    """
    return _read_columns(path, layout=readings_layout(file_format))


def read_weather(path: str | Path, *, weather_format: WeatherFormat) -> Parsed:
    """WEATHER of every row that can be read, and DEAD_ROWS of every row that cannot; see read_readings."""
    return _read_columns(path, layout=weather_layout(weather_format))


def read_holidays(path: str | Path) -> Parsed:
    """HOLIDAYS from columns `date` (2024-12-25) and `name`, and DEAD_ROWS of rows without a date.

    Raises:
        GridcastError: see read_readings.
    """
    parsed = _read(path, text=TextFormat(), schema=HOLIDAYS, parse=_parse_holidays)
    return Parsed(parsed.rows.unique(maintain_order=True).sort("date", maintain_order=True), parsed.dead)


def name_and_ending(name: str) -> tuple[str, str]:
    """The name of a file of readings in two parts: meters, .csv.gz."""
    ending = next((each for each in ENDINGS if name.casefold().endswith(each)), Path(name).suffix)
    return name[: len(name) - len(ending)], name[len(name) - len(ending) :]


def _read_columns(path: str | Path, *, layout: Layout) -> Parsed:
    def parse(file: _File) -> Parsed:
        _require_columns(file, columns=layout.columns, remedy="Name the columns of your file in the file format.")
        name = printable(file.path.name)
        stem, _ = name_and_ending(name)
        return parse_columns(file.table.rows, layout=layout, source=name, stem=stem)

    return _read(path, text=layout.text, schema=layout.schema, parse=parse)


def _parse_holidays(file: _File) -> Parsed:
    _require_columns(file, columns=["date", "name"], remedy="Holidays need the columns date and name.")
    rows = file.table.rows
    written = pl.col("date").cast(pl.String).str.strip_chars().str.slice(0, 10)
    dates = rows.select(written.str.to_date("%Y-%m-%d", strict=False)).to_series()
    is_dead = dates.is_null()
    named = rows.select(dates, pl.col("name").cast(pl.String).fill_null("")).filter(~is_dead)
    bad = rows.filter(is_dead)
    reasons = pl.repeat("unparsable_date", bad.height, dtype=pl.String, eager=True)
    return Parsed(named.cast(HOLIDAYS), dead_rows(bad, reasons, source=printable(file.path.name)))


def _read(path: str | Path, *, text: TextFormat, schema: pl.Schema, parse: Callable[[_File], Parsed]) -> Parsed:
    found = _find(Path(path))
    rows, dead = [], []
    for file in found:
        table = _open(file, text=text)
        parsed = None if table is None else parse(_File(file, table))
        if table is None or parsed is None or table.rows.height + table.dead.height == 0:
            if len(found) == 1:
                raise GridcastError(
                    f"{file}: the file is empty; expected a header and at least one row. Remove it or export it again."
                )
            dead.append(pl.DataFrame([(printable(file.name), None, "empty_file", "")], schema=DEAD_ROWS, orient="row"))
            continue
        rows.append(parsed.rows)
        dead.append(pl.concat([table.dead, parsed.dead]).sort("row", maintain_order=True))
    return Parsed(pl.concat([schema.to_frame(), *rows]), pl.concat(dead))


def _open(file: Path, *, text: TextFormat) -> Table | None:
    if file.suffix.casefold() == ".parquet":
        return read_table(file)
    return read_csv(read_content(file), file=file, text=text)


def _find(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    inside = path.rglob("*") if path.is_dir() else map(Path, glob.iglob(str(path), recursive=True))  # noqa: PTH207
    found = sorted(each for each in inside if each.is_file() and each.name.casefold().endswith(ENDINGS))
    if found:
        return found
    if path.is_dir():
        raise GridcastError(
            f"{path}: the folder has no {' or '.join(ENDINGS)} file; give the folder your readings lie in."
        )
    siblings = [each.name for each in path.parent.glob("*")]
    raise GridcastError(
        f"{path}: there is no such file; expected a file, a folder or a pattern.{_suggestion(path.name, siblings)} "
        "Name it in config/pipeline_config.yaml or on the command line."
    )


def _require_columns(file: _File, *, columns: Sequence[str], remedy: str) -> None:
    header = file.table.header
    for name in columns:
        if name not in header:
            raise GridcastError(
                f"{file.path}: there is no column {name!r}; the file has {_shown(header)}.{_suggestion(name, header)} "
                f"{remedy}"
            )
        if header.count(name) > 1:
            raise GridcastError(
                f"{file.path}: {header.count(name)} columns are called {name!r}; expected one. Rename the others."
            )


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN:,} more" if len(names) > _NAMES_SHOWN else ""
    return f"{[name[:100] for name in names[:_NAMES_SHOWN]]}{more}"


def _suggestion(name: str, known: Sequence[str]) -> str:
    folded = {each[:100].casefold(): each for each in known[:1000]}
    close = difflib.get_close_matches(name.casefold(), list(folded), n=1)
    return f" Did you mean {folded[close[0]]!r}?" if close else ""
