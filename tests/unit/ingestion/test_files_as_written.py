"""Files as people and programs write them: packing, encodings, quotes, headers and numbers, one example each."""

import gzip
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.ingestion.connectors.files import read_readings
from gridcast.ingestion.tabular.columns import Parsed
from gridcast.ingestion.tabular.formats import FileFormat, TextFormat

TEN_MB = 10_000_000
CHECKED = zstandard.ZstdCompressor(write_checksum=True)
GOOD = tuple(f"zone_{row},2024-01-01T0{row}:00:00Z,{row}.5" for row in range(5))
TOP = "series_id,valid_time,load_mw"


def read_bytes(folder: Path, content: bytes, *, name: str = "meter.csv", **text: Any) -> Parsed:
    (folder / name).write_bytes(content)
    return read_readings(folder / name, file_format=FileFormat(text=TextFormat(**text)))


def loads(parsed: Parsed) -> list[float]:
    return parsed.rows["load_mw"].to_list()


def test_a_line_of_ten_megabytes_is_dead_with_its_beginning_kept(tmp_path: Path) -> None:
    long = b"zone_9," + b"9" * TEN_MB
    content = "\n".join([TOP, *GOOD[:2]]).encode() + b"\n" + long + b"\n" + GOOD[2].encode()
    tracemalloc.start()
    parsed = read_bytes(tmp_path, content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * TEN_MB
    assert loads(parsed) == [0.5, 1.5, 2.5]
    assert parsed.dead.drop("raw").rows() == [("meter.csv", 3, "line_too_long")]
    assert parsed.dead["raw"].item() == f"zone_9,{'9' * 992}…"


def test_a_header_of_ten_megabytes_is_refused_in_a_short_message(tmp_path: Path) -> None:
    with pytest.raises(GridcastError, match="the first line has 10,000,000 characters") as refusal:
        read_bytes(tmp_path, b"a," * (TEN_MB // 2) + b"\n" + GOOD[0].encode())
    assert len(str(refusal.value)) < 1000


def test_a_long_value_in_a_row_that_can_be_read_is_shortened_too(tmp_path: Path) -> None:
    parsed = read_bytes(tmp_path, f"{TOP}\nzone_1,2024-01-01T00:00Z,{'x' * 40_000}\n{GOOD[1]}".encode())
    assert loads(parsed) == [1.5]
    assert len(parsed.dead["raw"].item()) == 1000


def test_whole_rows_of_a_cut_gzip_file_are_kept_and_the_cut_one_is_counted(tmp_path: Path) -> None:
    lines = [
        f"zone,{datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hour):%Y-%m-%dT%H:%MZ},{hour * 7919 % 1000}"
        for hour in range(5000)
    ]
    content = gzip.compress("\n".join([TOP, *lines]).encode())
    parsed = read_bytes(tmp_path, content[: len(content) // 2], name="meter.csv.gz")
    assert 1000 < parsed.rows.height < 5000
    assert loads(parsed) == [hour * 7919 % 1000 for hour in range(parsed.rows.height)]
    assert parsed.dead.drop("raw").rows() == [("meter.csv.gz", parsed.rows.height + 1, "truncated_file")]
    assert lines[parsed.rows.height].startswith(parsed.dead["raw"].item())


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_a_packed_file_with_a_changed_byte_is_refused_as_a_whole(tmp_path: Path, packing: str) -> None:
    plain = "\n".join([TOP, *GOOD]).encode()
    content = bytearray(gzip.compress(plain) if packing == "gzip" else CHECKED.compress(plain))
    content[-2 if packing == "gzip" else -1] ^= 0xFF
    if packing == "gzip":
        content[-6] ^= 0xFF
    with pytest.raises(GridcastError, match=r"meter\.csv: what is packed in it is damaged \(.*copy or export it again"):
        read_bytes(tmp_path, bytes(content))


def test_members_of_a_gzip_file_are_read_one_after_the_other_and_padding_is_left_out(tmp_path: Path) -> None:
    parts = [gzip.compress(f"{line}\n".encode()) for line in (TOP, *GOOD)]
    assert loads(read_bytes(tmp_path, b"".join(parts) + bytes(512))) == [0.5, 1.5, 2.5, 3.5, 4.5]


def test_a_file_in_utf_16_that_ends_in_half_a_character_is_cut(tmp_path: Path) -> None:
    parsed = read_bytes(tmp_path, "\n".join([TOP, *GOOD]).encode("utf-16")[:-1])
    assert loads(parsed) == [0.5, 1.5, 2.5, 3.5]
    assert parsed.dead.rows() == [("meter.csv", 5, "truncated_file", GOOD[4][:-1])]


def test_a_byte_that_is_no_letter_is_spelled_out_in_the_dead_letter(tmp_path: Path) -> None:
    content = f"{TOP}\nZürich,2024-01-01T00:00Z,1\nZ".encode() + b"\xfcrich,2024-01-01T00:00Z,2\nBern\0,x,3"
    parsed = read_bytes(tmp_path, content)
    assert parsed.rows["series_id"].to_list() == ["Zürich"]
    assert parsed.dead.rows() == [
        ("meter.csv", 2, "undecodable_byte", "Z\\xfcrich,2024-01-01T00:00Z,2"),
        ("meter.csv", 3, "nul_byte", "Bern\\x00,x,3"),
    ]


def test_a_file_without_any_letter_in_utf_8_is_read_as_windows_1252(tmp_path: Path) -> None:
    parsed = read_bytes(tmp_path, f"{TOP}\nZürich €,2024-01-01T00:00Z,1\n".encode("cp1252"))
    assert parsed.rows["series_id"].to_list() == ["Zürich €"]


def test_a_declared_encoding_is_not_guessed(tmp_path: Path) -> None:
    content = f"{TOP}\nŁódź,2024-01-01T00:00Z,1\n"
    assert read_bytes(tmp_path, content.encode("cp1250"), encoding="cp1250").rows["series_id"].item() == "Łódź"
    assert read_bytes(tmp_path, content.encode("utf-16-be"), encoding="utf-16-be").rows["series_id"].item() == "Łódź"
    strict = read_bytes(tmp_path, f"{TOP}\nZürich,2024-01-01T00:00Z,1\n".encode("cp1252"), encoding="utf-8")
    assert strict.dead["reason"].to_list() == ["undecodable_byte"]


def test_a_text_of_several_lines_in_quotes_is_one_row(tmp_path: Path) -> None:
    lines = [
        'a,2024-01-01T00:00Z,1,"one\r\ntwo\n\nthree, ""four"""',
        "a,2024-01-01T01:00Z,x,",
        "a,2024-01-01T02:00Z,3,",
    ]
    parsed = read_bytes(tmp_path, "\n".join([f"{TOP},note", *lines]).encode())
    assert loads(parsed) == [1.0, 3.0]
    assert parsed.dead.select("row", "reason").rows() == [(5, "load_not_a_number")]


def test_a_row_between_two_open_quotes_is_read_although_it_is_shorter_than_the_header(tmp_path: Path) -> None:
    rows = ['a,2024-01-01T00:00Z,"1', "a,2024-01-01T01:00Z,2", 'a,2024-01-01T02:00Z,"3', "a,2024-01-01T03:00Z,4"]
    parsed = read_bytes(tmp_path, "\n".join([f"{TOP},note,more", *rows]).encode())
    assert loads(parsed) == [2.0, 4.0]
    assert parsed.dead.select("row", "reason").rows() == [(1, "unbalanced_quotes"), (3, "unbalanced_quotes")]


def test_two_rows_that_open_and_close_each_others_quotes_are_two_dead_rows(tmp_path: Path) -> None:
    rows = ['a,2024-01-01T00:00Z,"1', 'a,2024-01-01T01:00Z,2"', "a,2024-01-01T02:00Z,3"]
    parsed = read_bytes(tmp_path, "\n".join([TOP, *rows]).encode())
    assert loads(parsed) == [3.0]
    assert parsed.dead.select("row", "reason", "raw").rows() == [
        (1, "unbalanced_quotes", rows[0]),
        (2, "unbalanced_quotes", rows[1]),
    ]


def test_a_text_of_several_lines_may_stand_in_the_first_column(tmp_path: Path) -> None:
    content = f'note,{TOP}\n"one\ntwo, three",a,2024-01-01T00:00Z,1\nfour,a,2024-01-01T01:00Z,2\n'
    assert loads(read_bytes(tmp_path, content.encode())) == [1.0, 2.0]


def test_rows_of_nothing_but_separators_are_dead_and_blank_lines_are_no_rows(tmp_path: Path) -> None:
    parsed = read_bytes(tmp_path, f"\n \n{TOP}\n\n{GOOD[1]}\n,,\n   \n{GOOD[2]}\n\n\n".encode())
    assert loads(parsed) == [1.5, 2.5]
    assert parsed.dead.rows() == [("meter.csv", 3, "missing_series_id", ",,")]
    tabs = f"{TOP}\n{GOOD[1]}\n,,\n \n".replace(",", "\t").encode()
    assert read_bytes(tmp_path, tabs, separator="\t").dead.drop("raw").rows() == [("meter.csv", 2, "missing_series_id")]


def test_a_name_that_two_columns_share_is_refused_only_where_it_is_needed(tmp_path: Path) -> None:
    spare = read_bytes(tmp_path, b"series_id,valid_time,load_mw,note,note,\na,2024-01-01T00:00Z,1,x,y,z\n")
    assert loads(spare) == [1.0]
    with pytest.raises(GridcastError, match="2 columns are called 'load_mw'; expected one"):
        read_bytes(tmp_path, b"series_id,valid_time,load_mw,load_mw\na,2024-01-01T00:00Z,1,2\n")


@pytest.mark.parametrize(
    ("written", "load", "text"),
    [
        pytest.param("1.234,5", 1234.5, {"decimal_comma": True, "thousands": "."}, id="point and comma"),
        pytest.param("-1.234.567", -1234567.0, {"decimal_comma": True, "thousands": "."}, id="points"),
        pytest.param("1234,5", 1234.5, {"decimal_comma": True, "thousands": "."}, id="groups left out"),
        pytest.param("1.5", None, {"decimal_comma": True, "thousands": "."}, id="a point that groups nothing"),
        pytest.param("1.5", None, {"decimal_comma": True}, id="a point beside a decimal comma"),
        pytest.param(",5", 0.5, {"decimal_comma": True}, id="nothing before the comma"),
        pytest.param("1,5e3", 1500.0, {"decimal_comma": True}, id="exponent"),
        pytest.param("1,234.5", 1234.5, {"thousands": ","}, id="comma and point"),
        pytest.param("12,34.5", None, {"thousands": ","}, id="a group of two"),
        pytest.param("1 234", 1234.0, {"thousands": " "}, id="blank"),
        pytest.param("1\u00a0234\u00a0567.5", 1234567.5, {"thousands": " "}, id="blanks that do not break"),
        pytest.param("1’234.5", 1234.5, {"thousands": "'"}, id="raised comma"),
        pytest.param("1,234.5", None, {}, id="not declared"),
    ],
)
def test_numbers_are_read_as_the_format_says_or_not_at_all(
    tmp_path: Path, written: str, load: float | None, text: dict[str, Any]
) -> None:
    content = f"{TOP.replace(',', ';')}\na;2024-01-01T00:00Z;{written}\n"
    parsed = read_bytes(tmp_path, content.encode(), separator=";", **text)
    assert loads(parsed) == ([] if load is None else [load])
    assert parsed.dead["reason"].to_list() == (["load_not_a_number"] if load is None else [])


def test_groups_of_digits_in_quotes_stand_beside_the_same_separator(tmp_path: Path) -> None:
    assert loads(read_bytes(tmp_path, f'{TOP}\na,2024-01-01T00:00Z,"1,234.5"\n'.encode(), thousands=",")) == [1234.5]


@pytest.mark.parametrize("offset", ["+17:00", "-9900", "+01:75", "+1", "Z+01"])
def test_an_offset_that_no_clock_has_is_no_time(tmp_path: Path, offset: str) -> None:
    parsed = read_bytes(tmp_path, f"{TOP}\n{GOOD[0]}\na,2024-01-01T00:00{offset},1\n".encode())
    assert parsed.dead["reason"].to_list() == ["unparsable_time"]


def test_offsets_may_differ_from_row_to_row_in_a_pattern_too(tmp_path: Path) -> None:
    rows = ["a;01.01.2024 01:00 +0100;1", "a;01.01.2024 00:00 -0500;2"]
    content = "\n".join([TOP.replace(",", ";"), *rows]).encode()
    parsed = read_bytes(tmp_path, content, separator=";", time_format="%d.%m.%Y %H:%M %z")
    assert parsed.rows["valid_time"].to_list() == [datetime(2024, 1, 1, hour, tzinfo=UTC) for hour in (0, 5)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param({"separator": '"'}, id="quote"),
        pytest.param({"separator": "\n"}, id="line break"),
        pytest.param({"separator": "§"}, id="not ASCII"),
        pytest.param({"thousands": "."}, id="the decimal mark"),
        pytest.param({"thousands": "_"}, id="thousands"),
        pytest.param({"encoding": "utf-7up"}, id="unknown"),
        pytest.param({"encoding": "zip"}, id="no text"),
    ],
)
def test_marks_and_encodings_that_cannot_be_are_refused(text: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"file format: .* expected"):
        TextFormat(**text)


def test_among_several_files_an_empty_one_is_dead_and_alone_it_is_refused(tmp_path: Path) -> None:
    read_bytes(tmp_path, "\n".join([TOP, *GOOD]).encode(), name="a.CSV")
    for name, content in {"b.csv": b"", "c.csv.gz": gzip.compress(f"{TOP}\n".encode())}.items():
        with pytest.raises(GridcastError, match=f"{name}: the file is empty"):
            read_bytes(tmp_path, content, name=name)
    parsed = read_readings(tmp_path, file_format=FileFormat())
    assert loads(parsed) == [0.5, 1.5, 2.5, 3.5, 4.5]
    assert parsed.dead.rows() == [("b.csv", None, "empty_file", ""), ("c.csv.gz", None, "empty_file", "")]


def test_the_ending_of_a_packed_file_is_no_part_of_its_series(tmp_path: Path) -> None:
    (tmp_path / "feeder_7.csv.zst").write_bytes(zstandard.compress(b"valid_time,load_mw\n2024-01-01T00:00Z,1\n"))
    assert read_readings(tmp_path, file_format=FileFormat(series_id=None)).rows["series_id"].to_list() == ["feeder_7"]


def test_columns_of_nixtla_are_mapped(tmp_path: Path) -> None:
    (tmp_path / "y.csv").write_text("unique_id,ds,y\nH1,2024-01-01 00:00:00,605.0\n")
    nixtla = FileFormat(series_id="unique_id", valid_time="ds", load="y", text=TextFormat(time_zone="UTC"))
    rows = read_readings(tmp_path / "y.csv", file_format=nixtla).rows.drop("available_at").rows()
    assert rows == [("H1", datetime(2024, 1, 1, tzinfo=UTC), 605.0)]


@pytest.mark.parametrize("pattern", ["%d/%m/%Y %I:%M", "%Y-%m-%d %H", "%Y-%m-%d %p"])
def test_a_time_format_that_tells_no_clock_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match=r"time_format '.*' cannot be used \(.*\); expected a pattern such as"):
        TextFormat(time_format=pattern)
