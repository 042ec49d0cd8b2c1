"""Every test that asks for a store runs on each kind of database."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from support.postgres import Server, running_postgres

from gridcast.store.schema import METADATA
from gridcast.store.store import Store

EMPTY = [f"DELETE FROM {table}" for table in METADATA.tables]
RESTART = {
    "sqlite": ["DELETE FROM sqlite_sequence"],
    "postgresql": ["ALTER SEQUENCE reading_log_log_offset_seq RESTART", "ALTER SEQUENCE events_event_id_seq RESTART"],
}


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server whose database 'tables' holds the tables of an empty store."""
    with running_postgres() as server:
        server.execute("CREATE DATABASE tables")
        Store.open(server.url("tables")).close()
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def unused_place(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Path | str:
    """Where a store can be made: nothing is there yet."""
    if database == "sqlite":
        return tmp_path / "new folder" / "gridcast.db"
    return str(request.getfixturevalue("postgres").new_database())


@pytest.fixture
def place(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Path | str:
    """Where an empty store is."""
    if database == "sqlite":
        return tmp_path / "gridcast.db"
    return str(request.getfixturevalue("postgres").new_database(like="tables"))


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:
    with contextlib.closing(Store.open(place)) as store:
        yield store


@pytest.fixture
def connection(place: Path | str, store: Store) -> Iterator[sqlite3.Connection | psycopg.Connection]:
    """One to the same database that is not the store's; each statement stands by itself."""
    other = sqlite3.connect(place, isolation_level=None) if isinstance(place, Path) else psycopg.connect(place)
    with contextlib.closing(other):
        if isinstance(other, psycopg.Connection):
            other.autocommit = True
        yield other


@pytest.fixture
def empty(database: str, connection: sqlite3.Connection | psycopg.Connection) -> Callable[[], None]:
    """Takes all rows out of the store."""

    def run() -> None:
        for statement in (*EMPTY, *RESTART[database]):
            connection.execute(statement)

    return run
