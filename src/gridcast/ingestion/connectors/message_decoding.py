"""Bytes of one message to records: JSON, Avro and Arrow. Whatever the bytes are, the answer is records or a reason."""

import io
import json
import re
import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import fastavro
import fastavro.schema
import polars as pl
import pyarrow as pa
from fastavro.schema import SchemaParseException, UnknownType

from gridcast.domain.errors import UsageError
from gridcast.ingestion.tabular.timestamps import FURTHEST

MAX_ROWS: Final = 100_000
"""Rows of one message."""

_PER_MICROSECOND: Final = {"s": 1e-6, "ms": 1e-3, "us": 1.0, "ns": 1e3}
_CONTAINER: Final = b"Obj\x01"
_SINGLE_OBJECT: Final = b"\xc3\x01"
_CONFLUENT: Final = b"\x00"
_HEADER, _DICTIONARY_DATA, _COMPRESSION = 2, 1, 3
"""Numbers of fields in Message, DictionaryBatch and RecordBatch of the Arrow IPC format."""
_UNBOUNDED: Final = {"array", "map"}


class Broken(NamedTuple):
    """A part of a message that could not be read: its row (None: the whole message), why, and its bytes."""

    row: int | None
    reason: str
    raw: bytes


class Records(NamedTuple):
    """`rows`: number in the message (from 1) and fields of each record; `broken`: what was no record."""

    rows: Sequence[tuple[int, Mapping[str, Any]]]
    broken: Sequence[Broken]


