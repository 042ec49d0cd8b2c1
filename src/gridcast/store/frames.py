"""Rows of SQL tables to and from polars frames, times as whole microseconds."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from gridcast.domain.tables import UTC_TIME

_SQL_TO_POLARS: Mapping[type[sa.types.TypeEngine[Any]], pl.DataType] = {
    sa.Text: pl.String(),
    sa.Double: pl.Float64(),
    sa.BigInteger: pl.Int64(),
    sa.Integer: pl.Int64(),
}
_TIMES = ("valid_time", "issue_time", "available_at", "at", "committed_at")


def upsert(connection: sa.Connection, table: sa.Table, frame: pl.DataFrame, *, added: Collection[str] = ()) -> None:
    """Write every row of `frame`; a row with the same key is replaced, but the columns `added` are added to it."""
    if frame.is_empty():
        return
    statement = insert(table)
    given = statement.excluded
    changed = {
        column.name: column + given[column.name] if column.name in added else given[column.name]
        for column in table.columns
        if not column.primary_key
    }
    statement = statement.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=changed)
    connection.execute(statement, parameters(table, frame))


def append(connection: sa.Connection, table: sa.Table, frame: pl.DataFrame) -> None:
    """Add every row of `frame` at the end of a table that numbers its own rows."""
    if not frame.is_empty():
        connection.execute(sa.insert(table), parameters(table, frame))


def read(connection: sa.Connection, table: sa.Table, query: sa.Select[Any]) -> pl.DataFrame:
    """The rows `query` selects from `table`, typed; an empty result keeps its columns."""
    rows = connection.execute(query).cursor.fetchall()
    schema = {column.name: _SQL_TO_POLARS[type(column.type)] for column in table.columns}
    selected = {name: schema[name] for name in query.selected_columns.keys()}  # noqa: SIM118 - a column collection
    frame = pl.DataFrame(rows, schema=selected, orient="row")
    return frame.with_columns(pl.from_epoch(name, time_unit="us").cast(UTC_TIME) for name in _TIMES if name in selected)


def parameters(table: sa.Table, frame: pl.DataFrame) -> Sequence[Mapping[str, Any]]:
    """Rows of `frame` as values of the `table`'s columns; other columns are left out."""
    names = [column.name for column in table.columns if column.name in frame.columns]
    times = [name for name in names if name in _TIMES]
    return frame.select(names).with_columns(pl.col(times).cast(UTC_TIME).to_physical()).to_dicts()
