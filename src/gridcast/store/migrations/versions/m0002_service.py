"""What the service needs: newest runs, replaced readings, overrides, audit log, keys, pushes; monthly forecasts."""

import sqlalchemy as sa
from alembic import op

from gridcast.store import append_only

revision = "0002"
down_revision = "0001"

_OFFSET = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_READINGS = "series_id, valid_time, load_mw, raw_load_mw, quality, rule, available_at, known_from"
_OLD = "OLD." + _READINGS.replace(", ", ", OLD.")
_KEEP = f"INSERT INTO readings_superseded ({_READINGS}, known_until) VALUES ({_OLD}, NEW.known_from)"  # noqa: S608
_FORECASTS = (
    "series_id, issue_time, valid_time, layer, model_version, p05, p10, p25, p50, p75, p90, p95, degraded_because"
)
_OF_VIEW = "forecasts." + _FORECASTS.replace(", ", ", forecasts.")
_VIEW = f"""
CREATE VIEW forecast_latest AS SELECT {_OF_VIEW} FROM latest_runs JOIN forecasts
ON forecasts.series_id = latest_runs.series_id AND forecasts.issue_time = latest_runs.issue_time
AND forecasts.layer = latest_runs.layer
"""  # noqa: S608 - names of ours
_NEWEST = """
INSERT INTO latest_runs (series_id, layer, issue_time, model_version)
SELECT newest.series_id, newest.layer, newest.issue_time, max(forecasts.model_version) FROM (
  SELECT series_id, layer, max(issue_time) AS issue_time FROM forecasts GROUP BY series_id, layer
) AS newest JOIN forecasts ON forecasts.series_id = newest.series_id AND forecasts.issue_time = newest.issue_time
AND forecasts.layer = newest.layer GROUP BY newest.series_id, newest.layer, newest.issue_time
"""
_PARTITIONED = f"""
ALTER TABLE forecasts RENAME TO forecasts_whole;
ALTER TABLE forecasts_whole DROP CONSTRAINT forecasts_pkey;
DROP INDEX forecasts_by_issue_time;
CREATE TABLE forecasts (
  series_id TEXT NOT NULL, issue_time BIGINT NOT NULL, valid_time BIGINT NOT NULL, layer TEXT NOT NULL,
  model_version TEXT NOT NULL, p05 DOUBLE PRECISION, p10 DOUBLE PRECISION, p25 DOUBLE PRECISION, p50 DOUBLE PRECISION,
  p75 DOUBLE PRECISION, p90 DOUBLE PRECISION, p95 DOUBLE PRECISION, degraded_because TEXT NOT NULL,
  PRIMARY KEY (series_id, issue_time, valid_time, layer)
) PARTITION BY RANGE (issue_time);
CREATE INDEX forecasts_by_issue_time ON forecasts (issue_time);
DO $$
DECLARE first timestamp;
BEGIN
  FOR first IN SELECT DISTINCT date_trunc('month', to_timestamp(issue_time / 1000000) AT TIME ZONE 'UTC')
    FROM forecasts_whole ORDER BY 1
  LOOP
    EXECUTE 'CREATE TABLE ' || to_char(first, '"forecasts_y"YYYY"m"MM') || ' PARTITION OF forecasts FOR VALUES FROM ('
      || extract(epoch FROM first)::bigint * 1000000 || ') TO ('
      || extract(epoch FROM first + interval '1 month')::bigint * 1000000 || ')';
  END LOOP;
END $$;
INSERT INTO forecasts ({_FORECASTS}) SELECT {_FORECASTS} FROM forecasts_whole;
DROP TABLE forecasts_whole;
"""  # noqa: S608 - names of ours
_SQLITE_TRIGGER = f"""
CREATE TRIGGER readings_are_kept AFTER UPDATE ON readings FOR EACH ROW
WHEN OLD.known_from < NEW.known_from BEGIN {_KEEP}; END
"""
_POSTGRESQL_TRIGGER = f"""
CREATE FUNCTION keep_reading() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN {_KEEP}; RETURN NULL; END $$;
CREATE TRIGGER readings_are_kept AFTER UPDATE ON readings FOR EACH ROW
WHEN (OLD.known_from < NEW.known_from) EXECUTE FUNCTION keep_reading();
"""


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=False)


def _time(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=key, nullable=False, autoincrement=False)


def _number(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=True)


def _time_or_none(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=True)


def upgrade() -> None:
    """Add the tables; forecasts move into partitions where the database has them."""
    _add_tables()
    connection = op.get_bind()
    op.add_column("readings", sa.Column("known_from", sa.BigInteger, nullable=False, server_default=sa.text("0")))
    is_sqlite = connection.dialect.name == "sqlite"
    for statement in (_SQLITE_TRIGGER,) if is_sqlite else (_POSTGRESQL_TRIGGER, _PARTITIONED):
        connection.exec_driver_sql(statement)
    for statement in append_only.statements("audit_log", dialect=connection.dialect.name):
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql(_NEWEST)
    connection.exec_driver_sql(_VIEW)


def _add_tables() -> None:
    without_rowid = {"sqlite_with_rowid": False}
    op.create_table(
        "readings_superseded",
        _text("series_id", key=True),
        _time("valid_time", key=True),
        _number("load_mw"),
        _number("raw_load_mw"),
        _text("quality"),
        _text("rule"),
        _time("available_at"),
        _time("known_from", key=True),
        _time("known_until"),
        **without_rowid,
    )
    op.create_table(
        "latest_runs",
        _text("series_id", key=True),
        _text("layer", key=True),
        _time("issue_time"),
        _text("model_version"),
        **without_rowid,
    )
    op.create_table(
        "overrides",
        _text("override_id", key=True),
        _text("series_id"),
        _time("start"),
        _time("end"),
        _text("operation"),
        _number("value"),
        _text("author"),
        _text("reason"),
        _time("created_at"),
        _time("expires_at"),
        _time_or_none("withdrawn_at"),
        sa.Column("withdrawn_by", sa.Text, nullable=True),
        **without_rowid,
    )
    op.create_index("overrides_by_series", "overrides", ["series_id", "start"])
    op.create_table(
        "audit_log",
        sa.Column("audit_id", _OFFSET, primary_key=True, autoincrement=True),
        _time("at"),
        *(_text(name) for name in ("actor", "role", "action", "target", "detail", "previous_hash", "hash")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "api_keys",
        _text("key_id", key=True),
        *(_text(name) for name in ("name", "role", "key_hash", "created_by")),
        _time("created_at"),
        _time_or_none("expires_at"),
        _time_or_none("revoked_at"),
        **without_rowid,
    )
    op.create_table(
        "pushes",
        _text("actor", key=True),
        _text("idempotency_key", key=True),
        _text("request_hash"),
        _text("answer"),
        _time("at"),
        **without_rowid,
    )
