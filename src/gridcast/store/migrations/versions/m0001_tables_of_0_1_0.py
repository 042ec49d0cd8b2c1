"""The tables of gridcast 0.1.0. A database that an even earlier version made gets those and the columns it lacks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import CreateColumn

revision = "0001"
down_revision = None

_METADATA = sa.MetaData()
_OFFSET = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_QUANTILES = ("p05", "p10", "p25", "p50", "p75", "p90", "p95")


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=False)


def _integer(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=key, nullable=False, autoincrement=False)


def _number(name: str, *, key: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double, primary_key=key, nullable=not key)


def _numbered(name: str) -> sa.Column[int]:
    return sa.Column(name, _OFFSET, primary_key=True, autoincrement=True)


def _table(name: str, *parts: sa.schema.SchemaItem) -> None:
    sa.Table(name, _METADATA, *parts, sqlite_with_rowid=False)


sa.Table(
    "reading_log",
    _METADATA,
    _numbered("log_offset"),
    _text("series_id"),
    _integer("valid_time"),
    _number("load_mw"),
    _integer("available_at"),
    sa.Column("source", sa.Text, nullable=False, server_default="replay"),
    sa.Index("reading_log_by_valid_time", "valid_time"),
    sa.Index("reading_log_by_series", "series_id", "valid_time", "log_offset"),
    sqlite_autoincrement=True,
)
_table(
    "sources",
    _text("source", key=True),
    _text("position"),
    *(_integer(name) for name in ("batches", "rows", "committed_at")),
)
_table(
    "readings",
    _text("series_id", key=True),
    _integer("valid_time", key=True),
    _number("load_mw"),
    _number("raw_load_mw"),
    _text("quality"),
    _text("rule"),
    _integer("available_at"),
)
_table(
    "forecasts",
    _text("series_id", key=True),
    _integer("issue_time", key=True),
    _integer("valid_time", key=True),
    _text("layer", key=True),
    _text("model_version"),
    *(_number(name) for name in _QUANTILES),
    _text("degraded_because"),
    sa.Index("forecasts_by_issue_time", "issue_time"),
)
_table(
    "tick_counts",
    _integer("issue_time", key=True),
    _text("kind", key=True),
    _text("name", key=True),
    _integer("rows"),
    _number("energy_mwh"),
)
_table(
    "scores",
    _text("series_id", key=True),
    _integer("issue_time", key=True),
    _text("layer", key=True),
    _text("lead_bucket", key=True),
    _text("model_version"),
    sa.Column("n", sa.Integer, nullable=False),
    *(_number(name) for name in ("mae_mw", "bias_mw", "pinball_mw", "coverage_80", "coverage_90")),
)
sa.Table(
    "events",
    _METADATA,
    _numbered("event_id"),
    _integer("at"),
    _text("kind"),
    _text("message"),
    sqlite_autoincrement=True,
)
_table("consumers", _text("consumer", key=True), _integer("log_offset"), _integer("issue_time"))
_table(
    "landings",
    _integer("last_offset", key=True),
    *(_integer(name) for name in ("first_offset", "received_at", "landed_at")),
)
_table("latencies", _text("stage", key=True), _number("upper_s", key=True), _integer("n"))


def upgrade() -> None:
    """Add the tables, columns and indexes that are missing; rows that are there get the columns' defaults."""
    connection = op.get_bind()
    _METADATA.create_all(connection)
    found = sa.inspect(connection).get_multi_columns()
    present = {name: {column["name"] for column in columns} for (_, name), columns in found.items()}
    for table in _METADATA.sorted_tables:
        for column in table.columns:
            if column.name not in present[table.name]:
                added = CreateColumn(column).compile(dialect=connection.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {added}")
        for index in table.indexes:
            index.create(connection, checkfirst=True)
