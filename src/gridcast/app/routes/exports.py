"""Whole tables for other tools: CSV, Parquet, Arrow and Excel."""

import enum
import io
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Final, NamedTuple

import polars as pl
from fastapi import APIRouter, Query, Response

from gridcast.app.errors import TooLargeError
from gridcast.app.parameters import Moment, require_span
from gridcast.app.service import Here
from gridcast.store import exports
from gridcast.store.as_of import FAR_FUTURE

router = APIRouter(prefix="/v1/export", tags=["export"])

_LONGEST: Final = timedelta(days=3_660)
_DEFAULT: Final = timedelta(days=7)
_MOST_ROWS: Final = 250_000


class Table(enum.StrEnum):
    """What can be exported."""

    READINGS = "readings"
    FORECASTS = "forecasts"
    SCORES = "scores"
    EVENTS = "events"
    OVERRIDES = "overrides"
    WEATHER = "weather"


class FileFormat(enum.StrEnum):
    """As what."""

    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"
    XLSX = "xlsx"


class _Written(NamedTuple):
    media_type: str
    write: Callable[[pl.DataFrame], bytes]


def _csv(frame: pl.DataFrame) -> bytes:
    return frame.write_csv(datetime_format="%Y-%m-%dT%H:%M:%S%.fZ").encode()


def _parquet(frame: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    frame.write_parquet(content)
    return content.getvalue()


def _arrow(frame: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    frame.write_ipc_stream(content, compat_level=pl.CompatLevel.oldest())
    return content.getvalue()


def _xlsx(frame: pl.DataFrame) -> bytes:
    """Excel knows no time zones: times are UTC, as their column names say."""
    times = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
    plain = frame.with_columns(pl.col(each).dt.replace_time_zone(None) for each in times)
    content = io.BytesIO()
    plain.rename({each: f"{each} (UTC)" for each in times}).write_excel(content, worksheet="gridcast", autofit=True)
    return content.getvalue()


_FORMATS: Final[Mapping[FileFormat, _Written]] = {
    FileFormat.CSV: _Written("text/csv; charset=utf-8", _csv),
    FileFormat.PARQUET: _Written("application/vnd.apache.parquet", _parquet),
    FileFormat.ARROW: _Written("application/vnd.apache.arrow.stream", _arrow),
    FileFormat.XLSX: _Written("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", _xlsx),
}
_MOST_IN_EXCEL: Final = 100_000


@router.get(
    "/{table}",
    response_class=Response,
    responses={
        200: {
            "description": "A file.",
            "content": {
                each.media_type.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}}
                for each in _FORMATS.values()
            },
        }
    },
)
def export(
    here: Here,
    table: Table,
    format: Annotated[FileFormat, Query(description="Kind of file.")] = FileFormat.CSV,  # noqa: A002 - its public name
    start: Annotated[
        Moment | None, Query(description="First valid, issue or event time. [default: 7 days before the end]")
    ] = None,
    end: Annotated[Moment | None, Query(description="The first behind. [default: behind the newest]")] = None,
    series_id: Annotated[str | None, Query(max_length=200, description="Only this series.")] = None,
    as_of: Annotated[Moment | None, Query(description="As it was known then.")] = None,
) -> Response:
    """A table as a file: readings and weather by valid time, forecasts and scores by issue time, events by their time.

    Weather is every vintage of every station: what was forecast when, and what was observed.

    At most 250,000 rows, in Excel 100,000; ask for a shorter time or one series if there are more.
    """
    if series_id is not None:
        here.series(series_id)
    start, end = here.span(start, end, length=_DEFAULT, until=_until(here, table))
    require_span(start, end, longest=_LONGEST)
    most = _MOST_IN_EXCEL if format is FileFormat.XLSX else _MOST_ROWS
    known_at = as_of or FAR_FUTURE
    if table is Table.WEATHER:
        rows = _vintages(here, start, end, known_at).head(most + 1)
    else:
        with here.store.transaction() as connection:
            rows = exports.rows(
                connection, table.value, start=start, end=end, series_id=series_id, as_of=known_at, limit=most + 1
            )
    if rows.height > most:
        raise TooLargeError(f"more than {most:,} rows; expected at most so many. Ask for a shorter time or one series.")
    written = _FORMATS[format]
    name = f"{table.value}_{start:%Y%m%dT%H%M}_{end:%Y%m%dT%H%M}.{format.value}"
    return Response(
        written.write(rows),
        media_type=written.media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _vintages(here: Here, start: datetime, end: datetime, known_at: datetime) -> pl.DataFrame:
    found = here.processed().weather(start=start, end=end).filter(pl.col("available_at") <= known_at)
    return found.sort("station_id", "valid_time", "available_at")


def _until(here: Here, table: Table) -> datetime:
    newest = {
        Table.READINGS: here.newest_reading,
        Table.WEATHER: here.newest_reading,
        Table.FORECASTS: here.store.newest_issue_time,
        Table.SCORES: here.store.newest_issue_time,
    }.get(table, lambda: None)()
    return (newest or here.clock()) + timedelta(microseconds=1)
