"""PostgreSQL: one database that any number of processes write and read at once."""

import functools
import io
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from gridcast.store import binary_copy, partitions
from gridcast.store.database import Database
from gridcast.store.errors import StoreError
from gridcast.store.moments import microseconds
from gridcast.store.replacing import replacing
from gridcast.store.schema import FORECASTS

_EXPECTED = "a PostgreSQL 14 or later that answers, and a database in which gridcast may make tables"
_FORM = "postgresql://user:password@host:5432/database"

_SCHEMA_LOCK = 7_203_651_001
_LOG_LOCK = 7_203_651_002
_FEW_ROWS = 50
"""So few are faster written one by one than together."""
_SOME_ROWS = 5_000
"""So many are faster sent as arrays than by way of a temporary table."""
_LOCK_SECONDS = 10
"""A step that locks everybody out gives up before those behind it wait longer."""
_BYTES_AT_ONCE = 64_000_000
_CONNECTION = {"connect_timeout": "10", "application_name": "gridcast"}

_ANY_OF = """
SELECT EXISTS (SELECT 1 FROM forecasts WHERE issue_time = ANY (%s::bigint[]) AND series_id = ANY (%s::text[]))
"""
_RECEIVED = """
CREATE TEMPORARY TABLE IF NOT EXISTS received (
  place bigint, is_first boolean, series_id text, valid_time bigint, load_mw double precision, available_at bigint
) ON COMMIT DELETE ROWS;
DELETE FROM received
"""
_APPEND_NEW = """
INSERT INTO reading_log (series_id, valid_time, load_mw, available_at, source)
SELECT series_id, valid_time, load_mw, available_at, %s FROM received WHERE NOT is_first OR NOT EXISTS (
  SELECT 1 FROM (
    SELECT log.load_mw FROM reading_log AS log
    WHERE log.series_id = received.series_id AND log.valid_time = received.valid_time ORDER BY log_offset DESC LIMIT 1
  ) AS newest WHERE newest.load_mw IS NOT DISTINCT FROM received.load_mw
)
ORDER BY place
"""


