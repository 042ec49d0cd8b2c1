"""What becomes of a stored row when a row with its key is written."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from gridcast.store.schema import LATEST_RUNS, READINGS, RUNS

Insert = TypeVar("Insert", sqlite.Insert, postgresql.Insert)
Given = Mapping[str, sa.ColumnElement[Any]]


def replacing(statement: Insert, table: sa.Table, *, added: Collection[str]) -> Insert:
    """The statement, which replaces the stored row by the given one, but adds it up in the columns `added`.

    A clean reading is replaced by one that differs, a newest run by one that is not older; else the stored row stays.
    A run reaches as far as its furthest row.
    """
    given: Given = {column.name: statement.excluded[column.name] for column in table.columns}
    changed = {
        column.name: column + given[column.name] if column.name in added else given[column.name]
        for column in table.columns
        if not column.primary_key
    }
    for column in (READINGS.c.known_from, RUNS.c.last_valid_time):
        if table is column.table:
            changed[column.name] = _later(column, given[column.name])
    condition = _CONDITIONS.get(table.name)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns), set_=changed, where=condition and condition(given)
    )


def _differs(given: Given) -> sa.ColumnElement[bool]:
    return sa.or_(
        *(
            column.is_distinct_from(given[column.name])
            for column in READINGS.columns
            if not column.primary_key and column.name != "known_from"
        )
    )


def _is_not_older(given: Given) -> sa.ColumnElement[bool]:
    return given["issue_time"] >= LATEST_RUNS.c.issue_time


_CONDITIONS: Mapping[str, Callable[[Given], sa.ColumnElement[bool]]] = {
    READINGS.name: _differs,
    LATEST_RUNS.name: _is_not_older,
}


def _later(one: sa.ColumnElement[int], other: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return sa.case((other > one, other), else_=one)
