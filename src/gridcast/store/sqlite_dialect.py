"""SQLite: one file in WAL mode that other processes can read while it is written."""

import functools
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa
import tenacity
from sqlalchemy.dialects import sqlite
from sqlalchemy.pool import ConnectionPoolEntry

from gridcast.domain.tables import READINGS
from gridcast.store.database import Database
from gridcast.store.errors import StoreError
from gridcast.store.replacing import replacing
from gridcast.store.schema import FORECASTS

_PATIENCE_SECONDS = 30
_CACHE_KIB = 16 * 1024
_ROWS_AT_ONCE = 50_000

_APPEND_NEW = """
INSERT INTO reading_log (series_id, valid_time, load_mw, available_at, source)
SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS (
  SELECT 1 FROM (
    SELECT load_mw FROM reading_log WHERE series_id = ?1 AND valid_time = ?2 ORDER BY log_offset DESC LIMIT 1
  ) AS newest WHERE newest.load_mw IS ?3
)
"""

_EXPECTED = "a writable SQLite file made by gridcast on a disk with free space"


def database(path: Path) -> Database:
    """The file `path`, created with its folder when absent.

    Raises:
        StoreError: the folder cannot be created.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"store {path}: {error.strerror}; expected a folder gridcast may write to.") from error
    url = sa.URL.create("sqlite", database=str(path))
    engine = sa.create_engine(url, connect_args={"timeout": _PATIENCE_SECONDS})
    sa.event.listen(engine, "connect", _set_pragmas)
    return Database(engine=engine, name=str(path), expected=_EXPECTED)


def lock_schema(connection: sa.Connection) -> None:
    """From here to the end of the transaction nobody else writes."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def freeze(connection: sa.Connection) -> None:
    """As the first step: from here to the end of the transaction it sees the database as it is now."""
    connection.exec_driver_sql("BEGIN")
    connection.exec_driver_sql("SELECT count(*) FROM sqlite_schema")


def lock_log(connection: sa.Connection) -> None:
    """Nothing to do: a transaction that starts with a write waits for every other writer."""


def upsert(connection: sa.Connection, table: sa.Table, rows: pl.DataFrame, *, added: frozenset[str]) -> None:
    """Write the rows; of a key that is there or comes twice the last stays, but columns `added` are added up."""
    _execute(connection, _upsert(table, tuple(rows.columns), added), rows)


def append(connection: sa.Connection, table: sa.Table, rows: pl.DataFrame) -> None:
    """Write the rows in their order."""
    _execute(connection, _insert(table, tuple(rows.columns)), rows)


def append_new(connection: sa.Connection, readings: pl.DataFrame, *, source: str) -> int:
    """Append to the log, in order, each reading whose series and time has not that load already; how many."""
    return _execute(connection, _APPEND_NEW, readings.select(READINGS.names()).with_columns(source=pl.lit(source)))


def fetch(connection: sa.Connection, query: sa.Select[Any], schema: pl.Schema) -> pl.DataFrame:
    """The rows of a query, as stored."""
    return pl.concat([pl.DataFrame(schema=schema), *pieces(connection, query, schema)])


def pieces(connection: sa.Connection, query: sa.Select[Any], schema: pl.Schema) -> Iterator[pl.DataFrame]:
    """The rows of a query, as stored, some at a time."""
    cursor = connection.execute(query).cursor
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        yield pl.DataFrame(rows, schema=schema, orient="row")


def is_among(column: sa.ColumnElement[int], values: Sequence[int]) -> sa.ColumnElement[bool]:
    """Whether a column has one of many values."""
    return column.in_(values)


def renumber(connection: sa.Connection, table: sa.Table) -> None:
    """Nothing to do: AUTOINCREMENT goes on behind the largest number there has been."""


def drop_forecasts(connection: sa.Connection, *, before: int) -> int:
    """Remove forecasts issued before a time; how many."""
    return connection.execute(sa.delete(FORECASTS).where(FORECASTS.c.issue_time < before)).rowcount


def compact(connection: sa.Connection) -> bool:
    """Give the room of removed rows back to the disk, outside of a transaction: the file is written anew."""
    connection.exec_driver_sql("VACUUM")
    connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return True


def faults(connection: sa.Connection) -> list[str]:
    """What the database itself finds damaged."""
    try:
        said = [str(text) for (text,) in connection.exec_driver_sql("PRAGMA integrity_check")]
    except sa.exc.DatabaseError as error:
        return [str(error.orig)]
    return [] if said == ["ok"] else said


def _execute(connection: sa.Connection, text: str, rows: pl.DataFrame) -> int:
    return sum(connection.exec_driver_sql(text, part.rows()).rowcount for part in rows.iter_slices(_ROWS_AT_ONCE))


@functools.cache
def _upsert(table: sa.Table, names: Sequence[str], added: frozenset[str]) -> str:
    return _text(replacing(sqlite.insert(table), table, added=added), names)


@functools.cache
def _insert(table: sa.Table, names: Sequence[str]) -> str:
    return _text(sa.insert(table), names)


def _text(statement: sa.Insert, names: Sequence[str]) -> str:
    """SQL with a question mark for each of the columns `names`, in their order."""
    return str(statement.compile(dialect=sqlite.dialect(), column_keys=names))


def _is_locked(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


# SQLite does not wait for its own time limit when two processes switch a new file to WAL at once.
@tenacity.retry(
    retry=tenacity.retry_if_exception(_is_locked),
    wait=tenacity.wait_random_exponential(multiplier=0.01, max=1),
    stop=tenacity.stop_after_delay(_PATIENCE_SECONDS),
    reraise=True,
)
def _set_pragmas(connection: Any, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    cursor.close()
