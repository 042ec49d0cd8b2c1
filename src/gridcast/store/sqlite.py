"""The embedded store: one SQLite file in WAL mode that other processes can read while it is written."""

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import sqlalchemy as sa
import tenacity
from sqlalchemy.pool import ConnectionPoolEntry

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import CLEAN_READINGS, FORECASTS
from gridcast.store import frames, reading_log, schema, upgrade
from gridcast.store.reading_log import SourcePosition

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PATIENCE_SECONDS = 30


class Position(NamedTuple):
    """How far a consumer of the log has come."""

    log_offset: int
    issue_time: datetime | None


class LandedSpan(NamedTuple):
    """First and last interval of some readings of a series in the log, and how many there are."""

    first: datetime
    last: datetime
    rows: int


class Store:
    """Readings, forecasts, scores and events of one installation. Every method is one transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        with self._transaction() as connection:
            if not upgrade.is_current(connection):
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                upgrade.bring_up_to_date(connection)

    @classmethod
    def open(cls, path: Path) -> "Store":
        """The store in the file `path`, created with its folder when absent.

        Raises:
            GridcastError: the file cannot be created or is not a SQLite database.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise GridcastError(f"store {path}: {error.strerror}; expected a folder gridcast may write to.") from error
        engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(path)), connect_args={"timeout": _PATIENCE_SECONDS}
        )
        sa.event.listen(engine, "connect", _set_pragmas)
        return cls(engine)

    def close(self) -> None:
        """Release the file; the store must not be used afterwards."""
        self._engine.dispose()

    def land(self, readings: pl.DataFrame) -> None:
        """Append readings as received to the log, in the order of their rows."""
        with self._transaction() as connection:
            frames.append(connection, schema.READING_LOG, readings)

    def land_batch(self, readings: pl.DataFrame, *, source: str, position: str, at: datetime) -> int:
        """Append readings of a live source to the log and move its position, in one transaction.

        A reading whose load equals that of the newest landed one of its series and time is not appended again: a batch
        that is handed over twice lands once.

        Args:
            readings: `READINGS` as received, in order of arrival.
            source: name of the source.
            position: where the source goes on after this batch.
            at: now.

        Returns:
            How many readings were appended.
        """
        with self._transaction() as connection:
            return reading_log.land_batch(connection, readings, source=source, position=position, at=at)

    def source_position(self, source: str) -> SourcePosition:
        """Where the next batch of a live source starts."""
        with self._transaction() as connection:
            return reading_log.source_position(connection, source)

    def sources(self) -> pl.DataFrame:
        """Every live source with position, batches, rows and time of its last batch, by name."""
        return self._read(schema.SOURCES, sa.select(schema.SOURCES).order_by(schema.SOURCES.c.source))

    def landed_from(
        self, source: str, *, after_offset: int, limit: int | None = None, start: datetime | None = None
    ) -> pl.DataFrame:
        """Up to `limit` readings of one source behind a log offset: `log_offset` and READINGS, in order of arrival.

        With `start` only those of intervals from then on.
        """
        query = reading_log.landed_from(source, after_offset=after_offset, limit=limit)
        query = query if start is None else query.where(schema.READING_LOG.c.valid_time >= _us(start))
        return self._read(schema.READING_LOG, query)

    def log_head(self) -> int:
        """Offset of the newest reading in the log, 0 when it is empty."""
        with self._transaction() as connection:
            return int(connection.scalar(sa.select(sa.func.max(schema.READING_LOG.c.log_offset))) or 0)

    def newest_landed(self) -> datetime | None:
        """The latest interval for which any reading has landed."""
        with self._transaction() as connection:
            return _time(connection.scalar(sa.select(sa.func.max(schema.READING_LOG.c.valid_time))))

    def landed_spans(
        self, *, after_offset: int, up_to_offset: int, start: datetime | None = None, end: datetime | None = None
    ) -> dict[str, LandedSpan]:
        """What log rows after `after_offset` up to and with `up_to_offset` touch of each series, by series id.

        Only rows with `start` ≤ valid time < `end` count.
        """
        log = schema.READING_LOG.c
        time = log.valid_time
        query = sa.select(log.series_id, sa.func.min(time), sa.func.max(time), sa.func.count()).where(
            log.log_offset > after_offset, log.log_offset <= up_to_offset
        )
        query = query if start is None else query.where(time >= _us(start))
        query = query if end is None else query.where(time < _us(end))
        with self._transaction() as connection:
            found = connection.execute(query.group_by(log.series_id).order_by(log.series_id)).all()
        return {name: LandedSpan(_moment(first), _moment(last), rows) for name, first, last, rows in found}

    def landed(self, *, start: datetime, end: datetime, up_to_offset: int) -> pl.DataFrame:
        """Readings as received with `start` ≤ valid time < `end`, in order of arrival, up to a log offset."""
        log = schema.READING_LOG.c
        query = (
            sa.select(log.series_id, log.valid_time, log.load_mw, log.available_at)
            .where(log.valid_time >= _us(start), log.valid_time < _us(end), log.log_offset <= up_to_offset)
            .order_by(log.log_offset)
        )
        return self._read(schema.READING_LOG, query)

    def position(self, consumer: str) -> Position:
        """Where `consumer` stands; offset 0 before its first commit."""
        mark = schema.CONSUMERS.c
        query = sa.select(mark.log_offset, mark.issue_time).where(mark.consumer == consumer)
        with self._transaction() as connection:
            row = connection.execute(query).one_or_none()
        return Position(0, None) if row is None else Position(int(row[0]), _time(row[1]))

    def commit_tick(
        self,
        *,
        consumer: str,
        log_offset: int,
        issue_time: datetime,
        readings: pl.DataFrame,
        forecasts: pl.DataFrame,
        counts: pl.DataFrame | None = None,
    ) -> None:
        """Write all that one tick produced and how far it read, in one transaction. Repeating it changes nothing.

        Args:
            consumer: who reads the log.
            log_offset: the last offset the tick has read.
            issue_time: when its forecast was issued.
            readings: `CLEAN_READINGS`; replace what is stored for the same series and interval.
            forecasts: `FORECASTS`; replace what is stored for the same key.
            counts: `kind`, `name`, `rows`, `energy_mwh`; replace all that is stored for the issue time.
        """
        mark = pl.DataFrame({"consumer": [consumer], "log_offset": [log_offset], "issue_time": [issue_time]})
        with self._transaction() as connection:
            frames.upsert(connection, schema.READINGS, readings.select(CLEAN_READINGS.names()))
            frames.upsert(connection, schema.FORECASTS, forecasts.select(FORECASTS.names()))
            frames.upsert(connection, schema.CONSUMERS, mark)
            if counts is not None:
                table = schema.TICK_COUNTS
                connection.execute(sa.delete(table).where(table.c.issue_time == _us(issue_time)))
                frames.upsert(connection, table, counts.with_columns(issue_time=pl.lit(issue_time)))

    def tick_counts(self, *, at: datetime | None = None) -> pl.DataFrame:
        """What the pipeline of each tick counted, or of the one that issued `at`; by issue time, kind and name."""
        table = schema.TICK_COUNTS
        query = sa.select(table).order_by(table.c.issue_time, table.c.kind, table.c.name)
        return self._read(table, query if at is None else query.where(table.c.issue_time == _us(at)))

    def readings(self, *, start: datetime, end: datetime) -> pl.DataFrame:
        """Clean readings with `start` ≤ valid time < `end`, ordered by series and time (`CLEAN_READINGS`)."""
        table = schema.READINGS
        query = (
            sa.select(table)
            .where(table.c.valid_time >= _us(start), table.c.valid_time < _us(end))
            .order_by(table.c.series_id, table.c.valid_time)
        )
        return self._read(table, query)

    def save_forecasts(self, forecasts: pl.DataFrame) -> None:
        """Write forecasts; the same series, issue time, valid time and layer replaces."""
        with self._transaction() as connection:
            frames.upsert(connection, schema.FORECASTS, forecasts.select(FORECASTS.names()))

    def forecasts(self, *, start: datetime, end: datetime) -> pl.DataFrame:
        """Forecasts with `start` ≤ issue time < `end`, ordered by issue time, series and valid time (`FORECASTS`)."""
        table = schema.FORECASTS
        query = (
            sa.select(table)
            .where(table.c.issue_time >= _us(start), table.c.issue_time < _us(end))
            .order_by(table.c.issue_time, table.c.series_id, table.c.valid_time)
        )
        return self._read(table, query)

    def newest_issue_time(self) -> datetime | None:
        """When the newest stored forecast was issued."""
        with self._transaction() as connection:
            return _time(connection.scalar(sa.select(sa.func.max(schema.FORECASTS.c.issue_time))))

    def newest_reading(self) -> datetime | None:
        """The latest interval with a clean, measured or estimated, load."""
        table = schema.READINGS.c
        with self._transaction() as connection:
            return _time(connection.scalar(sa.select(sa.func.max(table.valid_time)).where(table.load_mw.is_not(None))))

    def save_scores(self, scores: pl.DataFrame) -> None:
        """Write scores; the same series, issue time, layer and lead bucket replaces."""
        with self._transaction() as connection:
            frames.upsert(connection, schema.SCORES, scores)

    def scores(self) -> pl.DataFrame:
        """Every score, ordered by issue time and series."""
        table = schema.SCORES
        return self._read(table, sa.select(table).order_by(table.c.issue_time, table.c.series_id, table.c.lead_bucket))

    def add_event(self, *, at: datetime, kind: str, message: str) -> None:
        """Append one event."""
        event = pl.DataFrame({"at": [at], "kind": [kind], "message": [message]})
        with self._transaction() as connection:
            frames.append(connection, schema.EVENTS, event)

    def events(self, *, newest: int = 20) -> pl.DataFrame:
        """The newest events, oldest of them first."""
        table = schema.EVENTS
        return self._read(table, sa.select(table).order_by(table.c.event_id.desc()).limit(newest)).reverse()

    def counts(self) -> dict[str, int]:
        """Rows per table."""
        with self._transaction() as connection:
            return {
                table.name: int(connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)
                for table in schema.METADATA.sorted_tables
            }

    def _read(self, table: sa.Table, query: sa.Select[Any]) -> pl.DataFrame:
        with self._transaction() as connection:
            return frames.read(connection, table, query)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.DatabaseError as error:
            raise GridcastError(
                f"store {self._engine.url.database}: {error.orig}; expected a writable SQLite file made by gridcast "
                "on a disk with free space. Nothing of this step was written; mend the cause and run the command again."
            ) from error


def _is_locked(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


# SQLite does not wait for its own time limit when two processes switch a new file to WAL at once.
@tenacity.retry(
    retry=tenacity.retry_if_exception(_is_locked),
    wait=tenacity.wait_random_exponential(multiplier=0.01, max=1),
    stop=tenacity.stop_after_delay(_PATIENCE_SECONDS),
    reraise=True,
)
def _set_pragmas(connection: Any, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _time(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _moment(microseconds)


def _moment(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND
