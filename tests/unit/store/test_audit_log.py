"""The audit log is one chain that shows every change to it, on each kind of database."""

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gridcast.store import audit, backup
from gridcast.store.audit import FIRST_HASH, Entry, Head
from gridcast.store.errors import StoreError
from gridcast.store.store import Store

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
WRITER = Path(__file__).parents[2] / "support" / "audit_writer.py"
Database = Callable[[str], object]


def entry(number: int = 0, **changes: Any) -> Entry:
    known: dict[str, Any] = {
        "at": AT + timedelta(seconds=number),
        "actor": "ada",
        "role": "operator",
        "action": "POST /v1/overrides",
        "target": f"/v1/overrides/{number}",
        "detail": {"status": 201, "number": number},
    }
    return Entry(**known | changes)


@pytest.fixture
def log(unused_place: Path | str) -> Iterator[Store]:
    """A store whose log has five rows."""
    with contextlib.closing(Store.open(unused_place)) as store:
        for number in range(5):
            audit.append(store, entry(number))
        yield store


@pytest.fixture
def administrator(log: Store, unused_place: Path | str) -> Iterator[Database]:
    """Runs SQL as somebody who may switch triggers off."""
    if isinstance(unused_place, str):
        with contextlib.closing(psycopg.connect(unused_place, autocommit=True)) as server:
            server.execute("SET session_replication_role = replica")
            yield server.execute
    else:
        with contextlib.closing(sqlite3.connect(unused_place, isolation_level=None)) as file:
            file.execute("DROP TRIGGER audit_log_keeps_rows")
            file.execute("DROP TRIGGER audit_log_keeps_values")
            yield file.execute


def test_rows_come_back_newest_first_as_they_were_written(log: Store) -> None:
    rows = audit.newest(log, limit=2)
    assert [row.audit_id for row in rows] == [5, 4]
    assert rows[0].at == AT + timedelta(seconds=4)
    assert (rows[0].actor, rows[0].role, rows[0].target) == ("ada", "operator", "/v1/overrides/4")
    assert rows[0].detail == {"status": 201, "number": 4}
    assert [row.audit_id for row in audit.newest(log, limit=9, before=3)] == [2, 1]


def test_an_untouched_log_holds_together_and_has_a_head(log: Store) -> None:
    found = audit.verify(log)
    assert (found.rows, found.fault) == (5, None)
    assert found.head == audit.head(log) == Head(5, audit.newest(log, limit=1)[0].hash)


def test_an_empty_log_holds_together(unused_place: Path | str) -> None:
    with contextlib.closing(Store.open(unused_place)) as store:
        assert audit.verify(store) == (0, Head(0, FIRST_HASH), None)


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE audit_log SET actor = 'eve' WHERE audit_id = 3", id="change"),
        pytest.param("DELETE FROM audit_log WHERE audit_id = 3", id="delete"),
        pytest.param("DELETE FROM audit_log", id="empty"),
    ],
)
def test_the_database_itself_refuses_to_change_or_delete_rows(statement: str, log: Store) -> None:
    with pytest.raises(StoreError, match="append-only"), log.transaction() as connection:
        connection.exec_driver_sql(statement)
    assert audit.verify(log).rows == 5


def test_postgresql_refuses_to_truncate_the_log_too(log: Store, database: str) -> None:
    if database == "postgresql":
        with pytest.raises(StoreError, match="append-only"), log.transaction() as connection:
            connection.exec_driver_sql("TRUNCATE audit_log")
    assert audit.verify(log).rows == 5


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'eve'",
        "role = 'admin'",
        "at = at + 1",
        "target = ''",
        "action = 'x'",
        "detail = '{}'",
        "detail = detail || ' '",
    ],
)
def test_a_changed_row_is_named(change: str, log: Store, administrator: Database) -> None:
    administrator(f"UPDATE audit_log SET {change} WHERE audit_id = 3")  # noqa: S608
    found = audit.verify(log)
    assert (found.rows, found.fault) == (2, "row 3: was changed after it was written")


