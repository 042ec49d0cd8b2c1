"""Tables of the store. Every time column is UTC in whole microseconds since 1970; every key is written at most once."""

import sqlalchemy as sa

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import REPLAY

METADATA = sa.MetaData()

_TEXT = sa.Text
_TIME = sa.BigInteger
_OFFSET = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, _TEXT, primary_key=key, nullable=False)


def _time(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, _TIME, primary_key=key, nullable=False, autoincrement=False)


def _number(name: str, *, key: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double, primary_key=key, nullable=not key)


def _time_or_none(name: str) -> sa.Column[int]:
    return sa.Column(name, _TIME, nullable=True)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _numbered(name: str) -> sa.Column[int]:
    return sa.Column(name, _OFFSET, primary_key=True, autoincrement=True)


READING_LOG = sa.Table(
    "reading_log",
    METADATA,
    _numbered("log_offset"),
    _text("series_id"),
    _time("valid_time"),
    _number("load_mw"),
    _time("available_at"),
    sa.Column("source", _TEXT, nullable=False, server_default=REPLAY),
    sa.Index("reading_log_by_valid_time", "valid_time"),
    sa.Index("reading_log_by_series", "series_id", "valid_time", "log_offset"),
    sqlite_autoincrement=True,
)
"""Every reading as received, in order of arrival; rows are appended and never changed."""

SOURCES = sa.Table(
    "sources",
    METADATA,
    _text("source", key=True),
    _text("position"),
    _count("batches"),
    _count("rows"),
    _time("committed_at"),
    sqlite_with_rowid=False,
)
"""How far each live source was read, committed together with the readings that landed from it."""

READINGS = sa.Table(
    "readings",
    METADATA,
    _text("series_id", key=True),
    _time("valid_time", key=True),
    _number("load_mw"),
    _number("raw_load_mw"),
    _text("quality"),
    _text("rule"),
    _time("available_at"),
    sa.Column("known_from", _TIME, nullable=False, server_default=sa.text("0")),
    sqlite_with_rowid=False,
)
"""Clean readings, one per series and interval; a later tick that comes to another result replaces the whole row."""

READINGS_SUPERSEDED = sa.Table(
    "readings_superseded",
    METADATA,
    _text("series_id", key=True),
    _time("valid_time", key=True),
    _number("load_mw"),
    _number("raw_load_mw"),
    _text("quality"),
    _text("rule"),
    _time("available_at"),
    _time("known_from", key=True),
    _time("known_until"),
    sqlite_with_rowid=False,
)
"""Clean readings that were replaced, and from when until when each was what was known; kept by a trigger."""

FORECASTS = sa.Table(
    "forecasts",
    METADATA,
    _text("series_id", key=True),
    _time("issue_time", key=True),
    _time("valid_time", key=True),
    _text("layer", key=True),
    _text("model_version"),
    *(_number(column) for column in QUANTILE_COLUMNS),
    _text("degraded_because"),
    sa.Index("forecasts_by_issue_time", "issue_time").ddl_if(dialect="sqlite"),
    sqlite_with_rowid=False,
    postgresql_partition_by="RANGE (issue_time)",
)
"""Every forecast ever issued, quantiles in MW, one column each.

In PostgreSQL the key begins with the issue time: a run is then written to one end of it, which takes half the time.
"""

RUNS = sa.Table(
    "runs",
    METADATA,
    _text("series_id", key=True),
    _text("layer", key=True),
    _time("issue_time", key=True),
    _text("model_version"),
    _time("last_valid_time"),
    sqlite_with_rowid=False,
)
"""When each series and layer was forecast, and up to when: with these its rows in `forecasts` are found by key."""

TICK_COUNTS = sa.Table(
    "tick_counts",
    METADATA,
    _time("issue_time", key=True),
    _text("kind", key=True),
    _text("name", key=True),
    _count("rows"),
    _number("energy_mwh"),
    sqlite_with_rowid=False,
)
"""What the pipeline of each tick counted over the intervals it cleaned, many of them again; all measured series."""