@dataclass(frozen=True, slots=True)
class AvroSchema:
    """A schema from a file, and the fingerprint that single-object messages name it by."""

    parsed: Any
    fingerprint: bytes

    @classmethod
    def load(cls, path: Path) -> "AvroSchema":
        """The schema in an .avsc file.

        Raises:
            UsageError: the file cannot be read or holds no Avro schema.
        """
        try:
            text = path.read_text(encoding="utf-8")
            parsed = fastavro.parse_schema(json.loads(text))
            canonical = fastavro.schema.to_parsing_canonical_form(parsed)
        except (OSError, ValueError, KeyError, TypeError, SchemaParseException, UnknownType) as error:
            raise UsageError(
                f"schema_file {path}: {error}; expected an Avro schema in JSON (.avsc) that gridcast may read."
            ) from error
        return cls(parsed, bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")))


def json_records(content: bytes) -> Records:
    """Records of an object, an array of objects, or JSON lines."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return _json_lines(content)
    return _records(value if isinstance(value, list) else [value], content=content)


def avro_records(content: bytes, *, schema: AvroSchema | None) -> Records:
    """Records of a container file, or of one datum in the schema: single-object, with a Confluent header, or bare."""
    try:
        value = _avro(content, schema=schema)
    except _UnreadableError as error:
        return Records([], [Broken(None, str(error), content)])
    except Exception:  # noqa: BLE001 - fastavro raises whatever the bytes lead it to
        return Records([], [Broken(None, "not_avro", content)])
    return _records(value if isinstance(value, list) else [value], content=content)


def arrow_columns(content: bytes, *, names: Collection[str]) -> dict[str, pl.Series] | Broken:
    """Those of the named columns that an Arrow IPC stream has: numbers, UTC times, local times, or text."""
    try:
        if _has_compressed_bodies(content):
            return Broken(None, "compressed_arrow", content)
        table = _arrow(content)
        table.validate(full=True)
        if table.num_rows > MAX_ROWS:
            return Broken(None, "too_many_rows", content)
        found = {name: _plain(table.column(name)).alias(name) for name in names if name in table.column_names}
    except (pa.ArrowException, OSError, ValueError, TypeError, OverflowError, KeyError, struct.error):
        return Broken(None, "not_arrow", content)
    return found if found or table.num_rows == 0 else Broken(None, "no_known_column", content)


def _arrow(content: bytes) -> Any:
    """The table in a stream, of which no more is read than tells that it has too many rows."""
    batches, rows = [], 0
    with pa.ipc.open_stream(content) as stream:
        for batch in stream:
            batches.append(batch)
            rows += batch.num_rows
            if rows > MAX_ROWS:
                break
        return pa.Table.from_batches(batches, schema=stream.schema)


def _has_compressed_bodies(content: bytes) -> bool:
    """Whether what an Arrow stream holds is packed, told from its metadata alone."""
    for message in pa.ipc.MessageReader.open_stream(content):
        metadata = message.metadata.to_pybytes()
        header = _part(metadata, struct.unpack_from("<I", metadata)[0], field=_HEADER)
        batch = _part(metadata, header, field=_DICTIONARY_DATA) if message.type == "dictionary" else header
        if message.type in {"dictionary", "record batch"} and _part(metadata, batch, field=_COMPRESSION) is not None:
            return True
    return False


def _part(metadata: bytes, table: int | None, *, field: int) -> int | None:
    """Where in a flatbuffer the table is that a field of another one refers to; None where the field is not set."""
    if table is None:
        return None
    fields = table - struct.unpack_from("<i", metadata, table)[0]
    at = 4 + 2 * field
    offset = (
        struct.unpack_from("<H", metadata, fields + at)[0] if at < struct.unpack_from("<H", metadata, fields)[0] else 0
    )
    return table + offset + struct.unpack_from("<I", metadata, table + offset)[0] if offset else None


def _plain(column: Any) -> pl.Series:
    """An Arrow column as numbers, UTC times, local times or text; a time that cannot be stored is null."""
    kind = column.type
    if pa.types.is_date(kind):
        return _plain(column.cast(pa.timestamp("ms")))
    if pa.types.is_timestamp(kind):
        counted = _series(column.cast(pa.int64()))
        per_unit = _PER_MICROSECOND[kind.unit]
        is_storable = (counted.cast(pl.Float64) / per_unit).is_between(-FURTHEST, FURTHEST)
        exact = counted.set(~is_storable, None)
        exact = exact // int(per_unit) if per_unit > 1 else exact * round(1 / per_unit)
        return exact.cast(pl.Datetime("us", None if kind.tz is None else "UTC"))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _series(column.cast(pa.float64(), safe=False))
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _series(column.cast(pa.large_string()))
    return pl.Series(values=[None if value is None else str(value) for value in column.to_pylist()], dtype=pl.String())


def _series(column: Any) -> pl.Series:
    series = pl.from_arrow(column)
    if not isinstance(series, pl.Series):
        raise TypeError(f"got {type(series).__name__} for an Arrow column")
    return series


def _json_lines(content: bytes) -> Records:
    rows, broken = list[tuple[int, Mapping[str, Any]]](), list[Broken]()
    for number, line in enumerate(filter(bytes.strip, content.splitlines()), start=1):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            broken.append(Broken(number, "not_json", line))
            continue
        if isinstance(value, dict):
            rows.append((number, value))
        else:
            broken.append(Broken(number, "not_an_object", line))
    return Records(rows, broken) if rows else Records([], [Broken(None, "not_json", content)])


def _avro(content: bytes, *, schema: AvroSchema | None) -> Any:
    if content.startswith(_CONTAINER):
        return _container(content)
    if schema is None:
        raise _UnreadableError("no_schema")
    if content.startswith(_SINGLE_OBJECT):
        if content[2:10] != schema.fingerprint:
            raise _UnreadableError("unknown_schema")
        return _datum(content[10:], schema=schema)
    if content.startswith(_CONFLUENT):
        try:
            return _datum(content[5:], schema=schema)
        except Exception:  # noqa: BLE001 - a bare datum may start with the same byte
            return _datum(content, schema=schema)
    return _datum(content, schema=schema)


def _datum(content: bytes, *, schema: AvroSchema) -> Any:
    """The only value in `content`."""
    stream = io.BytesIO(content)
    value = fastavro.schemaless_reader(stream, schema.parsed, None)
    if stream.read(1):
        raise _UnreadableError("not_avro")
    return value


def _container(content: bytes) -> list[Any]:
    """Records of a container file. What could make a small message grow without bounds is refused."""
    reader = fastavro.reader(io.BytesIO(content))
    if reader.codec != "null":
        raise _UnreadableError("compressed_avro")
    if _UNBOUNDED & set(re.findall(r'"(\w+)"', json.dumps(reader.writer_schema))):
        raise _UnreadableError("nested_avro")
    rows = list(islice(reader, MAX_ROWS + 1))
    if len(rows) > MAX_ROWS:
        raise _UnreadableError("too_many_rows")
    return rows


def _records(values: list[Any], *, content: bytes) -> Records:
    if len(values) > MAX_ROWS:
        return Records([], [Broken(None, "too_many_rows", content)])
    rows = [(number, value) for number, value in enumerate(values, start=1) if isinstance(value, dict)]
    others = [(number, value) for number, value in enumerate(values, start=1) if not isinstance(value, dict)]
    broken = [Broken(number, "not_an_object", repr(value).encode()) for number, value in others]
    return Records(rows, broken)


class _UnreadableError(Exception):
    """Tells the reason for the dead letter."""
