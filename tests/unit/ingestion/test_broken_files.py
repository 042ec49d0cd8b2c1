"""Broken files of every kind: no traceback, no good row lost or changed, every bad row counted with its reason."""

import gzip
import re
import zlib
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gridcast.domain.errors import GridcastError
from gridcast.ingestion.connectors.files import read_readings
from gridcast.ingestion.tabular.columns import DEAD_ROWS, Parsed
from gridcast.ingestion.tabular.file_content import read_content
from gridcast.ingestion.tabular.formats import FileFormat, TextFormat, WeatherFormat
from gridcast.workflows.readings.ingest import FileSource, ingest

HEADER = ("series_id", "valid_time", "load_mw", "Größe")
START = datetime(2024, 3, 30, 21, tzinfo=UTC)
NAMES = ("zone_01", "Zürich", "köln nord", "Nîmes", "zone 7")
NOTES = ("", "ok", "12", '"a; b, c"', '"line one\nline two"', '"says ""no"""')
OFFSETS = {"Z": 0, "+00:00": 0, "+01:00": 60, "-05:30": -330, "+1245": 765, "-03": -180}
TEN_MB = 10_000_000


@dataclass(frozen=True)
class Style:
    """How a whole file is written: byte order mark, what the format says of the encoding, a byte that is no text."""

    encoding: str
    mark: bytes
    declared: str | None
    bad_byte: bytes


STYLES = (
    Style("utf-8", b"", None, b"\xff"),
    Style("utf-8", b"", "utf-8", b"\x80"),
    Style("utf-8", b"\xef\xbb\xbf", None, b"\xe9"),
    Style("utf-8", b"\xef\xbb\xbf", "latin-1", b"\xe9"),
    Style("cp1252", b"", None, b"\x81"),
    Style("cp1252", b"", "windows-1252", b"\x9d"),
    Style("utf-16-le", b"\xff\xfe", None, b"\x00\xd8"),
    Style("utf-16-be", b"\xfe\xff", None, b"\xdc\x00"),
)
NUMBERS = (
    TextFormat(),
    TextFormat(separator=";", decimal_comma=True),
    TextFormat(separator=";", decimal_comma=True, thousands="."),
    TextFormat(separator="\t", thousands=" "),
    TextFormat(separator="|", thousands="'"),
)


@dataclass(frozen=True)
class Line:
    """A row as it is written: a good `reading`, or one that must be dead for `reason`; ¶ stands for the bad byte."""

    text: str
    reading: tuple[str, datetime, float] | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Written:
    """Bytes before packing, their format, and the rows: line below the header, byte it is whole at, what it is."""

    content: bytes
    file_format: FileFormat
    header_ends: int
    rows: list[tuple[int, int, Line]]


def number(value: float, text: TextFormat) -> str:
    written = f"{value:,.3f}" if text.thousands else repr(value)
    return written.translate({ord(","): text.thousands, ord("."): text.decimal_mark})


@st.composite
def a_line(draw: Any, row: int, text: TextFormat) -> Line:
    name, note, offset = (draw(st.sampled_from(each)) for each in (NAMES, NOTES, sorted(OFFSETS)))
    value = draw(st.integers(-9_999_999, 9_999_999)) / 1000
    at = START + timedelta(minutes=15 * row)
    local = at.astimezone(timezone(timedelta(minutes=OFFSETS[offset]))).strftime("%Y-%m-%dT%H:%M")
    time, load = local + offset, number(value, text)
    faults = {
        "load_not_a_number": [name, time, "a lot", note],
        "load_not_finite": [name, time, "-inf", note],
        "missing_load": [name, time],
        "missing_series_id": ["", time, load, note],
        "unparsable_time": [name, time.replace(":", "h", 1), load, note],
        "time_without_offset": [name, local, load, note],
        "too_many_fields": [name, time, load, *"abcde"],
        "unbalanced_quotes": [name, time, f'"{load}', "ok"],
        "nul_byte": [name, time, load, "\0"],
        "undecodable_byte": [name, time, load, "¶"],
        "line_too_long": [name, time, load, "x" * draw(st.sampled_from((100_001, 100_001, TEN_MB)))],
    }
    reason = draw(st.one_of(st.none(), st.none(), st.sampled_from(sorted(faults))))
    if reason is not None:
        return Line(text.separator.join(faults[reason]), reason=reason)
    fields = [f" {name}", time, f"{load} ", note, *[""] * draw(st.integers(0, 2))]
    return Line(text.separator.join(fields), reading=(name, at, value))