SCORES = sa.Table(
    "scores",
    METADATA,
    _text("series_id", key=True),
    _time("issue_time", key=True),
    _text("layer", key=True),
    _text("lead_bucket", key=True),
    _text("model_version"),
    sa.Column("n", sa.Integer, nullable=False),
    *(_number(metric) for metric in ("mae_mw", "bias_mw", "pinball_mw", "coverage_80", "coverage_90")),
    *(_number(metric) for metric in ("naive_mae_mw", "naive_pinball_mw")),
    sqlite_with_rowid=False,
)
"""How each issued forecast did, per lead bucket, once actuals are in.

The coverages are shares of n; the naive is last week repeated, at the same points."""

EVENTS = sa.Table(
    "events",
    METADATA,
    _numbered("event_id"),
    _time("at"),
    _text("kind"),
    _text("message"),
    sqlite_autoincrement=True,
)
"""What happened, in order: models promoted, promotions refused."""

CONSUMERS = sa.Table(
    "consumers",
    METADATA,
    _text("consumer", key=True),
    _count("log_offset"),
    _time("issue_time"),
    sqlite_with_rowid=False,
)
"""How far each reader of the log has come, committed together with what it produced."""

LANDINGS = sa.Table(
    "landings",
    METADATA,
    sa.Column("last_offset", sa.BigInteger, primary_key=True, autoincrement=False),
    _count("first_offset"),
    _time("received_at"),
    _time("landed_at"),
    sqlite_with_rowid=False,
)
"""When each batch of a live source was received and landed, by the log offsets it took."""

LATENCIES = sa.Table(
    "latencies",
    METADATA,
    _text("stage", key=True),
    _number("upper_s", key=True),
    _count("n"),
    sqlite_with_rowid=False,
)
"""How long each stage took: n of its durations fell between the bound below and `upper_s` seconds."""

NO_BOUND_S = 1e9
"""Stands for an infinite `upper_s`."""

LATEST_RUNS = sa.Table(
    "latest_runs",
    METADATA,
    _text("series_id", key=True),
    _text("layer", key=True),
    _time("issue_time"),
    _text("model_version"),
    sqlite_with_rowid=False,
)
"""Of `runs` the newest of each series and layer."""

OVERRIDES = sa.Table(
    "overrides",
    METADATA,
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
    sa.Column("withdrawn_by", _TEXT, nullable=True),
    sa.Index("overrides_by_series", "series_id", "start"),
    sqlite_with_rowid=False,
)
"""What operators set in place of a forecast, for the intervals of start ≤ time < end; rows are never deleted."""

AUDIT_LOG = sa.Table(
    "audit_log",
    METADATA,
    _numbered("audit_id"),
    _time("at"),
    _text("actor"),
    _text("role"),
    _text("action"),
    _text("target"),
    _text("detail"),
    _text("previous_hash"),
    _text("hash"),
    sqlite_autoincrement=True,
)
"""Who changed or was refused what; every row carries the hash of the row before it."""

API_KEYS = sa.Table(
    "api_keys",
    METADATA,
    _text("key_id", key=True),
    _text("name"),
    _text("role"),
    _text("key_hash"),
    _text("created_by"),
    _time("created_at"),
    _time_or_none("expires_at"),
    _time_or_none("revoked_at"),
    sqlite_with_rowid=False,
)
"""Who may call the API with a key; of the key itself only a hash is kept."""

PUSHES = sa.Table(
    "pushes",
    METADATA,
    _text("actor", key=True),
    _text("idempotency_key", key=True),
    _text("request_hash"),
    _text("answer"),
    _time("at"),
    sqlite_with_rowid=False,
)
"""Readings that were pushed with an idempotency key, and what was answered: the same key gets the same answer."""
