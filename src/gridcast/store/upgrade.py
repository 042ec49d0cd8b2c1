"""A database that an earlier version made, or an empty one, gets the tables and columns it lacks."""

import sqlalchemy as sa
from sqlalchemy.schema import CreateColumn

from gridcast.store.schema import METADATA


def is_current(connection: sa.Connection) -> bool:
    """Whether every table and column is there."""
    present = _present(connection)
    return all(present.get(table.name, set()) >= set(table.columns.keys()) for table in METADATA.sorted_tables)


def bring_up_to_date(connection: sa.Connection) -> None:
    """Add the tables, columns and indexes that are missing; rows that are there get the columns' defaults."""
    METADATA.create_all(connection)
    present = _present(connection)
    for table in METADATA.sorted_tables:
        for column in table.columns:
            if column.name not in present[table.name]:
                added = CreateColumn(column).compile(dialect=connection.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {added}")
        for index in table.indexes:
            index.create(connection, checkfirst=True)


def _present(connection: sa.Connection) -> dict[str, set[str]]:
    """Columns of each table that is there."""
    found = sa.inspect(connection).get_multi_columns()
    return {name: {column["name"] for column in columns} for (_, name), columns in found.items()}
