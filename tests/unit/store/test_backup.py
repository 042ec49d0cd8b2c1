"""A backup of a store of either kind fills an empty store of either kind with the same rows."""

import contextlib
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from support.small_disk import small_disk_in
from support.store_ticks import ALWAYS, START, clean, commit, forecast, received

from gridcast.store import backup, condition, frames, schema
from gridcast.store.errors import StoreError
from gridcast.store.store import Store

KINDS = ("sqlite", "postgresql")
NewPlace = Callable[[str], Path | str]


def quiet(_: str, __: int) -> None:
    pass


@pytest.fixture
def new_place(tmp_path: Path, request: pytest.FixtureRequest) -> NewPlace:
    """Where a store of a kind can be made."""

    def place(kind: str) -> Path | str:
        if kind == "sqlite":
            return tmp_path / f"{len(list(tmp_path.iterdir()))}.db"
        return str(request.getfixturevalue("postgres").new_database(like="tables"))

    return place


def fill(store: Store) -> None:
    """Rows in every table, with empty values, quotes and two months of issue."""
    store.land(received(50))
    store.land_batch(received(2, series_id='it\'s "b"'), source="scada", position="{}", at=START)
    for tick in (1, 2, 40):
        commit(store, tick, readings=clean(tick), forecasts=forecast(tick))
    store.add_event(at=START, kind="promoted", message="line\nbreak, and comma")
    store.add_latencies(pl.DataFrame({"stage": ["read"], "upper_s": [float("inf")], "n": [3]}))
    store.save_clean(clean(1, count=9).with_columns(load_mw=pl.lit(None, pl.Float64)), known_from=START)
    with store.transaction() as connection:
        for table in (schema.OVERRIDES, schema.AUDIT_LOG, schema.API_KEYS, schema.PUSHES, schema.TICK_COUNTS):
            row = {
                column.name: [START if column.name in frames.TIMES else 1.5 if column.name == "value" else "1"]
                for column in table.columns
                if not column.nullable or column.name == "value"
            }
            types = {name: pl.Int64 for name in ("rows", "audit_id") if name in row}
            frames.upsert(connection, table, pl.DataFrame(row).cast(types))
        score = {"series_id": "a", "issue_time": START, "layer": "model", "lead_bucket": "0–6 h", "model_version": "1"}
        frames.upsert(connection, schema.SCORES, pl.DataFrame([{**score, "n": 3, "mae_mw": 1.5}]))


def content(store: Store) -> dict[str, list[Any]]:
    """Every row of every table."""
    with store.transaction() as connection:
        return {
            name: sorted(map(tuple, connection.execute(table.select())), key=repr)
            for name, table in schema.METADATA.tables.items()
        }


@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("target", KINDS)
def test_a_restored_store_holds_what_was_saved_and_goes_on(
    source: str, target: str, tmp_path: Path, new_place: NewPlace
) -> None:
    folder = tmp_path / "saved"
    with contextlib.closing(Store.open(new_place(source))) as store:
        fill(store)
        before = content(store)
        assert all(before.values())
        manifest = backup.save(store, folder, tell=quiet)
    assert {name: each.rows for name, each in manifest.tables.items()} == {n: len(r) for n, r in before.items()}
    assert backup.faults(folder, backup.read_manifest(folder), tell=quiet) == []
    with contextlib.closing(Store.open(new_place(target))) as store:
        backup.restore(folder, store, tell=quiet)
        assert content(store) == before
        with store.transaction() as connection:
            assert list(condition.faults(connection)) == []
        head = store.log_head()
        store.land(received(1))
        store.add_event(at=START, kind="k", message="")
        assert store.log_head() == head + 1
        commit(store, 41, readings=clean(41), forecasts=forecast(41))
        assert store.latest_forecast("a").equals(forecast(41))
        assert store.readings_as_of(START + timedelta(days=40), **ALWAYS).height == 9