def database(url: str) -> Database:
    """The database at `url`; connections that the server has closed are replaced.

    Raises:
        StoreError: the text is no such URL, or the driver is not installed.
    """
    parsed = _parsed(url)
    named = sa.URL.create(
        "postgresql", username=parsed.username, host=parsed.host, port=parsed.port, database=parsed.database
    )
    name = named.render_as_string()
    full = parsed.set(drivername="postgresql+psycopg", query={**_CONNECTION, **parsed.query})
    try:
        engine = sa.create_engine(full, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise StoreError(f"store {name}: {error}; expected gridcast installed with its extra 'postgres'.") from error
    return Database(engine=engine, name=name, expected=_EXPECTED)


def lock_schema(connection: sa.Connection) -> None:
    """From here to the end of the transaction nobody else changes tables."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SCHEMA_LOCK)))


def freeze(connection: sa.Connection) -> None:
    """As the first step: from here to the end of the transaction it sees the database as it is now."""
    connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    connection.exec_driver_sql("SELECT 1 FROM pg_class LIMIT 1")


def lock_log(connection: sa.Connection) -> None:
    """From here to the end of the transaction nobody else appends to the log.

    Offsets are drawn before a commit: without the lock a reader could pass one that becomes visible only later.
    """
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOG_LOCK)))


def upsert(connection: sa.Connection, table: sa.Table, rows: pl.DataFrame, *, added: frozenset[str]) -> None:
    """Write the rows; of a key that is there or comes twice the last stays, but columns `added` are added up."""
    keys = [column.name for column in table.primary_key.columns]
    once = _once(rows, keys, added=added)
    if table is FORECASTS:
        partitions.make(connection, once["issue_time"])
        if once.height > _FEW_ROWS and _have_no_key_yet(connection, once) and _is_copied(connection, table, once):
            return
    if once.height <= _FEW_ROWS:
        connection.exec_driver_sql(_upsert(table, tuple(once.columns), added), once.sort(keys).rows())
        return
    if once.height <= _SOME_ROWS:
        arrays = tuple(_array(column) for column in once.get_columns())
        connection.exec_driver_sql(_merge_arrays(table, tuple(once.columns), added), arrays)
        return
    given = f"given_{table.name}"
    like = f"AS SELECT * FROM {table.name} WITH NO DATA"  # noqa: S608 - a name of ours
    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE IF NOT EXISTS {given} ON COMMIT DELETE ROWS {like}")
    connection.exec_driver_sql(f"DELETE FROM {given}")  # noqa: S608
    _copy(connection, given, once)
    connection.exec_driver_sql(_merge(table, tuple(once.columns), added))


def append(connection: sa.Connection, table: sa.Table, rows: pl.DataFrame) -> None:
    """Write the rows in their order."""
    if table is FORECASTS:
        partitions.make(connection, rows["issue_time"])
        _copy_fast(connection, table.name, rows)
    else:
        _copy(connection, table.name, rows)


def append_new(connection: sa.Connection, readings: pl.DataFrame, *, source: str) -> int:
    """Append to the log, in order, each reading whose series and time has not that load already; how many."""
    keys = ["series_id", "valid_time"]
    marked = readings.with_row_index("place").with_columns(
        is_first=pl.int_range(pl.len()).over(keys) == 0,
        is_repeated=pl.col("load_mw").eq_missing(pl.col("load_mw").shift(1).over(keys)),
    )
    changes = marked.filter(pl.col("is_first") | ~pl.col("is_repeated")).drop("is_repeated")
    connection.exec_driver_sql(_RECEIVED)
    _copy(connection, "received", changes)
    return connection.exec_driver_sql(_APPEND_NEW, (source,)).rowcount


def fetch(connection: sa.Connection, query: sa.Select[Any], schema: pl.Schema) -> pl.DataFrame:
    """The rows of a query, as stored."""
    return pl.concat([pl.DataFrame(schema=schema), *pieces(connection, query, schema)])


def pieces(connection: sa.Connection, query: sa.Select[Any], schema: pl.Schema) -> Iterator[pl.DataFrame]:
    """The rows of a query, as stored, some at a time."""
    compiled = query.compile(dialect=connection.dialect)
    texts = ", ".join(f'"{name}"' for name, kind in schema.items() if kind == pl.String)
    quoted = f", FORCE_QUOTE ({texts})" if texts else ""
    statement = f"COPY ({compiled}) TO STDOUT (FORMAT csv{quoted})"
    received = io.BytesIO()
    with _driver(connection).cursor() as cursor, cursor.copy(statement, compiled.params) as copy:
        for row in copy:
            received.write(row)
            if received.tell() > _BYTES_AT_ONCE:
                yield _read(received, schema)
                received = io.BytesIO()
    if received.tell():
        yield _read(received, schema)


def is_among(column: sa.ColumnElement[int], values: Sequence[int]) -> sa.ColumnElement[bool]:
    """Whether a column has one of many values, sent as one array: a list is planned as long as it is read."""
    return column == sa.any_(sa.literal(list(values), postgresql.ARRAY(sa.BigInteger)))


def renumber(connection: sa.Connection, table: sa.Table) -> None:
    """Let a table that numbers its own rows go on behind those it was given with their numbers."""
    (key,) = table.primary_key.columns
    sequence = sa.func.pg_get_serial_sequence(table.name, key.name)
    newest = sa.select(sa.func.max(key)).scalar_subquery()
    connection.execute(sa.select(sa.func.setval(sequence, newest)).where(newest.is_not(None)))


def drop_forecasts(connection: sa.Connection, *, before: int) -> int:
    """Remove forecasts of the months that had ended by a time; how many."""
    ended = [month.partition for month in partitions.months(connection) if microseconds(month.end) <= before]
    counts = [connection.exec_driver_sql(f"SELECT count(*) FROM {each}").scalar_one() for each in ended]  # noqa: S608
    if ended:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
        connection.exec_driver_sql(f"DROP TABLE {', '.join(ended)}")
    return sum(counts)


def compact(connection: sa.Connection) -> bool:  # noqa: ARG001 - SQLite needs it
    """Nothing to do: dropped partitions have left the disk, and autovacuum sees to the rest."""
    return False


def faults(connection: sa.Connection) -> list[str]:  # noqa: ARG001
    """Nothing: a server that finds a damaged page fails the query that reads it."""
    return []


def _parsed(url: str) -> sa.URL:
    """A URL of PostgreSQL in its parts. No error repeats what may be a password."""
    expected = f"expected {_FORM}, or the path of a SQLite file"
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise StoreError(f"store: the text that was given is not a URL; {expected}.") from None
    if parsed.drivername not in {"postgresql", "postgresql+psycopg"}:
        raise StoreError(f"store: the URL begins with '{parsed.drivername}://'; {expected}.")
    return parsed


def _once(rows: pl.DataFrame, keys: Sequence[str], *, added: frozenset[str]) -> pl.DataFrame:
    """Rows of which none has the key of another: the last ones, with sums in the columns `added`."""
    if rows.select(keys).is_unique().all():
        return rows
    if not added:
        return rows.unique(subset=keys, keep="last", maintain_order=True)
    return rows.group_by(keys).agg(
        pl.col(each).sum() if each in added else pl.col(each).last() for each in rows.columns if each not in keys
    )


def _have_no_key_yet(connection: sa.Connection, forecasts: pl.DataFrame) -> bool:
    """Whether no forecast of the same series and issue times is stored."""
    given = (_array(forecasts["issue_time"].unique()), _array(forecasts["series_id"].unique()))
    return not connection.exec_driver_sql(_ANY_OF, given).scalar_one()


def _array(values: pl.Series) -> str:
    """Values as the server reads an array: one text is sent faster than a list."""
    text = values.cast(pl.String)
    if values.dtype == pl.String:
        text = '"' + text.str.replace_all(r'(["\\])', r"\$1") + '"'
    return f"{{{text.fill_null('NULL').str.join(',').item() if len(text) else ''}}}"


def _is_copied(connection: sa.Connection, table: sa.Table, rows: pl.DataFrame) -> bool:
    """Whether rows could be sent straight into a table: nobody else has just written one of their keys."""
    try:
        with connection.begin_nested():
            _copy_fast(connection, table.name, rows)
    except connection.dialect.loaded_dbapi.errors.UniqueViolation:
        return False
    return True


def _read(received: io.BytesIO, schema: pl.Schema) -> pl.DataFrame:
    received.seek(0)
    return pl.read_csv(received, has_header=False, schema=schema)


def _copy(connection: sa.Connection, table: str, rows: pl.DataFrame) -> None:
    """Send rows as CSV, where a text without quotation marks is a null."""
    columns = ", ".join(f'"{name}"' for name in rows.columns)
    with (
        _driver(connection).cursor() as cursor,
        cursor.copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT csv)") as copy,
    ):
        copy.write(rows.write_csv(include_header=False, quote_style="non_numeric"))


def _copy_fast(connection: sa.Connection, table: str, rows: pl.DataFrame) -> None:
    """Send rows into a table of texts, bigints and doubles."""
    if any(each.null_count() for each in rows.get_columns()):
        _copy(connection, table, rows)
        return
    columns = ", ".join(f'"{name}"' for name in rows.columns)
    statement = f"COPY {table} ({columns}) FROM STDIN (FORMAT binary)"
    with _driver(connection).cursor() as cursor, cursor.copy(statement) as copy:
        for block in binary_copy.blocks(rows):
            copy.write(block)


def _driver(connection: sa.Connection) -> Any:
    """The psycopg connection, inside the transaction."""
    return connection.connection.driver_connection


@functools.cache
def _upsert(table: sa.Table, names: Sequence[str], added: frozenset[str]) -> str:
    """SQL that writes one row of the columns `names`, with a %s for each."""
    return _text(replacing(postgresql.insert(table).inline(), table, added=added), names)


@functools.cache
def _merge(table: sa.Table, names: Sequence[str], added: frozenset[str]) -> str:
    """SQL that moves the columns `names` of the given rows into the table, by key: writers then wait in one order."""
    given = sa.table(f"given_{table.name}", *(sa.column(name) for name in names)).c
    rows = sa.select(*given).order_by(*(given[key.name] for key in table.primary_key.columns))
    return _text(replacing(postgresql.insert(table).from_select(names, rows), table, added=added), names)


@functools.cache
def _merge_arrays(table: sa.Table, names: Sequence[str], added: frozenset[str]) -> str:
    """Those of `_merge`, with a %s for the array of each column in place of a table of given rows."""
    given = f"given_{table.name}"
    types = [table.c[name].type.compile(dialect=postgresql.dialect()) for name in names]  # type: ignore[no-untyped-call]
    columns = ", ".join(f'"{name}"' for name in names)
    arrays = ", ".join(f"%s::{each}[]" for each in types)
    rows = f"FROM unnest({arrays}) AS {given} ({columns})"
    return _merge(table, names, added).replace(f"FROM {given}", rows, 1)


def _text(statement: sa.Insert, names: Sequence[str]) -> str:
    return str(statement.compile(dialect=postgresql.dialect(paramstyle="format"), column_keys=names))  # type: ignore[no-untyped-call]
