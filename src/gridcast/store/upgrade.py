"""A new database gets the newest schema, one of an earlier gridcast is migrated to it, one of a later is left alone."""

from typing import Final

import sqlalchemy as sa

from gridcast.store import schema_objects
from gridcast.store.dialect import dialect_of
from gridcast.store.errors import StoreError
from gridcast.store.schema import METADATA

REVISION: Final = "0004"
"""The newest migration, which a new store has behind it."""
REVISIONS: Final = sa.Table(
    "store_revision",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="store_revision_pkc"),
)
"""As alembic makes it."""


def bring_up_to_date(connection: sa.Connection, *, name: str) -> None:
    """Make or migrate the tables of the store `name` where they are not those of this gridcast; every row is kept.

    Raises:
        StoreError: a later gridcast made them.
    """
    if revision(connection) == REVISION:
        return
    dialect_of(connection).lock_schema(connection)
    found = revision(connection)
    if found == REVISION:
        return
    if found is None and not _has_tables(connection):
        METADATA.create_all(connection)
        schema_objects.create(connection)
        REVISIONS.create(connection)
        connection.execute(sa.insert(REVISIONS).values(version_num=REVISION))
    else:
        _migrate(connection, found, name=name)


def revision(connection: sa.Connection) -> str | None:
    """The last migration that the database has behind it; None: it was made before there were any, or is empty."""
    if not connection.dialect.has_table(connection, REVISIONS.name):
        return None
    found: str | None = connection.scalar(sa.select(REVISIONS.c.version_num))
    return found


def _has_tables(connection: sa.Connection) -> bool:
    return not METADATA.tables.keys().isdisjoint(sa.inspect(connection).get_table_names())


def _migrate(connection: sa.Connection, found: str | None, *, name: str) -> None:
    # Alembic takes as long to import as a small command to run: only a store that needs it waits.
    from gridcast.store.migrations import migrate  # noqa: PLC0415

    if found is not None and not migrate.knows(found):
        raise StoreError(
            f"store {name}: its tables are of revision {found}; this gridcast knows them up to revision {REVISION}. "
            "A later gridcast has opened it: install that one here too, or open another store."
        )
    migrate.upgrade(connection)