def test_a_backup_is_one_moment_while_others_write(store: Store, place: Path | str, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        with contextlib.closing(Store.open(place)) as other:
            tick = 1
            while not stop.is_set():
                commit(other, tick, readings=clean(tick), forecasts=forecast(tick))
                tick += 1

    with ThreadPoolExecutor() as pool:
        writing = pool.submit(write)
        while store.newest_issue_time() is None:
            assert not writing.done()
        for number in range(5):
            folder = tmp_path / str(number)
            backup.save(store, folder, tell=quiet)
            tables = {
                each: pl.read_parquet(folder / f"{each}.parquet") for each in ("consumers", "forecasts", "readings")
            }
            tick = tables["consumers"]["log_offset"].item()
            assert tables["forecasts"].height == 3 * tick
            assert set(tables["readings"]["raw_load_mw"]) == {float(tick)}
        stop.set()
        writing.result(timeout=30)


def test_a_store_that_holds_something_is_not_restored_into(store: Store, tmp_path: Path) -> None:
    store.add_event(at=START, kind="k", message="")
    backup.save(store, tmp_path / "saved", tell=quiet)
    with pytest.raises(StoreError, match="there are rows in events; expected an empty store"):
        backup.restore(tmp_path / "saved", store, tell=quiet)
    assert store.counts()["events"] == 1


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A backup."""
    with contextlib.closing(Store.open(tmp_path / "first.db")) as store:
        fill(store)
        backup.save(store, tmp_path / "saved", tell=quiet)
    return tmp_path / "saved"


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        pytest.param(flip, "scores.parquet has changed since it was written", id="one bit"),
        pytest.param(shorten, "scores.parquet has changed since it was written", id="cut off"),
        pytest.param(Path.unlink, "scores.parquet cannot be read", id="gone"),
    ],
)
def test_a_damaged_file_is_named_and_nothing_is_restored(
    saved: Path, store: Store, damage: Callable[[Path], None], told: str
) -> None:
    damage(saved / "scores.parquet")
    assert [each.startswith(told) for each in backup.faults(saved, backup.read_manifest(saved), tell=quiet)] == [True]
    with pytest.raises(StoreError, match=told):
        backup.restore(saved, store, tell=quiet)
    assert sum(store.counts().values()) == 0


def change(folder: Path, **members: object) -> None:
    manifest = json.loads((folder / backup.MANIFEST).read_text())
    (folder / backup.MANIFEST).write_text(json.dumps({**manifest, **members}))


def test_a_manifest_that_counts_other_rows_is_told(saved: Path) -> None:
    tables = json.loads((saved / backup.MANIFEST).read_text())["tables"]
    change(saved, tables={**tables, "events": {**tables["events"], "rows": 7}})
    (fault,) = backup.faults(saved, backup.read_manifest(saved), tell=quiet)
    assert fault == "events.parquet has 1 rows, the manifest says 7"


@pytest.mark.parametrize(
    ("members", "told"),
    [
        pytest.param({"revision": "9999"}, "of revision 9999, by gridcast .*; expected revision", id="later"),
        pytest.param({"tables": {}}, "expected revision", id="without tables"),
        pytest.param({"rows": 7}, "manifest.json cannot be read", id="something else"),
        pytest.param({"tables": []}, "manifest.json cannot be read", id="another form"),
    ],
)
def test_a_backup_of_another_gridcast_is_refused(saved: Path, members: dict[str, object], told: str) -> None:
    change(saved, **members)
    with pytest.raises(StoreError, match=told):
        backup.read_manifest(saved)


def test_a_folder_that_is_no_backup_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="expected a folder 'gridcast store backup' wrote"):
        backup.read_manifest(tmp_path)


def test_a_folder_with_something_in_it_is_left_alone(saved: Path, store: Store) -> None:
    before = sorted(saved.iterdir())
    with pytest.raises(StoreError, match="there is something already; expected a new folder"):
        backup.save(store, saved, tell=quiet)
    assert sorted(saved.iterdir()) == before


def test_a_full_disk_leaves_no_backup(tmp_path: Path, store: Store) -> None:
    store.land(received(60_000))
    with small_disk_in(tmp_path, size="64k") as disk:
        with pytest.raises(StoreError, match="No space left on device; expected a folder gridcast may make"):
            backup.save(store, disk / "saved", tell=quiet)
        assert list(disk.iterdir()) == []


def test_a_restore_that_fails_leaves_the_store_empty(saved: Path, store: Store, tmp_path: Path) -> None:
    tables = json.loads((saved / backup.MANIFEST).read_text())["tables"]
    bad = pl.read_parquet(saved / "scores.parquet").with_columns(model_version=pl.lit(None, pl.String))
    bad.write_parquet(saved / "scores.parquet")
    digest = backup.sha256(saved / "scores.parquet")
    change(saved, tables={**tables, "scores": {**tables["scores"], "sha256": digest}})
    with pytest.raises(StoreError, match="model_version"):
        backup.restore(saved, store, tell=quiet)
    assert sum(store.counts().values()) == 0
