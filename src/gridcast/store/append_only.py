"""Triggers that let a table grow and nothing else."""

from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa

_STATEMENTS: Final[Mapping[str, Sequence[str]]] = {
    "sqlite": (
        """
        CREATE TRIGGER IF NOT EXISTS {table}_keeps_rows BEFORE DELETE ON {table}
        BEGIN SELECT RAISE(ABORT, '{table} is append-only: rows are never deleted'); END
        """,
        """
        CREATE TRIGGER IF NOT EXISTS {table}_keeps_values BEFORE UPDATE ON {table}
        BEGIN SELECT RAISE(ABORT, '{table} is append-only: rows are never changed'); END
        """,
    ),
    "postgresql": (
        """
        CREATE OR REPLACE FUNCTION {table}_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION '{table} is append-only: rows are never changed or deleted'; END $$
        """,
        "DROP TRIGGER IF EXISTS {table}_keeps_rows ON {table}",
        """
        CREATE TRIGGER {table}_keeps_rows BEFORE UPDATE OR DELETE ON {table}
        FOR EACH ROW EXECUTE FUNCTION {table}_is_append_only()
        """,
        "DROP TRIGGER IF EXISTS {table}_keeps_all ON {table}",
        """
        CREATE TRIGGER {table}_keeps_all BEFORE TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION {table}_is_append_only()
        """,
    ),
}


def statements(table: str, *, dialect: str) -> list[str]:
    """SQL after which the database refuses to change or delete a row of a table; running it again changes nothing."""
    return [each.replace("{table}", table) for each in _STATEMENTS[dialect]]


def protect(connection: sa.Connection, table: sa.Table) -> None:
    """From now on the database itself refuses to change or delete a row of the table."""
    for statement in statements(table.name, dialect=connection.dialect.name):
        connection.exec_driver_sql(statement)
