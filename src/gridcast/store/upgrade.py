"""A database that an earlier version made, or an empty one, gets the tables and columns it lacks."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateColumn

from gridcast.store.schema import METADATA


def is_current(connection: sa.Connection) -> bool:
    """Whether every table and column is there."""
    present = sa.inspect(connection).get_table_names()
    return all(table.name in present and not _missing(connection, table) for table in METADATA.sorted_tables)


def bring_up_to_date(connection: sa.Connection) -> None:
    """Add the tables, columns and indexes that are missing; rows that are there get the columns' defaults."""
    METADATA.create_all(connection)
    for table in METADATA.sorted_tables:
        for column in _missing(connection, table):
            added = CreateColumn(column).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {added}")
        for index in table.indexes:
            index.create(connection, checkfirst=True)


def _missing(connection: sa.Connection, table: sa.Table) -> list[sa.Column[Any]]:
    present = {column["name"] for column in sa.inspect(connection).get_columns(table.name)}
    return [column for column in table.columns if column.name not in present]
