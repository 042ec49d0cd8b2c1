"""A store in a file: processes that die or look on, full disks, files of others, folders that may not be written."""

import contextlib
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from support.small_disk import mount, small_disk_in
from support.store_ticks import LONG, MANY, START, after, child, clean, commit, forecast, received, ticks_seen

from gridcast.store.errors import StoreError
from gridcast.store.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gridcast.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with contextlib.closing(Store.open(path)) as store:
        yield store


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk_in(tmp_path, size="2m") as disk:
        yield disk


KILLED_IN_A_COMMIT = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
import polars as pl
import sqlalchemy as sa
from gridcast.store.store import Store

path, folder, moment, tick = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
readings, forecasts = (pl.read_parquet(folder / f"{name}.parquet") for name in ("readings", "forecasts"))
store = Store.open(path)

@sa.event.listens_for(sa.Engine, "before_cursor_execute")
def before_statement(connection, cursor, statement, *_):
    cursor.execute("PRAGMA cache_size=-2000")
    if moment in statement:
        os.kill(os.getpid(), signal.SIGKILL)

@sa.event.listens_for(sa.Engine, "commit")
def before_commit(connection):
    if moment == "commit":
        os.kill(os.getpid(), signal.SIGKILL)

issue_time = datetime.fromisoformat(sys.argv[5])
store.commit_tick(consumer="c", log_offset=tick, issue_time=issue_time, readings=readings, forecasts=forecasts)
"""


@pytest.mark.parametrize("moment", ["INTO forecasts", "commit"])
def test_a_process_killed_in_a_tick_leaves_the_tick_before(
    tmp_path: Path, path: Path, store: Store, moment: str
) -> None:
    commit(store, 1, readings=clean(1), forecasts=forecast(1))
    readings, forecasts = clean(2, count=MANY), forecast(2)
    readings.write_parquet(tmp_path / "readings.parquet")
    forecasts.write_parquet(tmp_path / "forecasts.parquet")
    wal = Path(f"{path}-wal")
    before = wal.stat().st_size
    killed = child(KILLED_IN_A_COMMIT, path, tmp_path, moment, 2, START + timedelta(days=2))
    _, told = killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL, told
    assert wal.stat().st_size > before + 100_000
    assert ticks_seen(store) == after(1)
    commit(store, 2, readings=readings, forecasts=forecasts)
    assert ticks_seen(store) == after(2)


LOOKS_ON = """
import sys
from pathlib import Path
from gridcast.store.store import Store

store = Store.open(Path(sys.argv[1]))
for _ in sys.stdin:
    print(store.position("c").log_offset, store.counts()["reading_log"], flush=True)
"""


def test_another_process_reads_the_last_whole_step_while_one_is_written(path: Path, store: Store) -> None:
    commit(store, 1, readings=clean(1), forecasts=forecast(1))
    other = contextlib.closing(sqlite3.connect(path, isolation_level=None))
    with other as connection, child(LOOKS_ON, path) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None

        def seen() -> str:
            print(file=reader.stdin, flush=True)
            return reader.stdout.readline().strip()

        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE consumers SET log_offset = 2")
        connection.execute("INSERT INTO reading_log (series_id, valid_time, available_at) VALUES ('a', 0, 0)")
        assert seen() == "1 0"
        connection.execute("COMMIT")
        assert seen() == "2 1"
        reader.stdin.close()
        assert reader.wait(timeout=60) == 0


def test_a_new_file_that_another_process_is_writing_is_waited_for(path: Path) -> None:
    other = contextlib.closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False))
    with other as connection, ThreadPoolExecutor() as pool:
        connection.execute("BEGIN IMMEDIATE")
        opening = pool.submit(Store.open, path)
        with pytest.raises(TimeoutError):
            opening.result(timeout=0.3)
        connection.execute("COMMIT")
        opening.result(timeout=30).close()


def test_a_full_disk_keeps_the_tick_before_and_goes_on_when_there_is_room(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_000_000))
    with contextlib.closing(Store.open(small_disk / "gridcast.db")) as store:
        commit(store, 1, readings=clean(1), forecasts=forecast(1))
        with pytest.raises(StoreError, match=r"store .*gridcast\.db: .*full; expected .* on a disk with free space"):
            commit(store, 2, readings=clean(2, count=MANY), forecasts=forecast(2))
        assert ticks_seen(store) == after(1)
        with pytest.raises(StoreError, match="full"):
            store.land(received(MANY, series_id=LONG))
        assert store.log_head() == 0
        ballast.unlink()
        commit(store, 2, readings=clean(2), forecasts=forecast(2))
        assert ticks_seen(store) == after(2)


def test_a_store_cannot_be_made_on_a_full_disk(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(shutil.disk_usage(small_disk).free))
    with pytest.raises(StoreError, match="on a disk with free space"):
        Store.open(small_disk / "gridcast.db")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(b"series_id,valid_time,load_mw\n" * 50, "file is not a database", id="text"),
        pytest.param(bytes(range(256)) * 64, "file is not a database", id="noise"),
        pytest.param(b"SQLite format 3\x00" + bytes(5_000), "file is not a database", id="a header alone"),
    ],
)
def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path, content: bytes, told: str) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreError, match=rf"store .*gridcast\.db: {told}; expected a writable SQLite file") as error:
        Store.open(path)
    assert str(path) in str(error.value)
    assert path.read_bytes() == content


def test_a_folder_in_the_place_of_the_file_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreError, match=r"store .*gridcast\.db: unable to open database file; expected"):
        Store.open(path)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(StoreError, match="expected a folder gridcast may write to"):
        Store.open(tmp_path / "data" / "deeper" / "gridcast.db")


def test_a_folder_that_must_not_be_written_is_refused(small_disk: Path) -> None:
    assert not mount(small_disk, "remount,ro")
    with pytest.raises(StoreError, match="unable to open database file; expected a writable SQLite file"):
        Store.open(small_disk / "gridcast.db")
    with pytest.raises(StoreError, match="Read-only file system; expected a folder gridcast may write to"):
        Store.open(small_disk / "data" / "gridcast.db")


@pytest.mark.parametrize("name", ["with space", "a%20b", "a?b", "a#b", "Zählerstände", "it's"])
def test_a_folder_can_have_any_name(tmp_path: Path, name: str) -> None:
    with contextlib.closing(Store.open(tmp_path / name / "gridcast.db")) as store:
        store.land(received(1))
    assert [each.name for each in tmp_path.iterdir()] == [name]
    assert "gridcast.db" in [each.name for each in (tmp_path / name).iterdir()]
