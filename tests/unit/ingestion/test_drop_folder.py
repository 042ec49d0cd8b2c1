"""The drop folder: every file is handed over once and ends where it belongs."""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

import pytest
from support.drop_folders import HEADER, SOON, drop, drop_reading, names, source, tree, watch_and_tell, worked_off

from gridcast.ingestion.connectors.drop_folder import DropFolder
from gridcast.ingestion.tabular.formats import FileFormat, WeatherFormat


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "drop"
    path.mkdir()
    return path


def test_files_are_handed_over_in_the_order_they_were_written_and_moved_on(folder: Path) -> None:
    for age, name in enumerate(("b.csv", "a.csv", "c.csv")):
        drop_reading(folder, name)
        os.utime(folder / name, (age, age))
    assert names(worked_off(source(folder))) == ["b", "a", "c"]
    assert tree(folder) == {"processed/a.csv", "processed/b.csv", "processed/c.csv"}
    assert worked_off(source(folder)) == []


def test_a_half_written_file_is_left_until_its_writer_has_renamed_it(folder: Path) -> None:
    with (folder / "a.csv.part").open("w") as half:
        half.write(f"{HEADER}\na,2024-01-01T00:00Z,1\na,2024-")
        half.flush()
        drop_reading(folder, ".hidden.csv")
        drop_reading(folder, "b.TMP")
        assert worked_off(source(folder)) == []
        half.write("01-01T01:00Z,2\n")
    (folder / "a.csv.part").rename(folder / "a.csv")
    (batch,) = worked_off(source(folder))
    assert (batch.readings["load_mw"].to_list(), batch.dead.height) == ([1.0, 2.0], 0)


def test_dead_rows_go_with_the_good_ones_of_their_file(folder: Path) -> None:
    drop(folder, "a.csv", "a,2024-01-01T00:00Z,1", "a,2024-01-01T01:00Z,much")
    (batch,) = worked_off(source(folder))
    assert batch.readings.height == 1
    assert batch.dead.rows() == [("a.csv", 2, "load_not_a_number", "a,2024-01-01T01:00Z,much")]


def test_weather_is_read_by_its_own_format(folder: Path) -> None:
    drop(folder, "w.csv", "s,2024-01-01T00:00Z,50", header="station_id,valid_time,temperature_c")
    (batch,) = worked_off(DropFolder(folder=folder, file_format=WeatherFormat(unit="F")))
    assert batch.weather["temperature_c"].to_list() == pytest.approx([10.0])
    assert batch.readings.is_empty()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        pytest.param("photo.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF", "there is no column 'series_id'", id="a picture"),
        pytest.param("empty.csv", b"", "the file is empty", id="nothing"),
        pytest.param("cut.parquet", b"PAR1", "not a whole Parquet file", id="half a Parquet file"),
        pytest.param("a.csv.gz", b"\x1f\x8b\x08rubbish....", "what is packed in it is damaged", id="damaged gzip"),
        pytest.param("local.csv", f"{HEADER}\na,2024-01-01 00:00,1\n".encode(), "has no UTC offset", id="no zone"),
    ],
)
def test_a_file_that_cannot_be_read_is_rejected_with_its_reason(
    folder: Path, name: str, content: bytes, reason: str
) -> None:
    (folder / name).write_bytes(content)
    drop_reading(folder, "good.csv")
    rejected, good = sorted(worked_off(source(folder)), key=lambda batch: batch.readings.height)
    assert names([good]) == ["good"]
    assert rejected.dead.drop("raw").rows() == [(name, None, "unreadable_file")]
    assert tree(folder) == {"processed/good.csv", f"rejected/{name}", f"rejected/{name}.reason.txt"}
    assert (folder / "rejected" / name).read_bytes() == content
    written = (folder / "rejected" / f"{name}.reason.txt").read_text()
    assert written.startswith(name)
    assert reason in written


def test_a_file_without_one_good_row_is_rejected_and_its_rows_are_dead(folder: Path) -> None:
    drop(folder, "a.csv", "a,soon,1", "a,2024-01-01T01:00Z,x", "a,later,1")
    (batch,) = worked_off(source(folder))
    assert batch.dead["row"].to_list() == [1, 2, 3]
    assert (folder / "rejected/a.csv.reason.txt").read_text() == (
        "a.csv: none of 3 rows could be used (unparsable_time: 2, load_not_a_number: 1).\n"
    )


def test_a_name_that_comes_again_overwrites_nothing(folder: Path) -> None:
    for hour in range(3):
        drop_reading(folder, "a.csv.gz", hour)
        drop(folder, "bad.csv", *["a,never,1"] * (hour + 1))
        worked_off(source(folder))
    kept = [(folder / "processed" / name).read_text()[-2] for name in ("a.csv.gz", "a-2.csv.gz", "a-3.csv.gz")]
    assert kept == ["0", "1", "2"]
    reasons = {path.name: path.read_text().split()[3] for path in (folder / "rejected").glob("*.reason.txt")}
    assert reasons == {f"{name}.csv.reason.txt": rows for name, rows in (("bad", "1"), ("bad-2", "2"), ("bad-3", "3"))}


def test_what_was_handed_over_but_not_kept_is_handed_over_again_identical(folder: Path) -> None:
    for name in ("a.csv", "b.csv"):
        drop(folder, name, f"{name},2024-01-01T00:00Z,1", "x")
    first = next(source(folder).batches(None))
    again = worked_off(source(folder))
    assert again[0].position == first.position
    assert all(again[0][part].equals(first[part]) for part in range(4))
    assert names(again) == ["a.csv", "b.csv"]


def test_what_was_kept_is_only_moved_on(folder: Path) -> None:
    for name in ("a.csv", "b.csv"):
        drop_reading(folder, name)
    drop(folder, "c.csv", "a,never,1")
    handed_over = list(source(folder).batches(None))
    position = handed_over[2].position
    assert worked_off(source(folder), position) == []
    assert tree(folder) == {"processed/a.csv", "processed/b.csv", "rejected/c.csv", "rejected/c.csv.reason.txt"}


def test_a_move_that_was_cut_short_is_finished(folder: Path) -> None:
    drop_reading(folder, "a.csv")
    batch = next(source(folder).batches(None))
    (name,) = json.loads(batch.position)["taken"]
    (folder / "processed").mkdir()
    (folder / "processed/a.csv").hardlink_to(folder / ".taking" / name)
    source(folder).done(batch.position)
    source(folder).done(batch.position)
    assert tree(folder) == {"processed/a.csv"} | {each for each in tree(folder) if each.endswith("/lock")}


@pytest.mark.parametrize("is_polled", [False, True], ids=["events", "polling"])
def test_a_watched_folder_hands_over_what_comes_until_it_is_stopped(folder: Path, is_polled: bool) -> None:
    stop, seen = threading.Event(), Queue[str]()
    drop_reading(folder, "before.csv")
    watched = DropFolder(folder=folder, file_format=FileFormat(), is_watched=True, is_polled=is_polled, stop=stop)
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch_and_tell, watched, seen)
        try:
            assert seen.get(timeout=SOON) == "before"
            for name in ("first", "second"):
                drop_reading(folder, f"{name}.csv")
                assert seen.get(timeout=SOON) == name
        finally:
            stop.set()
        watching.result(timeout=SOON)
    assert tree(folder) == {"processed/before.csv", "processed/first.csv", "processed/second.csv"}
