"""How SQLite looks for what is asked of a store."""

import re
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from gridcast.store.store import Store

LONG_SCAN = re.compile(r"SCAN (readings|readings_superseded|forecasts|reading_log|runs|scores)\b")
"""Of a table that grows with the history, step by step through all of it."""


def plans_of(store: Store, ask: Callable[[], object]) -> dict[str, list[str]]:
    """The steps of every query that the store makes while somebody asks."""
    asked: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        asked.append((statement, parameters))

    with store.transaction() as connection:
        engine = connection.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        ask()
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
    with store.transaction() as connection:
        return {
            statement: [
                row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            ]
            for statement, parameters in asked
            if statement.lstrip().startswith(("SELECT", "WITH"))
        }


def long_scans(plans: dict[str, list[str]]) -> dict[str, list[str]]:
    """Those that read a long table from end to end."""
    scans = {statement: [step for step in plan if LONG_SCAN.match(step)] for statement, plan in plans.items()}
    return {statement: found for statement, found in scans.items() if found}
