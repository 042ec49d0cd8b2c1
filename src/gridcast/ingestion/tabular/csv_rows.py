"""Lines of a CSV file judged one by one: every line is a row, a part of a row, blank, or dead with a reason."""

import csv
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.ingestion.tabular.columns import DEAD_ROWS, ROW, Table, shortened, unique_names

LONGEST_LINE: Final = 100_000
"""Characters; the same bound holds for a row that goes over several lines."""
_MOST_LINES: Final = 100
"""Lines that a row with line breaks inside quotes may go over."""
_QUOTE: Final = '"'
_UNDECODED: Final = re.compile("[\ud800-\udfff]")
_UNPRINTABLE: Final = re.compile("[\0\ud800-\udfff]")


class _Row(NamedTuple):
    """`fields`: what stands in the row; None where it is dead for `reason`, or plain; `lines`: how many it takes."""

    fields: list[str] | None
    reason: str | None = None
    lines: int = 1


_PLAIN: Final = _Row(None)
"""A line that the fast reader cannot misread."""


def read_rows(text: str, *, separator: str, source: str, is_cut: bool) -> Table | None:
    """Every row of a CSV file that can be told apart, and DEAD_ROWS of every other line; None without a header.

    Lone surrogates in `text` stand for what could not be decoded. A row is numbered by its first line below the header.
    `is_cut`: the last line is not whole.

    Raises:
        GridcastError: the first line is too long to be a header.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    cut = lines.pop() if is_cut else None
    top = next((at for at, line in enumerate(lines) if line.strip()), None)
    if top is None:
        return None
    if len(lines[top]) > LONGEST_LINE:
        raise GridcastError(
            f"{source}: the first line has {len(lines[top]):,} characters; expected a header of at most "
            f"{LONGEST_LINE:,}. Check what the file holds."
        )
    header = header_fields(lines[top], separator=separator)
    return _table(header, lines[top + 1 :], cut=cut, separator=separator, source=source)


def _table(header: tuple[str, ...], body: list[str], *, cut: str | None, separator: str, source: str) -> Table:
    plain, odd, dead = [], [], []
    for number, row in _judged(body, width=len(header), separator=separator):
        if row is _PLAIN:
            plain.append(number)
        elif row.fields is not None:
            odd.append((number, *row.fields))
        else:
            raw = "\n".join(body[number - 1 : number - 1 + row.lines])
            dead.append((source, number, row.reason, printable(raw)))
    if cut is not None:
        dead.append((source, len(body) + 1, "truncated_file", printable(cut)))
    schema = dict.fromkeys(unique_names(header), pl.String())
    texts = "\n".join(body[number - 1] for number in plain).encode()
    read = pl.read_csv(
        texts, has_header=False, schema=schema, separator=separator, quote_char=None, raise_if_empty=False
    )
    rows = pl.concat(
        [
            read.select(pl.Series(ROW, plain, pl.Int64()), pl.all()),
            pl.DataFrame(odd, schema={ROW: pl.Int64(), **schema}, orient="row"),
        ]
    )
    empty_as_null = rows.sort(ROW).with_columns(pl.when(pl.exclude(ROW) != "").then(pl.exclude(ROW)))
    return Table(header, empty_as_null, pl.DataFrame(dead, schema=DEAD_ROWS, orient="row"))


def header_fields(line: str, *, separator: str) -> tuple[str, ...]:
    """Names in a header, without surrounding blanks; what cannot be printed is spelled out."""
    return tuple(printable(name).strip() for name in _fields(line, separator=separator) or line.split(separator))


def printable(text: str) -> str:
    """`text` shortened to what a dead letter keeps, bytes that are no text spelled in hexadecimal."""
    return shortened(_UNPRINTABLE.sub(_spelled, shortened(text)))


def _spelled(match: re.Match[str]) -> str:
    code = ord(match[0])
    is_byte = 0xDC80 <= code <= 0xDCFF
    return f"\\u{code:04x}" if code and not is_byte else f"\\x{code & 0xFF:02x}"


def _judged(lines: Sequence[str], *, width: int, separator: str) -> Iterator[tuple[int, _Row]]:
    """Every row with its number, from 1; blank lines are numbered but no rows."""
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line or (line.isspace() and separator not in line):
            at += 1
            continue
        if len(line) <= LONGEST_LINE and line.count(_QUOTE) % 2:
            row = _open_row(lines, at, width=width, separator=separator)
        else:
            row = _row(line, width=width, separator=separator)
        yield at + 1, row
        at += row.lines


def _row(line: str, *, width: int, separator: str) -> _Row:
    reason = _unreadable(line)
    if reason is not None:
        return _Row(None, reason)
    if _QUOTE not in line and line.count(separator) == width - 1:
        return _PLAIN
    fields = _fields(line, separator=separator)
    if fields is None:
        return _Row(None, "unbalanced_quotes")
    if any(fields[width:]):
        return _Row(None, "too_many_fields")
    return _Row([*fields[:width], *[""] * (width - len(fields))])


def _unreadable(line: str) -> str | None:
    if len(line) > LONGEST_LINE:
        return "line_too_long"
    if "\0" in line:
        return "nul_byte"
    return None if line.isascii() or not _UNDECODED.search(line) else "undecodable_byte"


def _open_row(lines: Sequence[str], at: int, *, width: int, separator: str) -> _Row:
    """The row whose last quote is closed on a later line.

    Dead where the text up to that quote holds a line with as many separators as the first: that is a row of its own.
    """
    joined = lines[at]
    as_many = min(width - 1, joined.count(separator) or width - 1)
    for taken, line in enumerate(lines[at + 1 : at + _MOST_LINES], start=2):
        joined = f"{joined}\n{line}"
        quoted, quote, _ = line.partition(_QUOTE)
        if quoted.count(separator) >= as_many or len(joined) > LONGEST_LINE:
            break
        if quote and line.count(_QUOTE) % 2:
            row = _row(joined, width=width, separator=separator)
            return row._replace(lines=taken) if row.reason != "unbalanced_quotes" else row
    return _Row(None, "unbalanced_quotes")


def _fields(line: str, *, separator: str) -> list[str] | None:
    if _QUOTE not in line:
        return line.split(separator)
    try:
        (fields,) = csv.reader([line], delimiter=separator, strict=True, skipinitialspace=True)
    except (csv.Error, ValueError):
        return None
    return fields
