"""Rows of SQL tables to and from polars frames, times as whole microseconds."""

from collections.abc import Collection, Mapping
from typing import Any

import polars as pl
import sqlalchemy as sa

from gridcast.domain.tables import UTC_TIME
from gridcast.store.dialect import dialect_of

_SQL_TO_POLARS: Mapping[type[sa.types.TypeEngine[Any]], pl.DataType] = {
    sa.Text: pl.String(),
    sa.Double: pl.Float64(),
    sa.BigInteger: pl.Int64(),
    sa.Integer: pl.Int64(),
}
TIMES = (
    "valid_time", "issue_time", "last_valid_time", "available_at", "at", "committed_at", "received_at", "landed_at",
    "start", "end", "created_at", "expires_at", "withdrawn_at", "revoked_at", "known_from", "known_until",
)  # fmt: skip


def upsert(connection: sa.Connection, table: sa.Table, frame: pl.DataFrame, *, added: Collection[str] = ()) -> None:
    """Write every row of `frame`; a row with the same key is replaced, but the columns `added` are added to it."""
    if not frame.is_empty():
        dialect_of(connection).upsert(connection, table, stored(table, frame), added=frozenset(added))


def append(connection: sa.Connection, table: sa.Table, frame: pl.DataFrame) -> None:
    """Add every row of `frame` at the end of a table that numbers its own rows."""
    if not frame.is_empty():
        dialect_of(connection).append(connection, table, stored(table, frame))


def read(connection: sa.Connection, table: sa.Table, query: sa.Select[Any]) -> pl.DataFrame:
    """The rows `query` selects from `table`, typed; an empty result keeps its columns."""
    types = _types(table, query)
    return _timed(dialect_of(connection).fetch(connection, query, types))


def read_few(connection: sa.Connection, table: sa.Table, query: sa.Select[Any]) -> pl.DataFrame:
    """Those of `read`, sooner where they are some hundreds at most."""
    rows = [tuple(row) for row in connection.execute(query)]
    return _timed(pl.DataFrame(rows, schema=_types(table, query), orient="row"))


def stored(table: sa.Table, frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` as the `table` keeps it: its columns in its order and types, times as microseconds, no NaN."""
    return frame.select(_stored(table.c[column.name]) for column in table.columns if column.name in frame.columns)


def types_of(table: sa.Table) -> pl.Schema:
    """Column names and types of a table as stored: times are integers."""
    return pl.Schema({column.name: _polars_type(column) for column in table.columns})


def _types(table: sa.Table, query: sa.Select[Any]) -> pl.Schema:
    return pl.Schema({name: _polars_type(table.c[name]) for name in query.selected_columns.keys()})  # noqa: SIM118 - a column collection


def _timed(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        pl.from_epoch(name, time_unit="us").cast(UTC_TIME) for name in TIMES if name in frame.columns
    )


def _stored(column: sa.Column[Any]) -> pl.Expr:
    given = pl.col(column.name)
    if column.name in TIMES:
        return given.cast(UTC_TIME).to_physical()
    kept = given.cast(_polars_type(column))
    return kept.fill_nan(None) if isinstance(column.type, sa.Double) else kept


def _polars_type(column: sa.Column[Any]) -> pl.DataType:
    return _SQL_TO_POLARS[type(column.type)]
