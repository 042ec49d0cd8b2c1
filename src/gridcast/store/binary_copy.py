"""Rows in PostgreSQL's binary COPY format: the server need not read numbers from text."""

import struct
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
_END: Final = struct.pack("!h", -1)
_ROWS_AT_ONCE: Final = 4_000
"""The server works on one piece while the next is encoded."""

_Bytes = npt.NDArray[np.uint8]


class _Piece(NamedTuple):
    """Of every row some bytes of fixed size, and a text behind them."""

    fixed: list[_Bytes]
    text: bytes
    lengths: npt.NDArray[np.int64]


def blocks(rows: pl.DataFrame) -> Iterator[bytes]:
    """What COPY … (FORMAT binary) reads for `rows`, columns of text, bigint and double precision without nulls."""
    yield _HEADER
    for part in rows.iter_slices(_ROWS_AT_ONCE):
        yield _encoded(part)
    yield _END


def _encoded(rows: pl.DataFrame) -> bytes:
    pieces = list(_pieces(rows))
    if all((each.lengths == each.lengths[0]).all() for each in pieces):
        return _joined(pieces, rows.height)
    merged = [np.hstack(each.fixed) for each in pieces]
    size = sum(fixed.shape[1] + each.lengths for fixed, each in zip(merged, pieces, strict=True))
    place = np.cumsum(size) - size
    found = np.empty(int(size.sum()), np.uint8)
    for fixed, (_, text, lengths) in zip(merged, pieces, strict=True):
        found[place[:, None] + np.arange(fixed.shape[1])] = fixed
        place = place + fixed.shape[1]
        before = np.cumsum(lengths) - lengths
        found[np.repeat(place - before, lengths) + np.arange(len(text))] = np.frombuffer(text, np.uint8)
        place = place + lengths
    return found.tobytes()


def _joined(pieces: list[_Piece], rows: int) -> bytes:
    """Rows of the same length, for which nothing has to be looked up."""
    parts = []
    for fixed, text, _ in pieces:
        parts += [*fixed, np.frombuffer(text, np.uint8).reshape(rows, -1)]
    return np.hstack(parts).tobytes()


def _pieces(rows: pl.DataFrame) -> Iterator[_Piece]:
    fixed = [_same(struct.pack("!h", rows.width), rows.height)]
    for column in rows.get_columns():
        if column.dtype == pl.String:
            lengths = column.str.len_bytes().to_numpy().astype(np.int64)
            fixed.append(_big_endian(lengths, ">i4"))
            yield _Piece(fixed, column.str.join().item().encode(), lengths)
            fixed = []
        else:
            kind = ">f8" if column.dtype == pl.Float64 else ">i8"
            fixed += [_same(struct.pack("!i", 8), rows.height), _big_endian(column.to_numpy(), kind)]
    if fixed:
        yield _Piece(fixed, b"", np.zeros(rows.height, np.int64))


def _big_endian(values: npt.NDArray[Any], kind: str) -> _Bytes:
    """The bytes of each value, (value, byte)."""
    return values.astype(kind).view(np.uint8).reshape(len(values), -1)


def _same(content: bytes, rows: int) -> _Bytes:
    """The same bytes for every row, (row, byte)."""
    return np.broadcast_to(np.frombuffer(content, np.uint8), (rows, len(content)))
