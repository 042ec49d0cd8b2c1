"""Messages turned into readings: many are read as one block of columns, and a malformed one costs only itself."""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import polars as pl

from gridcast.domain.errors import UsageError
from gridcast.domain.tables import READINGS, UTC_TIME
from gridcast.ingestion.connectors.message_decoding import (
    AvroSchema,
    Broken,
    Records,
    arrow_columns,
    avro_records,
    json_records,
)
from gridcast.ingestion.tabular.columns import DEAD_ROWS, ROW, Parsed, dead_rows, parse_columns
from gridcast.ingestion.tabular.csv_rows import printable
from gridcast.ingestion.tabular.formats import FileFormat, Layout, readings_layout
from gridcast.ingestion.tabular.timestamps import FURTHEST, WITHOUT_OFFSET, NoTimeZoneError

Encoding: TypeAlias = Literal["json", "avro", "arrow"]
TimeUnit: TypeAlias = Literal["s", "ms", "us"]

_SERIES, _TIME, _LOAD, _RECEIVED = "series_id", "valid_time", "load", "received"
_MESSAGE, _NUMBER = "message", "number"
_MORE_THAN_KEPT: Final = 8_000
"""Bytes of a message that its dead letter is cut from."""
_UNITS: Final = {"s": timedelta(seconds=1), "ms": timedelta(milliseconds=1), "us": timedelta(microseconds=1)}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Message(NamedTuple):
    """Bytes as they came; `name`: the series, where the format has no column for it; `place`: for the dead letter."""

    content: bytes
    name: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadFormat:
    """How readings are written in a message.

    JSON is an object, an array of objects, or JSON lines; Avro a container file or one datum in `schema` (bare,
    single-object, or behind a Confluent header); Arrow an IPC stream. Columns, unit and clock are those of
    `readings_format`; without a column for the series the message names it. `time_unit`: of times that are numbers.

    Raises:
        UsageError: the size is not positive.
    """

    readings_format: FileFormat
    encoding: Encoding = "json"
    schema: AvroSchema | None = None
    time_unit: TimeUnit | None = None
    max_bytes: int = 1_000_000

    def __post_init__(self) -> None:
        if self.max_bytes < 1:
            raise UsageError(f"payload: max_bytes is {self.max_bytes}; expected at least 1.")


def read_messages(messages: Sequence[Message], *, payload: PayloadFormat) -> Parsed:
    """READINGS of every row that can be read, in order of arrival, and DEAD_ROWS of every row that cannot.

    A dead row names the message's place and its row in the message (null: the whole message).
    """
    tables, broken = _decode(messages, payload=payload)
    layout = _canonical(payload.readings_format)
    parts = [
        _parse(pl.concat(run), messages=messages, layout=layout)
        for _, run in itertools.groupby(tables, key=lambda table: table.schema)
    ]
    dead = [part.dead for part in parts]
    return Parsed(
        pl.concat([READINGS.to_frame(), *(part.rows for part in parts)]),
        pl.concat([_letters(broken, messages), *dead]),
    )


def _decode(
    messages: Sequence[Message], *, payload: PayloadFormat
) -> tuple[list[pl.DataFrame], list[tuple[int, Broken]]]:
    """Rows of all messages in canonical columns, and what was no row."""
    names = set(_columns(payload.readings_format).values())
    broken: list[tuple[int, Broken]] = []
    records: list[tuple[int, Records]] = []
    tables: list[pl.DataFrame] = []
    for index, message in enumerate(messages):
        reason = _refused(message, payload=payload)
        if reason is not None:
            broken.append((index, Broken(None, reason, message.content)))
        elif payload.encoding == "arrow":
            table = arrow_columns(message.content, names=names)
            if isinstance(table, Broken):
                broken.append((index, table))
            else:
                tables.append(_from_table(table, index=index, name=message.name, payload=payload))
        else:
            is_json = payload.encoding == "json"
            found = json_records(message.content) if is_json else avro_records(message.content, schema=payload.schema)
            records.append((index, found))
            broken += ((index, each) for each in found.broken)
    return [*tables, *_from_records(records, messages=messages, payload=payload)], broken


def _refused(message: Message, *, payload: PayloadFormat) -> str | None:
    if not message.content:
        return "empty_message"
    return "message_too_large" if len(message.content) > payload.max_bytes else None


def _from_records(
    records: Iterable[tuple[int, Records]], *, messages: Sequence[Message], payload: PayloadFormat
) -> Iterator[pl.DataFrame]:
    rows = [(index, number, fields) for index, found in records for number, fields in found.rows]
    if not rows:
        return
    columns = _columns(payload.readings_format)
    values: dict[str, list[Any]] = {_SERIES: [messages[index].name for index, _, _ in rows]}
    values |= {role: [fields.get(column) for _, _, fields in rows] for role, column in columns.items()}
    yield pl.DataFrame(
        [
            pl.Series(_MESSAGE, [index for index, _, _ in rows], pl.Int64()),
            pl.Series(_NUMBER, [number for _, number, _ in rows], pl.Int64()),
            *(_column(role, each, payload=payload) for role, each in values.items()),
        ]
    )


