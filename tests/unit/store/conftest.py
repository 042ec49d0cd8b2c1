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

DELETE = {table: f"DELETE FROM {table}" for table in METADATA.tables}  # noqa: S608 - names of ours
SEQUENCES = ("reading_log_log_offset_seq", "events_event_id_seq", "audit_log_audit_id_seq")
EMPTY = {
    "sqlite": [*(DELETE[table] for table in DELETE if table != "audit_log"), "DELETE FROM sqlite_sequence"],
    "postgresql": [
        "SET session_replication_role = replica",
        *DELETE.values(),
        *(f"ALTER SEQUENCE {sequence} RESTART" for sequence in SEQUENCES),
    ],
}


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server whose database 'tables' holds the tables of an empty store."""
    with running_postgres() as server:
        server.execute("CREATE DATABASE tables")
        Store.open(server.url("tables")).close()
        yield server


@pytest.fixture(scope="session")
def reused_database(postgres: Server) -> Iterator[psycopg.Connection]:
    """A connection to a database with the tables of a store, that one test after the other empties."""
    url = postgres.new_database(like="tables")
    with contextlib.closing(psycopg.connect(url, autocommit=True)) as connection:
        yield connection


@pytest.fixture(scope="session")
def reused_store(postgres: Server, reused_database: psycopg.Connection) -> Iterator[Store]:
    with contextlib.closing(Store.open(postgres.url(reused_database.info.dbname))) as store:
        yield store


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
    connection = request.getfixturevalue("reused_database")
    run(connection, EMPTY[database])
    return str(request.getfixturevalue("postgres").url(connection.info.dbname))


@pytest.fixture
def store(place: Path | str, request: pytest.FixtureRequest) -> Iterator[Store]:
    if isinstance(place, str):
        yield request.getfixturevalue("reused_store")
    else:
        with contextlib.closing(Store.open(place)) as store:
            yield store


@pytest.fixture
def empty(
    database: str, place: Path | str, store: Store, request: pytest.FixtureRequest
) -> Iterator[Callable[[], None]]:
    """Takes all rows out of the store."""
    if isinstance(place, str):
        connection = request.getfixturevalue("reused_database")
        yield lambda: run(connection, EMPTY[database])
    else:
        with contextlib.closing(sqlite3.connect(place, isolation_level=None)) as connection:
            yield lambda: run(connection, EMPTY[database])


def run(connection: sqlite3.Connection | psycopg.Connection, statements: list[str]) -> None:
    for statement in statements:
        connection.execute(statement)
