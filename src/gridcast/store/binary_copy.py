"""Rows in PostgreSQL's binary COPY format: the server need not read numbers from text."""

import struct
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
_END: Final = struct.pack("!h", -1)
_ROWS_AT_ONCE: Final = 4_000
"""The server works on one piece while the next is encoded."""
_SIZE: Final = "\0"
"""Behind a name: the field with the length of its value; alone: that with the number of columns."""


class _Texts(NamedTuple):
    """A column of texts as bytes, with zeros behind them up to the longest."""

    padded: npt.NDArray[Any]
    """(row,)"""
    lengths: npt.NDArray[np.int64]
    """(row,)"""
    is_text: npt.NDArray[np.bool_] | None
    """(row, byte), whether it is no padding; None if nothing is padded."""


def blocks(rows: pl.DataFrame) -> Iterator[bytes]:
    """What COPY … (FORMAT binary) reads for `rows`, columns of text, bigint and double precision without nulls.

    Rows are an array of records, of which the padding of shorter texts is left out.
    """
    texts = {each.name: _texts(each) for each in rows.get_columns() if each.dtype == pl.String and len(each)}
    values = {name + _SIZE: each.lengths for name, each in texts.items()}
    fields = [(_SIZE, ">i2")]
    for column in rows.get_columns():
        name, text = column.name, texts.get(column.name)
        values[name] = column.to_numpy() if text is None else text.padded
        kind = (">f8" if column.dtype == pl.Float64 else ">i8") if text is None else text.padded.dtype.str
        fields += [(name + _SIZE, ">i4"), (name, kind)]
    padding = {name: each.is_text for name, each in texts.items() if each.is_text is not None}
    piece = np.empty(min(rows.height, _ROWS_AT_ONCE), np.dtype(fields))
    piece[_SIZE] = rows.width
    for name in rows.columns:
        piece[name + _SIZE] = 8
    yield _HEADER
    for first in range(0, rows.height, _ROWS_AT_ONCE):
        part = slice(first, first + _ROWS_AT_ONCE)
        filled = piece[: rows.height - first]
        for name, column_values in values.items():
            filled[name] = column_values[part]
        yield _without_padding(filled, {name: is_text[part] for name, is_text in padding.items()})
    yield _END


def _texts(column: pl.Series) -> _Texts:
    joined: str = column.str.join().item()
    content, lengths = np.frombuffer(joined.encode(), np.uint8), column.str.len_bytes().to_numpy().astype(np.int64)
    longest = int(lengths.max())
    if lengths.min() == longest:
        return _Texts(content.view(f"V{longest}") if longest else np.empty(len(column), "V0"), lengths, None)
    is_text = np.arange(longest) < lengths[:, np.newaxis]
    padded = np.zeros(is_text.shape, np.uint8)
    padded[is_text] = content
    return _Texts(padded.view(f"V{longest}")[:, 0], lengths, is_text)


def _without_padding(records: npt.NDArray[Any], is_text: dict[str, npt.NDArray[np.bool_]]) -> bytes:
    if not is_text:
        return records.tobytes()
    is_kept = np.ones((len(records), records.dtype.itemsize), np.bool_)
    places: Mapping[str, tuple[Any, ...]] = records.dtype.fields or {}
    for name, its in is_text.items():
        offset = places[name][1]
        is_kept[:, offset : offset + its.shape[1]] = its
    return records.view(np.uint8).reshape(len(records), -1)[is_kept].tobytes()
