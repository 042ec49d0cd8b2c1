"""Readings, forecasts, scores and events of one installation, in a SQL database."""

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import sqlalchemy as sa

from gridcast.domain.tables import CLEAN_READINGS, FORECASTS, READINGS
from gridcast.store import frames, reading_log, schema, upgrade
from gridcast.store.database import Database
from gridcast.store.dialect import database, dialect_of
from gridcast.store.errors import StoreError
from gridcast.store.moments import microseconds, moment_or_none
from gridcast.store.reading_log import LandedSpan, Landing, SourcePosition


class Position(NamedTuple):
    """How far a consumer of the log has come."""

    log_offset: int
    issue_time: datetime | None


class Store:
    """Readings, forecasts, scores and events of one installation. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._driver_error: type[Exception] = database.engine.dialect.loaded_dbapi.Error
        with self._transaction() as connection:
            if not upgrade.is_current(connection):
                dialect_of(connection).lock_schema(connection)
                upgrade.bring_up_to_date(connection)

    @classmethod
    def open(cls, place: Path | str) -> "Store":
        """The store in a SQLite file or in the PostgreSQL database at a URL.

        A file is created, with its folder, when absent; a database must be there, its tables are created.

        Raises:
            StoreError: the place cannot be opened or holds something else.
        """
        return cls(database(place))

    def close(self) -> None:
        """Release the connections; the store must not be used afterwards."""
        self._database.engine.dispose()

    def land(self, readings: pl.DataFrame) -> None:
        """Append readings as received to the log, in the order of their rows."""
        with self._transaction() as connection:
            reading_log.land(connection, readings)

    def land_batch(
        self, readings: pl.DataFrame, *, source: str, position: str, at: datetime, received_at: datetime | None = None
    ) -> int:
        """Append readings of a live source to the log and move its position, in one transaction.

        A reading whose load equals that of the newest landed one of its series and time is not appended again: a batch
        that is handed over twice lands once.

        Args:
            readings: `READINGS` as received, in order of arrival.
            source: name of the source.
            position: where the source goes on after this batch.
            at: now.
            received_at: when the first of the batch was received; None: now.

        Returns:
            How many readings were appended.
        """
        times = {"at": at, "received_at": at if received_at is None else received_at}
        with self._transaction() as connection:
            return reading_log.land_batch(connection, readings, source=source, position=position, **times)

    def source_position(self, source: str) -> SourcePosition:
        """Where the next batch of a live source starts."""
        with self._transaction() as connection:
            return reading_log.source_position(connection, source)

    def sources(self) -> pl.DataFrame:
        """Every live source with position, batches, rows and time of its last batch, by name."""
        return self._read(schema.SOURCES, sa.select(schema.SOURCES).order_by(schema.SOURCES.c.source))

    def landed_from(self, source: str, *, after_offset: int, limit: int | None = None) -> pl.DataFrame:
        """Up to `limit` readings of one source behind a log offset: `log_offset` and READINGS, in order of arrival."""
        return self._read(schema.READING_LOG, reading_log.landed_from(source, after_offset=after_offset, limit=limit))

    def landed_between(self, source: str, *, after_offset: int, start: datetime, end: datetime) -> pl.DataFrame:
        """READINGS of one source with `start` ≤ valid time < `end` behind a log offset, in order of arrival."""
        time = schema.READING_LOG.c.valid_time
        query = reading_log.landed_from(source, after_offset=after_offset, limit=None)
        rows = self._read(schema.READING_LOG, query.where(time >= microseconds(start), time < microseconds(end)))
        return rows.select(READINGS.names())

    def log_head(self) -> int:
        """Offset of the newest reading in the log, 0 when it is empty."""
        with self._transaction() as connection:
            return reading_log.head(connection)

    def newest_landed(self) -> datetime | None:
        """The latest interval for which any reading has landed."""
        with self._transaction() as connection:
            return moment_or_none(connection.scalar(sa.select(sa.func.max(schema.READING_LOG.c.valid_time))))

    def landed_spans(
        self, *, after_offset: int, up_to_offset: int, start: datetime | None = None, end: datetime | None = None
    ) -> dict[str, LandedSpan]:
        """What log rows after `after_offset` up to and with `up_to_offset` touch of each series, by series id.

        Only rows with `start` ≤ valid time < `end` count.
        """
        with self._transaction() as connection:
            return reading_log.landed_spans(
                connection, after_offset=after_offset, up_to_offset=up_to_offset, start=start, end=end
            )

    def landed_after(self, *, after_offset: int, up_to_offset: int) -> pl.DataFrame:
        """`log_offset` and READINGS of the log rows after `after_offset` up to and with `up_to_offset`, in order."""
        query = reading_log.landed_after(after_offset=after_offset, up_to_offset=up_to_offset)
        return self._read(schema.READING_LOG, query)

    def newest_landed_by_series(self, *, up_to_offset: int, before: datetime | None = None) -> dict[str, datetime]:
        """The latest interval of each series that has landed up to a log offset, of those that start before `before`.

        Takes a few lookups in an index per series, however long the log is.
        """
        with self._transaction() as connection:
            return reading_log.newest_by_series(connection, up_to_offset=up_to_offset, before=before)

    def newest_offset_before(self, *, end: datetime, after_offset: int, up_to_offset: int) -> int | None:
        """The last log row after `after_offset` up to and with `up_to_offset` whose valid time is before `end`."""
        with self._transaction() as connection:
            return reading_log.newest_offset_before(
                connection, end=end, after_offset=after_offset, up_to_offset=up_to_offset
            )

    def landing_of(self, log_offset: int) -> Landing | None:
        """When a log row was received and landed; None where it was no live source's, or its landing is forgotten."""
        with self._transaction() as connection:
            return reading_log.landing_of(connection, log_offset)

    def forget_landings(self, *, before_offset: int) -> None:
        """Remove the landings of which all rows lie before a log offset."""
        landings = schema.LANDINGS
        with self._transaction() as connection:
            connection.execute(sa.delete(landings).where(landings.c.last_offset < before_offset))

    def landed(self, *, start: datetime, end: datetime, up_to_offset: int) -> pl.DataFrame:
        """Readings as received with `start` ≤ valid time < `end`, in order of arrival, up to a log offset."""
        query = reading_log.landed(start=start, end=end, up_to_offset=up_to_offset)
        return self._read(schema.READING_LOG, query)

    def position(self, consumer: str) -> Position:
        """Where `consumer` stands; offset 0 before its first commit."""
        mark = schema.CONSUMERS.c
        query = sa.select(mark.log_offset, mark.issue_time).where(mark.consumer == consumer)
        with self._transaction() as connection:
            row = connection.execute(query).one_or_none()
        return Position(0, None) if row is None else Position(int(row[0]), moment_or_none(row[1]))

    def commit_tick(
        self,
        *,
        consumer: str,
        log_offset: int,
        issue_time: datetime,
        readings: pl.DataFrame,
        forecasts: pl.DataFrame,
        counts: pl.DataFrame | None = None,
        scores: pl.DataFrame | None = None,
    ) -> None:
        """Write all that one tick produced and how far it read, in one transaction. Repeating it changes nothing.

        Args:
            consumer: who reads the log.
            log_offset: the last offset the tick has read.
            issue_time: when its forecast was issued.
            readings: `CLEAN_READINGS`; replace what is stored for the same series and interval.
            forecasts: `FORECASTS`; replace what is stored for the same key.
            counts: `kind`, `name`, `rows`, `energy_mwh`; replace all that is stored for the issue time.
            scores: of earlier forecasts; replace what is stored for the same key.
        """
        mark = pl.DataFrame({"consumer": [consumer], "log_offset": [log_offset], "issue_time": [issue_time]})
        with self._transaction() as connection:
            frames.upsert(connection, schema.READINGS, readings.select(CLEAN_READINGS.names()))
            frames.upsert(connection, schema.FORECASTS, forecasts.select(FORECASTS.names()))
            frames.upsert(connection, schema.CONSUMERS, mark)
            if scores is not None:
                frames.upsert(connection, schema.SCORES, scores)
            if counts is not None:
                table = schema.TICK_COUNTS
                connection.execute(sa.delete(table).where(table.c.issue_time == microseconds(issue_time)))
                frames.upsert(connection, table, counts.with_columns(issue_time=pl.lit(issue_time)))

    def tick_counts(self, *, at: datetime | None = None) -> pl.DataFrame:
        """What the pipeline of each tick counted, or of the one that issued `at`; by issue time, kind and name."""
        table = schema.TICK_COUNTS
        query = sa.select(table).order_by(table.c.issue_time, table.c.kind, table.c.name)
        return self._read(table, query if at is None else query.where(table.c.issue_time == microseconds(at)))

    def readings(self, *, start: datetime, end: datetime) -> pl.DataFrame:
        """Clean readings with `start` ≤ valid time < `end`, ordered by series and time (`CLEAN_READINGS`)."""
        table = schema.READINGS
        query = (
            sa.select(table)
            .where(table.c.valid_time >= microseconds(start), table.c.valid_time < microseconds(end))
            .order_by(table.c.series_id, table.c.valid_time)
        )
        return self._read(table, query)

    def save_clean(self, readings: pl.DataFrame) -> None:
        """Write `CLEAN_READINGS`; the same series and interval replaces."""
        with self._transaction() as connection:
            frames.upsert(connection, schema.READINGS, readings.select(CLEAN_READINGS.names()))

    def save_forecasts(self, forecasts: pl.DataFrame) -> None:
        """Write forecasts; the same series, issue time, valid time and layer replaces."""
        with self._transaction() as connection:
            frames.upsert(connection, schema.FORECASTS, forecasts.select(FORECASTS.names()))

    def forecasts(self, *, start: datetime, end: datetime) -> pl.DataFrame:
        """Forecasts with `start` ≤ issue time < `end`, ordered by issue time, series and valid time (`FORECASTS`)."""
        table = schema.FORECASTS
        query = (
            sa.select(table)
            .where(table.c.issue_time >= microseconds(start), table.c.issue_time < microseconds(end))
            .order_by(table.c.issue_time, table.c.series_id, table.c.valid_time)
        )
        return self._read(table, query)

    def forecasts_ahead(self, *, start: datetime, end: datetime, lead: timedelta, lead_end: timedelta) -> pl.DataFrame:
        """`FORECASTS` with `start` ≤ issue time < `end` and `lead` ≤ valid time − issue time < `lead_end`."""
        table = schema.FORECASTS
        ahead = table.c.valid_time - table.c.issue_time
        query = sa.select(table).where(
            table.c.issue_time >= microseconds(start),
            table.c.issue_time < microseconds(end),
            ahead >= lead // timedelta(microseconds=1),
            ahead < lead_end // timedelta(microseconds=1),
        )
        return self._read(table, query.order_by(table.c.issue_time, table.c.series_id, table.c.valid_time))

    def newest_issue_time(self) -> datetime | None:
        """When the newest stored forecast was issued."""
        with self._transaction() as connection:
            return moment_or_none(connection.scalar(sa.select(sa.func.max(schema.FORECASTS.c.issue_time))))

    def newest_reading(self) -> datetime | None:
        """The latest interval with a clean, measured or estimated, load."""
        table = schema.READINGS.c
        with self._transaction() as connection:
            return moment_or_none(
                connection.scalar(sa.select(sa.func.max(table.valid_time)).where(table.load_mw.is_not(None)))
            )

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

    def add_latencies(self, latencies: pl.DataFrame) -> None:
        """Add counts of durations to the stored ones: `stage`, `upper_s` (may be infinite), `n`."""
        bounded = latencies.with_columns(pl.col("upper_s").cast(pl.Float64).replace(float("inf"), schema.NO_BOUND_S))
        with self._transaction() as connection:
            frames.upsert(connection, schema.LATENCIES, bounded, added=("n",))

    def latencies(self) -> pl.DataFrame:
        """How many durations of each stage fell below each bound and above the one before: `stage`, `upper_s`, `n`."""
        table = schema.LATENCIES
        stored = self._read(table, sa.select(table).order_by(table.c.stage, table.c.upper_s))
        return stored.with_columns(pl.col("upper_s").replace(schema.NO_BOUND_S, float("inf")))

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
            with self._database.engine.begin() as connection:
                yield connection
        except (sa.exc.DBAPIError, self._driver_error) as error:
            cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
            raise StoreError(
                f"store {self._database.name}: {' '.join(str(cause).split())}; expected {self._database.expected}. "
                "Nothing of this step was written; mend the cause and run the command again."
            ) from error
