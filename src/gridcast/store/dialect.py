"""What databases do each in their own way. Frames come and go as they are stored: see `frames.stored`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import polars as pl
import sqlalchemy as sa

from gridcast.store import postgresql_dialect, sqlite_dialect
from gridcast.store.database import Database


class Dialect(Protocol):
    """How one kind of database takes and gives many rows, and who waits for whom."""

    def lock_schema(self, connection: sa.Connection) -> None:
        """From here to the end of the transaction nobody else changes tables."""

    def freeze(self, connection: sa.Connection) -> None:
        """As the first step: from here to the end of the transaction it sees the database as it is now."""

    def lock_log(self, connection: sa.Connection) -> None:
        """From here to the end of the transaction nobody else appends to the log."""

    def upsert(self, connection: sa.Connection, table: sa.Table, rows: pl.DataFrame, *, added: frozenset[str]) -> None:
        """Write the rows; of a key that is there or comes twice the last stays, but columns `added` are added up."""

    def append(self, connection: sa.Connection, table: sa.Table, rows: pl.DataFrame) -> None:
        """Write the rows in their order."""

    def append_new(self, connection: sa.Connection, readings: pl.DataFrame, *, source: str) -> int:
        """Append to the log, in order, each reading whose series and time has not that load already; how many."""

    def fetch(self, connection: sa.Connection, query: sa.Select[Any], schema: pl.Schema) -> pl.DataFrame:
        """The rows of a query, as stored."""

    def pieces(self, connection: sa.Connection, query: sa.Select[Any], schema: pl.Schema) -> Iterator[pl.DataFrame]:
        """The rows of a query, as stored, some at a time."""

    def is_among(self, column: sa.ColumnElement[int], values: Sequence[int]) -> sa.ColumnElement[bool]:
        """Whether a column has one of many values."""

    def renumber(self, connection: sa.Connection, table: sa.Table) -> None:
        """Let a table that numbers its own rows go on behind those it was given with their numbers."""

    def drop_forecasts(self, connection: sa.Connection, *, before: int) -> int:
        """Remove forecasts issued before a time, at least those of the months that ended by then; how many."""

    def compact(self, connection: sa.Connection) -> bool:
        """Give the room of removed rows back to the disk, outside of a transaction; whether there is such a step."""

    def faults(self, connection: sa.Connection) -> list[str]:
        """What the database itself finds damaged."""


_DIALECTS: Mapping[str, Dialect] = {"sqlite": sqlite_dialect, "postgresql": postgresql_dialect}


def database(place: Path | str) -> Database:
    """The SQLite file at a path, or the PostgreSQL database at a URL.

    Raises:
        StoreError: it cannot be opened.
    """
    return sqlite_dialect.database(place) if isinstance(place, Path) else postgresql_dialect.database(place)


def dialect_of(connection: sa.Connection) -> Dialect:
    """The way of the database behind a connection."""
    return _DIALECTS[connection.dialect.name]
