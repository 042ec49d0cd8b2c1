"""What a store has besides tables: triggers that keep rows from being lost, and the view of the newest forecasts."""

from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from gridcast.store import append_only, schema

_KEPT = ", ".join(schema.READINGS.columns.keys())
_OLD = ", ".join(f"OLD.{name}" for name in schema.READINGS.columns.keys())  # noqa: SIM118 - a column collection
_KEEP = f"INSERT INTO readings_superseded ({_KEPT}, known_until) VALUES ({_OLD}, NEW.known_from)"  # noqa: S608
_COLUMNS = ", ".join(f"forecasts.{name}" for name in schema.FORECASTS.columns.keys())  # noqa: SIM118
_VIEW = f"""
CREATE VIEW forecast_latest AS SELECT {_COLUMNS} FROM latest_runs JOIN forecasts
ON forecasts.series_id = latest_runs.series_id AND forecasts.issue_time = latest_runs.issue_time
AND forecasts.layer = latest_runs.layer
"""  # noqa: S608 - names of ours

STATEMENTS: Final[Mapping[str, Sequence[str]]] = {
    "sqlite": (
        f"""
        CREATE TRIGGER readings_are_kept AFTER UPDATE ON readings FOR EACH ROW
        WHEN OLD.known_from < NEW.known_from BEGIN {_KEEP}; END
        """,
        _VIEW,
    ),
    "postgresql": (
        "ALTER TABLE forecasts DROP CONSTRAINT forecasts_pkey",
        "ALTER TABLE forecasts ADD PRIMARY KEY (issue_time, series_id, valid_time, layer)",
        f"""
        CREATE FUNCTION keep_reading() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN {_KEEP}; RETURN NULL; END $$
        """,
        """
        CREATE TRIGGER readings_are_kept AFTER UPDATE ON readings FOR EACH ROW
        WHEN (OLD.known_from < NEW.known_from) EXECUTE FUNCTION keep_reading()
        """,
        _VIEW,
    ),
}


def create(connection: sa.Connection) -> None:
    """Make them in a database that has the tables."""
    append_only.protect(connection, schema.AUDIT_LOG)
    for statement in STATEMENTS[connection.dialect.name]:
        connection.exec_driver_sql(statement)