@st.composite
def a_file(draw: Any) -> Written:
    style, numbers = draw(st.sampled_from(STYLES)), draw(st.sampled_from(NUMBERS))
    text = TextFormat(
        separator=numbers.separator,
        decimal_comma=numbers.decimal_comma,
        thousands=numbers.thousands,
        encoding=style.declared,
    )
    ends = draw(st.sampled_from((["\n"], ["\r\n"], ["\r"], ["\n", "\r\n", "\r", "\n\n", "\r\n \r\n"])))
    header = draw(st.sampled_from((HEADER, tuple(f" {name} " for name in HEADER), (*HEADER, "", "Größe"))))
    content = style.mark + (text.separator.join(header) + ends[0]).encode(style.encoding)
    header_ends, rows, below = len(content), [], 1
    for row in range(draw(st.integers(0, 12))):
        line, end = draw(a_line(row, text)), draw(st.sampled_from(ends))
        content += style.bad_byte.join(part.encode(style.encoding) for part in line.text.split("¶"))
        rows.append((below, len(content) + len("\n".encode(style.encoding)), line))
        content += end.encode(style.encoding)
        below += (line.text + end).replace("\r\n", "\n").replace("\r", "\n").count("\n")
    return Written(content, FileFormat(text=text), header_ends, rows)


def packed(content: bytes, packing: str) -> bytes:
    if packing == "gzip":
        return gzip.compress(content, compresslevel=1)
    return zstandard.ZstdCompressor(write_checksum=True).compress(content) if packing == "zstd" else content


def unpacked_as_far_as_it_goes(content: bytes, packing: str) -> bytes:
    if packing == "gzip":
        return zlib.decompressobj(wbits=31).decompress(content)
    return zstandard.ZstdDecompressor().decompressobj().decompress(content)


def readings(parsed: Parsed) -> list[tuple[Any, ...]]:
    assert parsed.rows["available_at"].to_list() == [
        time + timedelta(hours=1) for time in parsed.rows["valid_time"].to_list()
    ]
    return parsed.rows.select("series_id", "valid_time", "load_mw").rows()


def read_or_refusal(path: Path, *, file_format: FileFormat) -> Parsed | str:
    try:
        return read_readings(path, file_format=file_format)
    except GridcastError as error:
        return str(error)


def check(path: Path, written: Written, *, whole: int | None = None) -> None:
    """Every good row is read with its exact value, every other one is dead with its own number and reason.

    `whole`: bytes that are there, where the file was cut; the cut row is dead, in two pieces if it has two lines.
    """
    rows = [each for each in written.rows if whole is None or whole >= each[1]]
    good = [line.reading for _, _, line in rows if line.reading is not None]
    bad = [(number, line.reason) for number, _, line in rows if line.reason is not None]
    parsed = read_or_refusal(path, file_format=written.file_format)
    if isinstance(parsed, str):
        assert re.search("the file is empty|has no UTC offset", parsed)
        assert not good
        return
    assert readings(parsed) == good
    dead = parsed.dead.select("row", "reason").rows()
    if whole is not None:
        assert dead.pop()[1] == "truncated_file"
        first_lines = [(number, "unbalanced_quotes") for number, _, line in written.rows if "\n" in line.text]
        assert dead[len(bad) :] in ([], *([each] for each in first_lines))
        dead = dead[: len(bad)]
    assert dead == bad
    assert parsed.dead.schema == DEAD_ROWS
    assert all(len(raw) <= 1000 for raw in parsed.dead["raw"])


@settings(max_examples=100, deadline=None)
@given(written=a_file(), packing=st.sampled_from(("none", "gzip", "zstd")), cut=st.none() | st.floats(0, 1))
def test_a_broken_file_loses_no_good_row_and_counts_every_bad_one(
    tmp_path_factory: pytest.TempPathFactory, written: Written, packing: str, cut: float | None
) -> None:
    content, whole = packed(written.content, packing), None
    if cut is not None and packing != "none":
        content = content[: 4 + int(cut * (len(content) - 5))]
        whole = len(unpacked_as_far_as_it_goes(content, packing))
    path = tmp_path_factory.mktemp("broken") / "meter.csv"
    path.write_bytes(content)
    check(path, written, whole=whole)


