"""The file of loads set by people."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gridcast.domain.errors import UsageError
from gridcast.domain.tables import EDITS
from gridcast.ingestion.edits import read_edits

HEADER = "series_id,start,end,load_mw,author,reason,edited_at\n"
ROW = 'zone_01,2008-03-01T05:00Z,2008-03-01T08:00Z,17.5,kim,"meter changed, see ticket",2008-03-03T09:00-05:00\n'


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "edits.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_file_becomes_edits(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + ROW + "\n" + ROW.replace("17.5", "").replace("zone_01", " zone_02 "))
    edits = read_edits(path, known_series=["zone_01", "zone_02"])
    assert edits.schema == EDITS
    assert edits.select("series_id", "load_mw", "reason").rows() == [
        ("zone_01", 17.5, "meter changed, see ticket"),
        ("zone_02", None, "meter changed, see ticket"),
    ]
    assert edits["edited_at"][0] == datetime(2008, 3, 3, 14, tzinfo=UTC)


def test_columns_come_in_any_order_beside_others_with_a_byte_order_mark(tmp_path: Path) -> None:
    header = "note,edited_at,reason,author,load_mw,end,start,series_id\n"
    row = "x,2008-03-03T09:00Z,why,kim,1,2008-03-01T08:00Z,2008-03-01T05:00Z,zone_01\n"
    edits = read_edits(written(tmp_path, b"\xef\xbb\xbf" + (header + row).encode()))
    assert edits.select("series_id", "load_mw", "author").rows() == [("zone_01", 1.0, "kim")]


def test_a_header_alone_is_no_edit(tmp_path: Path) -> None:
    assert read_edits(written(tmp_path, HEADER)).is_empty()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(
            "", r"edits.csv: the file is empty; expected a CSV file with the columns series_id, start", id="empty"
        ),
        pytest.param(HEADER.replace("author,", ""), r"edits.csv:1: there is no column 'author'; expected", id="column"),
        pytest.param(
            HEADER + ROW + ROW.replace("17.5", "high"), r"edits.csv:3: load_mw is 'high'; expected", id="load"
        ),
        pytest.param(
            HEADER + ROW.rstrip() + ",more\n", r"edits.csv:2: no row of a CSV file \(too_many_fields\)", id="ragged"
        ),
        pytest.param(HEADER + ROW.replace("zone_01", "zone_1"), r"edits.csv:2: series_id is 'zone_1'", id="series"),
    ],
)
def test_a_wrong_file_is_refused_as_a_whole(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        read_edits(written(tmp_path, content), known_series=["zone_01"])


def test_a_file_that_is_not_there_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere.csv: there is no such file; .* Set quality.edits in config"):
        read_edits(tmp_path / "nowhere.csv")