def _from_table(table: Mapping[str, pl.Series], *, index: int, name: str, payload: PayloadFormat) -> pl.DataFrame:
    columns = _columns(payload.readings_format)
    height = max(map(len, table.values()), default=0)
    nothing = pl.repeat(None, height, dtype=pl.String(), eager=True)
    values = {_SERIES: pl.repeat(name, height, dtype=pl.String(), eager=True)}
    values |= {role: _typed(role, table.get(column, nothing), payload=payload) for role, column in columns.items()}
    return pl.DataFrame(
        [
            pl.repeat(index, height, dtype=pl.Int64(), eager=True).alias(_MESSAGE),
            pl.int_range(1, height + 1, dtype=pl.Int64(), eager=True).alias(_NUMBER),
            *(each.alias(role) for role, each in values.items()),
        ]
    )


def _columns(form: FileFormat) -> dict[str, str]:
    """Role → column, of the columns that a message has."""
    named = {_SERIES: form.series_id, _TIME: form.valid_time, _LOAD: form.load, _RECEIVED: form.received}
    return {role: column for role, column in named.items() if column is not None}


def _typed(role: str, given: pl.Series, *, payload: PayloadFormat) -> pl.Series:
    """A column of an Arrow table; what cannot be its role's value becomes text, and its rows dead letters later."""
    is_fit = given.dtype == pl.Float64 if role == _LOAD else isinstance(given.dtype, pl.Datetime) and role != _SERIES
    return given if is_fit or given.dtype == pl.String else _column(role, given.to_list(), payload=payload)


def _column(role: str, values: list[Any], *, payload: PayloadFormat) -> pl.Series:
    """Values of JSON or Avro fields as one column: numbers or times if all of them are, else text."""
    kinds = set(map(type, values)) - {type(None)}
    if role == _LOAD and kinds <= {int, float}:
        return pl.Series(role, [None if value is None else _float(value) for value in values], pl.Float64())
    if role in {_TIME, _RECEIVED}:
        return _times(role, values, kinds=kinds, unit=payload.time_unit)
    return pl.Series(role, [None if value is None else _storable(str(value)) for value in values], pl.String())


def _times(role: str, values: list[Any], *, kinds: set[type], unit: TimeUnit | None) -> pl.Series:
    if kinds and kinds <= {int, float} and unit is not None:
        counted = pl.Series(role, values, pl.Float64(), strict=False) * (_UNITS[unit] / _MICROSECOND)
        if counted.is_between(-FURTHEST, FURTHEST).all():
            return counted.round().cast(pl.Int64).cast(UTC_TIME)
    return pl.Series(role, [_written(value, unit=unit) for value in values], pl.String())


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _written(value: Any, *, unit: TimeUnit | None) -> str | None:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, int | float) and not isinstance(value, bool) and unit is not None:
        try:
            return (_EPOCH + value * _UNITS[unit]).isoformat()
        except (OverflowError, ValueError):
            return str(value)
    return None if value is None else _storable(str(value))


def _storable(text: str) -> str:
    """`text` with halves of surrogate pairs, which JSON can spell but no table can hold, spelled out."""
    return text if text.isascii() else text.encode("utf-8", errors="backslashreplace").decode()


def _canonical(form: FileFormat) -> Layout:
    """The layout of the block: its columns are called by their role."""
    received = None if form.received is None else _RECEIVED
    return dataclasses.replace(
        readings_layout(form), identity=_SERIES, valid_time=_TIME, value=_LOAD, received=received
    )


def _parse(block: pl.DataFrame, *, messages: Sequence[Message], layout: Layout) -> Parsed:
    table = block.drop(_MESSAGE, _NUMBER).with_row_index(ROW).with_columns(pl.col(ROW).cast(pl.Int64))
    try:
        rows, dead = parse_columns(table, layout=layout, source="messages", stem="")
    except NoTimeZoneError:
        reasons = pl.repeat(WITHOUT_OFFSET, table.height, dtype=pl.String(), eager=True)
        rows, dead = READINGS.to_frame(), dead_rows(table, reasons, source="messages")
    origins = block.select(_MESSAGE, _NUMBER)[dead["row"]]
    places = pl.Series("source", [messages[index].place for index in origins[_MESSAGE]], pl.String())
    return Parsed(rows, dead.with_columns(places, origins[_NUMBER].alias("row")))


def _letters(broken: Iterable[tuple[int, Broken]], messages: Sequence[Message]) -> pl.DataFrame:
    """DEAD_ROWS of what was no row."""
    return pl.DataFrame(
        [
            (
                messages[index].place,
                each.row,
                each.reason,
                printable(each.raw[:_MORE_THAN_KEPT].decode("utf-8", "surrogateescape")),
            )
            for index, each in broken
        ],
        schema=DEAD_ROWS,
        orient="row",
    )