GOOD = tuple(f"zone_{row},2024-01-01T0{row}:00:00Z,{row}.5" for row in range(5))
TOP = "series_id,valid_time,load_mw"


def read_bytes(folder: Path, content: bytes, *, name: str = "meter.csv", **text: Any) -> Parsed:
    (folder / name).write_bytes(content)
    return read_readings(folder / name, file_format=FileFormat(text=TextFormat(**text)))


@settings(max_examples=100, deadline=None)
@given(
    row=st.integers(0, 4),
    at=st.integers(0, 20),
    rubbish=st.one_of(st.binary(max_size=12), st.text('",;\n\r\0é', max_size=12).map(str.encode)),
)
@example(row=1, at=0, rubbish=b'"')
@example(row=4, at=20, rubbish=b'"\n"')
def test_rubbish_in_one_row_leaves_the_others_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, row: int, at: int, rubbish: bytes
) -> None:
    rows = [line.encode() for line in GOOD]
    rows[row] = rows[row][:at] + rubbish + rows[row][at:]
    parsed = read_bytes(tmp_path_factory.mktemp("rubbish"), b"\n".join([TOP.encode(), *rows]))
    others = [(f"zone_{each}", each + 0.5) for each in range(5) if each != row]
    assert [each for each in parsed.rows.select("series_id", "load_mw").rows() if each in others] == others
    assert parsed.rows.height + parsed.dead.height >= 5


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(st.tuples(st.sampled_from(NAMES), st.floats(width=32), st.sampled_from(NOTES)), min_size=1))
def test_a_file_is_read_the_same_in_one_go_and_line_by_line(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, float, str]]
) -> None:
    folder = tmp_path_factory.mktemp("twice")
    lines = [f'"{name}",2024-01-01T00:00Z,{load!r},{note}' for name, load, note in rows if "\n" not in note]
    whole = "\n".join(["series_id,valid_time,load_mw,note", *lines, "a,2024-01-01T00:00Z,1,"]).encode()
    at_once = read_bytes(folder, whole)
    by_line = read_bytes(folder, whole + b"\n\0")
    assert by_line.rows.equals(at_once.rows)
    assert by_line.dead[:-1].equals(at_once.dead)
    assert by_line.dead["reason"][-1] == "nul_byte"


@settings(max_examples=100, deadline=None)
@given(changes=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), min_size=1, max_size=5), cut=st.floats(0, 1))
def test_a_damaged_parquet_file_is_read_or_refused_never_worse(
    parquet_file: Path, changes: list[tuple[float, int]], cut: float
) -> None:
    content = bytearray(parquet_file.read_bytes())
    for share, change in changes:
        content[int(share * (len(content) - 1))] ^= change
    damaged = parquet_file.with_name("damaged.parquet")
    damaged.write_bytes(content[: int(cut * len(content))] if cut < 0.3 else content)
    parsed = read_or_refusal(damaged, file_format=FileFormat())
    if isinstance(parsed, str):
        assert re.search("not a whole Parquet file|there is no column|holds", parsed)
    else:
        assert parsed.rows.height + parsed.dead.height == 100


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_a_packed_file_that_unpacks_to_more_than_the_limit_is_refused(tmp_path: Path, packing: str) -> None:
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(packed(bytes(1_000_001), packing) + packed(b"x", packing))
    assert len(read_content(path, limit=1_000_002).data) == 1_000_002
    with pytest.raises(GridcastError, match=r"bomb\.csv\.gz: what is packed in it is larger than 1,000,001 bytes"):
        read_content(path, limit=1_000_001)


NEAR = 9_000_000_000_000_000
"""Microseconds from 1970 (285 years) that a time is taken for one."""
UNITS = {"ms": 1000, "us": 1, "ns": 0.001}


