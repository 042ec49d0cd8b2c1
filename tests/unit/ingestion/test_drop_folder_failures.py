"""A drop folder that is killed, shared, removed, full or blocked: nothing lost, nothing doubled, one message."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from queue import Queue

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.drop_folders import SOON, drop, drop_reading, source, tree, watch_and_tell, worked_off
from support.small_disk import small_disk_in

from gridcast.domain.errors import GridcastError
from gridcast.ingestion import raw
from gridcast.ingestion.connectors.drop_folder import DropFolder
from gridcast.ingestion.tabular.formats import FileFormat


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "drop"
    path.mkdir()
    return path


CRASHING = """
import os, signal, sys
from pathlib import Path
from gridcast.ingestion import raw
from gridcast.ingestion.connectors.drop_folder import DropFolder
from gridcast.ingestion.tabular.formats import FileFormat

folder, data, point = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
drop_folder = DropFolder(folder=folder, file_format=FileFormat())
for number, batch in enumerate(drop_folder.batches(raw.position_of(data, "meters"))):
    for name, step in (
        ("handed over", lambda: raw.append_batch(data, source="meters", batch=batch)),
        ("kept", lambda: drop_folder.done(batch.position)),
        ("done", lambda: None),
    ):
        if point == name and number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        step()
"""


@pytest.mark.parametrize("point", ["handed over", "kept", "done"])
def test_kill_9_loses_nothing_and_doubles_nothing(folder: Path, tmp_path: Path, point: str) -> None:
    for hour in range(4):
        drop_reading(folder, f"meter.{hour}.csv", hour)
    run = [sys.executable, "-c", CRASHING, folder, tmp_path / "raw", point]
    assert subprocess.run(run, check=False).returncode == -signal.SIGKILL
    again = source(folder)
    for batch in again.batches(raw.position_of(tmp_path / "raw", "meters")):
        raw.append_batch(tmp_path / "raw", source="meters", batch=batch)
        again.done(batch.position)
    assert raw.read_readings(tmp_path / "raw")["load_mw"].to_list() == [0.0, 1.0, 2.0, 3.0]
    assert tree(folder) == {f"processed/meter.{hour}.csv" for hour in range(4)}


TAKING = """
import sys
from pathlib import Path
from gridcast.ingestion.connectors.drop_folder import DropFolder
from gridcast.ingestion.tabular.formats import FileFormat

drop_folder = DropFolder(folder=Path(sys.argv[1]), file_format=FileFormat())
for batch in drop_folder.batches(None):
    print(batch.readings["series_id"].item(), flush=True)
    sys.stdin.readline()
    drop_folder.done(batch.position)
"""


def test_two_takers_at_once_never_take_the_same_file(folder: Path) -> None:
    expected = {f"meter_{number:02d}" for number in range(30)}
    for name in expected:
        drop_reading(folder, f"{name}.csv")
    takers = [
        subprocess.Popen(
            [sys.executable, "-c", TAKING, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    firsts = [taker.stdout.readline().strip() for taker in takers if taker.stdout]
    with ThreadPoolExecutor(2) as pool:
        rest = list(pool.map(lambda taker: taker.communicate("\n" * 40, timeout=60)[0].split(), takers))
    taken = [*firsts, *rest[0], *rest[1]]
    assert len(set(firsts)) == 2
    assert sorted(taken) == sorted(expected)
    assert [taker.returncode for taker in takers] == [0, 0]
    assert tree(folder) == {f"processed/{name}.csv" for name in expected}


def test_a_folder_that_is_removed_while_it_is_watched_ends_with_one_message(folder: Path) -> None:
    seen = Queue[str]()
    drop_reading(folder, "a.csv")
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(
            watch_and_tell, DropFolder(folder=folder, file_format=FileFormat(), is_watched=True), seen
        )
        assert seen.get(timeout=SOON) == "a"
        shutil.rmtree(folder)
        error = watching.exception(timeout=SOON)
    assert isinstance(error, GridcastError)
    assert str(error).startswith(f"drop folder {folder}: is not there; expected a folder")


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(GridcastError, match="is not there"):
        worked_off(source(tmp_path / "typo"))
    assert not (tmp_path / "typo").exists()


def test_a_file_that_cannot_be_moved_to_rejected_stays_in_hand(folder: Path) -> None:
    (folder / "rejected").symlink_to("nowhere")
    drop(folder, "bad.csv", "a,never,1")
    with pytest.raises(GridcastError, match=r"rejected: cannot be written \(File exists\)"):
        worked_off(source(folder))
    (folder / "rejected").unlink()
    (batch,) = worked_off(source(folder))
    assert batch.dead.height == 1
    assert tree(folder) == {"rejected/bad.csv", "rejected/bad.csv.reason.txt"}


def test_a_file_that_the_libraries_fail_on_is_rejected_and_blocks_nobody(folder: Path) -> None:
    loads = pa.array([Decimal(10) ** 60], pa.decimal256(76, 3))
    pq.write_table(
        pa.table({"series_id": ["a"], "valid_time": ["2024-01-01"], "load_mw": loads}), folder / "bad.parquet"
    )
    os.utime(folder / "bad.parquet", (0, 0))
    drop_reading(folder, "good.csv")
    bad, good = worked_off(source(folder))
    assert bad.dead["reason"].to_list() == ["unreadable_file"]
    assert "bad.parquet: a column has a type that cannot be read" in bad.dead["raw"].item()
    assert good.readings.height == 1
    assert tree(folder) == {"rejected/bad.parquet", "rejected/bad.parquet.reason.txt", "processed/good.csv"}


@pytest.mark.parametrize("name", ["x" * 251 + ".csv", "é" * 125 + ".csv"], ids=["ascii", "two bytes each"])
def test_a_file_with_the_longest_name_there_is_is_moved_aside_every_time(folder: Path, name: str) -> None:
    for _ in range(3):
        drop(folder, ".short", "a,never,1")
        (folder / ".short").rename(folder / name)
        assert worked_off(source(folder))[0].dead.height == 1
    moved = sorted((folder / "rejected").iterdir())
    texts = [file for file in moved if file.name.endswith(".reason.txt")]
    assert (len(moved), len(texts)) == (6, 3)
    assert name in {file.name for file in moved}
    assert all(file.name.endswith((".csv", ".reason.txt")) for file in moved)


def test_a_full_disk_stops_before_anything_is_lost_and_space_lets_it_go_on(tmp_path: Path) -> None:
    with small_disk_in(tmp_path, size="256k") as disk:
        drop(disk, "bad.csv", "a,never,1")
        batch = next(source(disk).batches(None))
        ballast = disk / ".ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        with pytest.raises(GridcastError, match=r"the disk is full.*Free some space"):
            source(disk).done(batch.position)
        ballast.unlink()
        assert worked_off(source(disk))[0].dead.equals(batch.dead)
        assert tree(disk) == {"rejected/bad.csv", "rejected/bad.csv.reason.txt"}