def test_a_row_that_was_changed_with_its_hash_breaks_the_row_after_it(log: Store, administrator: Database) -> None:
    administrator("UPDATE audit_log SET actor = 'eve' WHERE audit_id = 3")
    with log.transaction() as connection:
        row = dict(connection.exec_driver_sql("SELECT * FROM audit_log WHERE audit_id = 3").mappings().one())
    administrator(f"UPDATE audit_log SET hash = '{audit.hash_of(row)}' WHERE audit_id = 3")  # noqa: S608
    assert audit.verify(log).fault == "row 4: does not follow the row before it"


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        pytest.param("DELETE FROM audit_log WHERE audit_id = 3", "row 3: missing, row 4 comes next", id="middle"),
        pytest.param("DELETE FROM audit_log WHERE audit_id <= 2", "row 1: missing, row 3 comes next", id="beginning"),
        pytest.param(
            "UPDATE audit_log SET audit_id = 9 WHERE audit_id = 5", "row 5: missing, row 9 comes next", id="moved"
        ),
        pytest.param(
            "INSERT INTO audit_log SELECT 6, at, actor, role, action, target, detail, previous_hash, hash "
            "FROM audit_log WHERE audit_id = 5",
            "row 6: does not follow the row before it",
            id="slipped in",
        ),
    ],
)
def test_a_removed_or_added_row_is_named(statement: str, fault: str, log: Store, administrator: Database) -> None:
    administrator(statement)
    assert audit.verify(log).fault == fault


def test_a_log_that_was_cut_off_is_found_out_by_its_published_head(log: Store, administrator: Database) -> None:
    published = audit.head(log)
    assert audit.verify(log, published=published).fault is None
    audit.append(log, entry(5))
    assert audit.verify(log, published=published).fault is None
    administrator("DELETE FROM audit_log WHERE audit_id >= 4")
    assert audit.verify(log).fault is None
    assert audit.verify(log, published=published).fault == "row 4: missing, the published log went on to row 5"


def test_a_log_that_was_written_anew_is_found_out_by_its_published_head(log: Store, administrator: Database) -> None:
    published = audit.head(log)
    administrator("DELETE FROM audit_log")
    for number in range(6):
        audit.append(log, entry(number, actor="eve"))
    assert audit.verify(log).fault is None
    assert audit.verify(log, published=published).fault == "row 5: is not the one that was published"


def test_an_entry_of_a_transaction_that_fails_is_not_there_and_leaves_no_gap(log: Store) -> None:
    def fail() -> None:
        with log.transaction() as connection:
            audit.append_in(connection, entry(5))
            raise RuntimeError("the change failed")

    with pytest.raises(RuntimeError):
        fail()
    assert audit.append(log, entry(6)).audit_id == 6
    assert audit.verify(log).fault is None


@pytest.mark.parametrize(
    "text",
    ["x'; DROP TABLE audit_log; --", "zero\0byte", "half \ud800 character", "line\nbreak", "ä €", "", "x" * 9999],
)
def test_any_text_can_be_written_and_still_holds_together(text: str, log: Store) -> None:
    audit.append(log, entry(actor=text, target=text, detail={"text": text, "many": [text] * 3}))
    assert audit.verify(log) == (6, audit.head(log), None)
    (row,) = audit.newest(log, limit=1)
    assert len(row.actor) <= audit.LONGEST_TEXT
    assert row.detail


def test_a_restored_backup_holds_the_same_chain_and_goes_on_with_it(log: Store, tmp_path: Path) -> None:
    audit.append(log, entry(5, actor="", target='it\'s "quoted", with\nlines', detail={"ä": None}))
    backup.save(log, tmp_path / "backup", tell=lambda *_: None)
    with contextlib.closing(Store.open(tmp_path / "restored.db")) as restored:
        backup.restore(tmp_path / "backup", restored, tell=lambda *_: None)
        assert audit.verify(restored, published=audit.head(log)) == (6, audit.head(log), None)
        assert audit.append(restored, entry(6)).audit_id == 7
        assert audit.verify(restored).fault is None


def test_many_processes_at_once_make_one_chain(unused_place: Path | str) -> None:
    Store.open(unused_place).close()
    writers = [
        subprocess.Popen([sys.executable, WRITER, str(unused_place), f"writer {number}", "25"]) for number in range(4)
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0] * 4
    with contextlib.closing(Store.open(unused_place)) as store:
        assert audit.verify(store)[::2] == (100, None)
        rows = audit.newest(store, limit=1000)
    for number in range(4):
        own = [row.target for row in reversed(rows) if row.actor == f"writer {number}"]
        assert own == [str(each) for each in range(25)]
