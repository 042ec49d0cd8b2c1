"""A step of the store is written whole or not at all, whatever goes wrong, and other processes may look on."""

import contextlib
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from support.small_disk import mount, small_disk_in

from gridcast.domain.errors import GridcastError
from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import CLEAN_READINGS, FORECASTS, READINGS
from gridcast.store.sqlite import Position, Store

START = datetime(2024, 3, 31, tzinfo=UTC)
ALWAYS = {"start": START, "end": START + timedelta(days=9_999)}
MANY = 6_000
LONG = "-" * 500
"""As many rows of so long a text are more than SQLite keeps in memory of itself: they reach the disk before a commit."""


def hours(count: int) -> pl.DataFrame:
    times = pl.datetime_range(START, START + timedelta(hours=count), "1h", closed="left", time_zone="UTC")
    return pl.select(valid_time=times)


def received(count: int, *, series_id: str = "a") -> pl.DataFrame:
    columns = {"series_id": pl.lit(series_id), "load_mw": 1.0, "available_at": "valid_time"}
    return hours(count).with_columns(**columns).select(READINGS.names()).cast(dict(READINGS))


def clean(tick: int, *, count: int = 3) -> pl.DataFrame:
    columns = {"raw_load_mw": pl.lit(float(tick)), "quality": pl.lit("good"), "rule": pl.lit(LONG)}
    return received(count).with_columns(**columns).select(CLEAN_READINGS.names())


def forecast(tick: int, *, version: str | None = "1") -> pl.DataFrame:
    keys = {"series_id": pl.lit("a"), "issue_time": pl.lit(START + timedelta(days=tick)), "layer": pl.lit("model")}
    other = {"model_version": pl.lit(version), "degraded_because": pl.lit("")}
    quantiles = {column: pl.lit(float(tick)) for column in QUANTILE_COLUMNS}
    return hours(3).with_columns(**keys, **other, **quantiles).select(FORECASTS.names()).cast(dict(FORECASTS))


def commit(store: Store, tick: int, *, readings: pl.DataFrame, forecasts: pl.DataFrame) -> None:
    issue_time = START + timedelta(days=tick)
    store.commit_tick(consumer="c", log_offset=tick, issue_time=issue_time, readings=readings, forecasts=forecasts)


def ticks_seen(store: Store) -> tuple[Position, set[float], set[datetime]]:
    """Where the consumer stands, the ticks that the stored readings are of, and the stored issue times."""
    readings, forecasts = store.readings(**ALWAYS), store.forecasts(**ALWAYS)
    return store.position("c"), set(readings["raw_load_mw"]), set(forecasts["issue_time"])


def after(tick: int) -> tuple[Position, set[float], set[datetime]]:
    """What is seen after the ticks 1 … `tick`, each of which replaces all readings."""
    issue_times = [START + timedelta(days=each) for each in range(1, tick + 1)]
    return Position(tick, issue_times[-1]), {float(tick)}, set(issue_times)


def child(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


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


@pytest.mark.parametrize("column", ["model_version", "layer", "degraded_because", "valid_time"])
def test_a_tick_with_one_impossible_forecast_leaves_nothing_behind(store: Store, column: str) -> None:
    commit(store, 1, readings=clean(1), forecasts=forecast(1))
    bad_row = forecast(2).head(1).with_columns(pl.lit(None).cast(FORECASTS[column]).alias(column))
    with pytest.raises(GridcastError, match=f"NOT NULL constraint failed: forecasts.{column}.*Nothing of this step"):
        commit(store, 2, readings=clean(2, count=9), forecasts=pl.concat([forecast(2), bad_row]))
    assert ticks_seen(store) == after(1)
    assert store.readings(**ALWAYS).height == 3
    commit(store, 2, readings=clean(2), forecasts=forecast(2))
    assert ticks_seen(store) == after(2)


def test_a_landing_with_one_impossible_reading_lands_nothing(store: Store) -> None:
    store.land(received(2))
    with pytest.raises(GridcastError, match=r"NOT NULL constraint failed: reading_log\.series_id"):
        store.land(pl.concat([received(2), received(1).with_columns(series_id=pl.lit(None, pl.String))]))
    store.land(received(1))
    assert store.log_head() == 3
    assert store.counts()["reading_log"] == 3


KILLED_IN_A_COMMIT = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
import polars as pl
import sqlalchemy as sa
from gridcast.store.sqlite import Store

folder, moment, tick, issue_time = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), datetime.fromisoformat(sys.argv[4])
readings, forecasts = (pl.read_parquet(folder / f"{name}.parquet") for name in ("readings", "forecasts"))
store = Store.open(folder / "gridcast.db")

@sa.event.listens_for(sa.Engine, "before_cursor_execute")
def before_statement(connection, cursor, statement, *_):
    cursor.execute("PRAGMA cache_size=-2000")
    if moment in statement:
        os.kill(os.getpid(), signal.SIGKILL)

@sa.event.listens_for(sa.Engine, "commit")
def before_commit(connection):
    if moment == "commit":
        os.kill(os.getpid(), signal.SIGKILL)

