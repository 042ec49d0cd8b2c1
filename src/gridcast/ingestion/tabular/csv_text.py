"""CSV files as tables of text: in one go where every byte is above suspicion, line by line where it is not."""

import codecs
import re
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.ingestion.tabular.columns import DEAD_ROWS, ROW, Table, unique_names
from gridcast.ingestion.tabular.csv_rows import LONGEST_LINE, header_fields, printable, read_rows
from gridcast.ingestion.tabular.file_content import Content
from gridcast.ingestion.tabular.formats import TextFormat

_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UTF8_LETTER: Final = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_FALLBACK: Final = "windows-1252"
_PIECE: Final = 1 << 24


def read_csv(content: Content, *, file: Path, text: TextFormat) -> Table | None:
    """Every row of a CSV file as text, and DEAD_ROWS of every line that is none; None where there is no header.

    Without `text.encoding`: the byte order mark tells the encoding, else it is UTF-8, or Windows-1252 in a file that
    has not a single letter in UTF-8. A byte order mark overrules `text.encoding`.

    Raises:
        GridcastError: the encoding cannot read such bytes at all, or the first line is no header.
    """
    data, encoding = _recognised(content.data, encoding=text.encoding)
    whole = None if content.is_cut else _as_utf8(data, encoding=encoding)
    table = None if whole is None else _read_at_once(whole, separator=text.separator)
    if table is not None:
        return table
    unit = _bytes_per_unit(encoding)
    odd = len(data) % unit
    try:
        decoded = data[: len(data) - odd].decode(encoding, "surrogateescape" if unit == 1 else "surrogatepass")
    except UnicodeError as error:
        raise GridcastError(f"{file}: cannot be read as {encoding} ({error}); set text.encoding to its own.") from error
    return read_rows(decoded, separator=text.separator, source=printable(file.name), is_cut=content.is_cut or odd > 0)


def _recognised(data: bytes, *, encoding: str | None) -> tuple[bytes, str]:
    """`data` without its byte order mark, and its encoding."""
    for mark, marked in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :], marked
    if encoding is not None:
        return data, codecs.lookup(encoding).name
    if _is_utf8(data) or _UTF8_LETTER.search(data):
        return data, "utf-8"
    return data, _FALLBACK


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _as_utf8(data: bytes, *, encoding: str) -> bytes | None:
    """The same text in UTF-8; None where some of it cannot be decoded."""
    if encoding == "utf-8":
        return data if _is_utf8(data) else None
    try:
        return data.decode(encoding).encode()
    except UnicodeError:
        return None


def _bytes_per_unit(encoding: str) -> int:
    if encoding.startswith("utf-32"):
        return 4
    return 2 if encoding.startswith("utf-16") else 1


def _read_at_once(data: bytes, *, separator: str) -> Table | None:
    """The table of UTF-8 text that has nothing to decide in it; None where there is doubt."""
    end = data.find(b"\n")
    if not 0 < end <= LONGEST_LINE or _is_suspicious(data):
        return None
    header = header_fields(data[:end].decode().rstrip("\r"), separator=separator)
    try:
        rows = pl.read_csv(
            data.rstrip(b"\r\n") if data[-3:].count(b"\n") > 1 else data,
            has_header=False,
            skip_lines=1,
            schema=dict.fromkeys(unique_names(header), pl.String()),
            separator=separator,
            raise_if_empty=False,
        )
    except pl.exceptions.PolarsError:
        return None
    if _has_doubtful_row(rows, has_quotes=b'"' in data):
        return None
    return Table(header, rows.with_row_index(ROW, offset=1).cast({ROW: pl.Int64}), DEAD_ROWS.to_frame())


def _is_suspicious(data: bytes) -> bool:
    """Whether there are bytes that only a look at each line can judge."""
    return b"\0" in data or data.count(b"\r") != data.count(b"\r\n") or _has_open_line(data)


def _has_open_line(data: bytes) -> bool:
    """Whether some line has an odd number of quotes."""
    if b'"' not in data:
        return False
    before = 0
    for at in range(0, len(data), _PIECE):
        piece = np.frombuffer(data, np.uint8, count=min(_PIECE, len(data) - at), offset=at)
        quotes, ends = np.flatnonzero(piece == ord('"')), np.flatnonzero(piece == ord("\n"))
        if ((before + np.searchsorted(quotes, ends)) % 2).any():
            return True
        before += quotes.size
    return before % 2 == 1


def _has_doubtful_row(rows: pl.DataFrame, *, has_quotes: bool) -> bool:
    """Whether a row may be blank, too long, or quoted in a way of its own."""
    every = pl.all()
    is_empty = every.is_null() | (every.str.strip_chars() == "")
    begins_empty = rows.filter(pl.nth(0).is_null() | (pl.nth(0).str.strip_chars() == ""))
    is_long = pl.sum_horizontal(every.str.len_bytes()) > LONGEST_LINE // 2
    is_quoted = pl.any_horizontal(every.str.contains('"', literal=True)) if has_quotes else pl.lit(value=False)
    return bool(
        begins_empty.select(pl.all_horizontal(is_empty).any()).item() or rows.select((is_long | is_quoted).any()).item()
    )