@settings(max_examples=100, deadline=None)
@given(
    column=st.sampled_from(("valid_time", "received", "series_id", "other")),
    unit=st.sampled_from(sorted(UNITS)),
    zone=st.sampled_from((None, "UTC", "Europe/London")),
    counts=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4),
)
@example(column="valid_time", unit="ms", zone="UTC", counts=[2**61])
@example(column="valid_time", unit="us", zone=None, counts=[-(2**63)])
@example(column="other", unit="ms", zone=None, counts=[9_467_085_600_000_000])
def test_parquet_timestamps_of_any_year_are_readings_or_dead_rows_and_nothing_worse(
    tmp_path_factory: pytest.TempPathFactory, column: str, unit: str, zone: str | None, counts: list[int]
) -> None:
    rows = 1 + len(counts)
    columns: dict[str, Any] = {"series_id": ["a"] * rows, "load_mw": [1.0] * rows}
    columns |= {name: pa.array([START] * rows, pa.timestamp("us", "UTC")) for name in ("valid_time", "received")}
    epoch = int(START.timestamp() * 1_000_000 / UNITS[unit])
    columns[column] = pa.array([epoch, *counts], pa.timestamp(unit, zone))
    columns["load_mw"][-1] = None
    path = tmp_path_factory.mktemp("years") / "meter.parquet"
    pq.write_table(pa.table(columns), path, version="2.6")
    form = FileFormat(received="received", text=TextFormat(time_zone="Europe/London"))
    parsed = read_readings(path, file_format=form)
    far = [row for row, count in enumerate(counts, start=2) if abs(count * UNITS[unit]) > NEAR]
    dead = dict(parsed.dead.select("row", "reason").rows())
    reasons = {"valid_time": "unparsable_time", "received": "unparsable_received_time"}
    for row in far:
        if column in reasons and row != rows:
            assert dead[row] == reasons[column]
    assert parsed.rows.height + parsed.dead.height == rows


@pytest.mark.parametrize(
    "kind",
    [pa.date32(), pa.duration("us"), pa.timestamp("ms")],
    ids=str,
)
def test_a_dead_parquet_row_is_kept_whatever_stands_beside_it(tmp_path: Path, kind: Any) -> None:
    beside = pa.array([2**31 - 1 if kind == pa.date32() else 2**61], kind)
    path = tmp_path / "meter.parquet"
    pq.write_table(pa.table({"series_id": ["a"], "valid_time": ["never"], "load_mw": [1.0], "x": beside}), path)
    parsed = read_readings(path, file_format=FileFormat())
    assert parsed.dead["raw"].to_list() == [
        f"a,never,1.0,{beside.cast(pa.int32() if kind == pa.date32() else pa.int64())[0]}"
    ]


def test_a_parquet_file_with_bytes_that_are_no_text_is_refused(tmp_path: Path) -> None:
    offsets = pa.array([0, 1, 2], pa.int32()).buffers()[1]
    names = pa.StringArray.from_buffers(2, offsets, pa.py_buffer(b"a\xff"))
    times = pa.array([START, START])
    path = tmp_path / "meter.parquet"
    pq.write_table(pa.table({"series_id": names, "valid_time": times, "load_mw": [1.0, 2.0]}), path)
    with pytest.raises(GridcastError, match="not a whole Parquet file"):
        read_readings(path, file_format=FileFormat())


@pytest.fixture(scope="module")
def parquet_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("parquet") / "whole.parquet"
    times = pl.datetime_range(START, START + timedelta(hours=99), "1h", eager=True)
    pl.DataFrame({"series_id": ["a", "b"] * 50, "valid_time": times, "load_mw": range(100)}).write_parquet(path)
    return path


@settings(max_examples=8, deadline=None)
@given(written=a_file().filter(lambda each: any(line.reading for _, _, line in each.rows)))
def test_the_counts_of_ingest_and_its_dead_letter_are_those_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, written: Written
) -> None:
    folder = tmp_path_factory.mktemp("ingest")
    (folder / "meter.csv").write_bytes(written.content)
    source = FileSource(str(folder / "meter.csv"), None, None, written.file_format, WeatherFormat())
    done = ingest(folder / "raw", source=source, now=START + timedelta(days=9))
    reasons = [line.reason for _, _, line in written.rows if line.reason]
    assert done.readings == len(written.rows) - len(reasons)
    assert done.rejected == dict(sorted(Counter(reasons).items()))
    assert (done.dead_letter is None) == (not reasons)
    if done.dead_letter is not None:
        letters = pl.read_csv(done.dead_letter)
        assert letters.select("source", "reason").rows() == [("meter.csv", reason) for reason in reasons]