store.commit_tick(consumer="c", log_offset=tick, issue_time=issue_time, readings=readings, forecasts=forecasts)
"""


@pytest.mark.parametrize("moment", ["INTO forecasts", "commit"])
def test_a_process_killed_in_a_tick_leaves_the_tick_before(tmp_path: Path, store: Store, moment: str) -> None:
    commit(store, 1, readings=clean(1), forecasts=forecast(1))
    readings, forecasts = clean(2, count=MANY), forecast(2)
    readings.write_parquet(tmp_path / "readings.parquet")
    forecasts.write_parquet(tmp_path / "forecasts.parquet")
    wal = tmp_path / "gridcast.db-wal"
    before = wal.stat().st_size
    killed = child(KILLED_IN_A_COMMIT, tmp_path, moment, 2, START + timedelta(days=2))
    _, told = killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL, told
    assert wal.stat().st_size > before + 100_000
    assert ticks_seen(store) == after(1)
    commit(store, 2, readings=readings, forecasts=forecasts)
    assert ticks_seen(store) == after(2)


LOOKS_ON = """
import sys
from datetime import datetime
from pathlib import Path
from gridcast.store.sqlite import Store

store = Store.open(Path(sys.argv[1]))
for _ in sys.stdin:
    print(store.position("c").log_offset, store.counts()["reading_log"], flush=True)
"""


def test_another_process_reads_the_last_whole_step_while_one_is_written(path: Path, store: Store) -> None:
    commit(store, 1, readings=clean(1), forecasts=forecast(1))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer, child(LOOKS_ON, path) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None

        def seen() -> str:
            print(file=reader.stdin, flush=True)
            return reader.stdout.readline().strip()

        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE consumers SET log_offset = 2")
        writer.execute("INSERT INTO reading_log (series_id, valid_time, available_at) VALUES ('a', 0, 0)")
        assert seen() == "1 0"
        writer.execute("COMMIT")
        assert seen() == "2 1"
        reader.stdin.close()
        assert reader.wait(timeout=60) == 0


LANDS = """
import sys
from pathlib import Path
import polars as pl
from gridcast.store.sqlite import Store

readings = pl.read_parquet(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
store = Store.open(Path(sys.argv[1]))
for reading in readings.iter_slices(1):
    store.land(reading)
"""


def test_processes_that_start_together_share_a_new_store(tmp_path: Path, path: Path) -> None:
    writers = []
    for name in "ab":
        received(8, series_id=name).write_parquet(tmp_path / f"{name}.parquet")
        writers.append(child(LANDS, path, tmp_path / f"{name}.parquet"))
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        print("go", file=writer.stdin, flush=True)
    told = [writer.communicate(timeout=60) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], told
    with contextlib.closing(Store.open(path)) as store:
        landed = store.landed(**ALWAYS, up_to_offset=16)
    assert all(landed.filter(series_id=name).equals(received(8, series_id=name)) for name in "ab")


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
        with pytest.raises(GridcastError, match=r"store .*gridcast\.db: .*full; expected .* on a disk with free space"):
            commit(store, 2, readings=clean(2, count=MANY), forecasts=forecast(2))
        assert ticks_seen(store) == after(1)
        with pytest.raises(GridcastError, match="full"):
            store.land(received(MANY, series_id=LONG))
        assert store.log_head() == 0
        ballast.unlink()
        commit(store, 2, readings=clean(2), forecasts=forecast(2))
        assert ticks_seen(store) == after(2)


def test_a_store_cannot_be_made_on_a_full_disk(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(shutil.disk_usage(small_disk).free))
    with pytest.raises(GridcastError, match="on a disk with free space"):
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
    with pytest.raises(GridcastError, match=rf"store .*gridcast\.db: {told}; expected a writable SQLite file") as error:
        Store.open(path)
    assert str(path) in str(error.value)
    assert path.read_bytes() == content


def test_a_folder_in_the_place_of_the_file_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(GridcastError, match=r"store .*gridcast\.db: unable to open database file; expected"):
        Store.open(path)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(GridcastError, match="expected a folder gridcast may write to"):
        Store.open(tmp_path / "data" / "deeper" / "gridcast.db")


def test_a_folder_that_must_not_be_written_is_refused(small_disk: Path) -> None:
    assert not mount(small_disk, "remount,ro")
    with pytest.raises(GridcastError, match="unable to open database file; expected a writable SQLite file"):
        Store.open(small_disk / "gridcast.db")
    with pytest.raises(GridcastError, match="Read-only file system; expected a folder gridcast may write to"):
        Store.open(small_disk / "data" / "gridcast.db")


@pytest.mark.parametrize("name", ["with space", "a%20b", "a?b", "a#b", "Zählerstände", "it's"])
def test_a_folder_can_have_any_name(tmp_path: Path, name: str) -> None:
    with contextlib.closing(Store.open(tmp_path / name / "gridcast.db")) as store:
        store.land(received(1))
    assert [each.name for each in tmp_path.iterdir()] == [name]
    assert "gridcast.db" in [each.name for each in (tmp_path / name).iterdir()]
