"""What becomes of a stored row when a row with its key is written."""

from collections.abc import Collection
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

Insert = TypeVar("Insert", sqlite.Insert, postgresql.Insert)


def replacing(statement: Insert, table: sa.Table, *, added: Collection[str]) -> Insert:
    """The statement, which replaces the stored row by the given one, but adds it up in the columns `added`."""
    given = statement.excluded
    changed = {
        column.name: column + given[column.name] if column.name in added else given[column.name]
        for column in table.columns
        if not column.primary_key
    }
    return statement.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=changed)
