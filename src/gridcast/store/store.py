"""Readings, forecasts, scores and events of one installation, in a SQL database."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import sqlalchemy as sa

from gridcast.domain.tables import READINGS, Layer
from gridcast.store import clean_readings, events, frames, reading_log, schema, upgrade
from gridcast.store import forecasts as issued_forecasts
from gridcast.store.database import Database
from gridcast.store.dialect import database, dialect_of
from gridcast.store.each_series import each_in
from gridcast.store.errors import StoreError
from gridcast.store.moments import microseconds, moment_or_none
from gridcast.store.reading_log import Landing, SourcePosition


class Position(NamedTuple):
    """How far a consumer of the log has come."""

    log_offset: int
    issue_time: datetime | None


class Store:
    """Readings, forecasts, scores and events of one installation. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._driver_error: type[Exception] = database.engine.dialect.loaded_dbapi.Error
        with contextlib.ExitStack() as failed:
            failed.callback(self.close)
            with self.transaction() as connection:
                upgrade.bring_up_to_date(connection, name=database.name)
            failed.pop_all()

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
        with self.transaction() as connection:
            reading_log.land(connection, readings)

    def land_batch(
        self, readings: pl.DataFrame, *, source: str, position: str, at: datetime, received_at: datetime | None = None
    ) -> int:
        """Append readings of a live source to the log and move its position, in one transaction.

        A reading whose load equals that of the newest landed one of its series and time is not appended again: a batch
        that is handed over twice lands once, unless it says two things of one time.

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
        with self.transaction() as connection:
            return reading_log.land_batch(connection, readings, source=source, position=position, **times)

    def source_position(self, source: str) -> SourcePosition:
        """Where the next batch of a live source starts."""
        with self.transaction() as connection:
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
        with self.transaction() as connection:
            return reading_log.head(connection)

    def landed_after(self, *, after_offset: int, up_to_offset: int) -> pl.DataFrame:
        """`log_offset` and READINGS of the log rows after `after_offset` up to and with `up_to_offset`, in order."""
        query = reading_log.landed_after(after_offset=after_offset, up_to_offset=up_to_offset)
        return self._read(schema.READING_LOG, query)

    def newest_offset_before(self, *, end: datetime, after_offset: int, up_to_offset: int) -> int | None:
        """The last log row after `after_offset` up to and with `up_to_offset` whose valid time is before `end`."""
        with self.transaction() as connection:
            return reading_log.newest_offset_before(
                connection, end=end, after_offset=after_offset, up_to_offset=up_to_offset
            )

    def landing_of(self, log_offset: int) -> Landing | None:
        """When a log row was received and landed; None where it was no live source's, or its landing is forgotten."""
        with self.transaction() as connection:
            return reading_log.landing_of(connection, log_offset)

    def landed(self, *, start: datetime, end: datetime, up_to_offset: int) -> pl.DataFrame:
        """Readings as received with `start` ≤ valid time < `end`, in order of arrival, up to a log offset."""
        query = reading_log.landed(start=start, end=end, up_to_offset=up_to_offset)
        return self._read(schema.READING_LOG, query)

    def position(self, consumer: str) -> Position:
        """Where `consumer` stands; offset 0 before its first commit."""
        mark = schema.CONSUMERS.c
        query = sa.select(mark.log_offset, mark.issue_time).where(mark.consumer == consumer)
        with self.transaction() as connection:
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
        with self.transaction() as connection:
            clean_readings.save(connection, readings, known_from=issue_time)
            issued_forecasts.save(connection, forecasts)
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
        return self._read(schema.READINGS, clean_readings.between(start=start, end=end))

    def readings_as_of(
        self, at: datetime, *, start: datetime, end: datetime, series_id: str | None = None
    ) -> pl.DataFrame:
        """Those of `readings`, of one series or all, as they were known at a moment."""
        return self._read(schema.READINGS, clean_readings.as_of(at, start=start, end=end, series_id=series_id))

    def save_clean(self, readings: pl.DataFrame, *, known_from: datetime | None = None) -> None:
        """Write `CLEAN_READINGS` as known from a moment, now if it is None; the same series and interval replaces."""
        moment = datetime.now(UTC) if known_from is None else known_from
        with self.transaction() as connection:
            clean_readings.save(connection, readings, known_from=moment)

    def save_forecasts(self, forecasts: pl.DataFrame) -> None:
        """Write forecasts; the same series, issue time, valid time and layer replaces."""
        with self.transaction() as connection:
            issued_forecasts.save(connection, forecasts)

    def forecasts(self, *, start: datetime, end: datetime) -> pl.DataFrame:
        """Forecasts with `start` ≤ issue time < `end`, ordered by issue time, series and valid time (`FORECASTS`)."""
        return self._read(schema.FORECASTS, issued_forecasts.issued(start=start, end=end))

    def forecasts_ahead(self, *, start: datetime, end: datetime, lead: timedelta, lead_end: timedelta) -> pl.DataFrame:
        """`FORECASTS` with `start` ≤ issue time < `end` and `lead` ≤ valid time − issue time < `lead_end`."""
        query = issued_forecasts.ahead(start=start, end=end, lead=lead, lead_end=lead_end)
        return self._read(schema.FORECASTS, query)

    def latest_runs(self) -> pl.DataFrame:
        """The newest forecast of each `series_id` and `layer`: its `issue_time` and `model_version`."""
        with self.transaction() as connection:
            return issued_forecasts.latest_runs(connection)

    def latest_forecast(self, series_id: str, *, layer: Layer = Layer.MODEL) -> pl.DataFrame:
        """`FORECASTS` of the newest run of a series and layer by valid time; no rows if there is none."""
        with self.transaction() as connection:
            return issued_forecasts.latest(connection, series_id, layer=layer)

    def newest_issue_time(self) -> datetime | None:
        """When the newest stored forecast was issued."""
        with self.transaction() as connection:
            return issued_forecasts.newest_issue_time(connection)

    def newest_reading(self) -> datetime | None:
        """The latest interval with a clean, measured or estimated, load."""
        with self.transaction() as connection:
            return clean_readings.newest(connection)

    def save_scores(self, scores: pl.DataFrame) -> None:
        """Write scores; the same series, issue time, layer and lead bucket replaces."""
        with self.transaction() as connection:
            frames.upsert(connection, schema.SCORES, scores)

    def scores(self, *, start: datetime | None = None) -> pl.DataFrame:
        """Scores of forecasts issued from a time on, ordered by issue time and series; every score without it."""
        table = schema.SCORES
        query = sa.select(table).order_by(table.c.issue_time, table.c.series_id, table.c.lead_bucket)
        if start is not None:
            query = query.select_from(each_in(table)).where(table.c.issue_time >= microseconds(start))
        return self._read(table, query)

    def add_event(self, *, at: datetime, kind: str, message: str) -> None:
        """Append one event."""
        with self.transaction() as connection:
            events.add(connection, at=at, kind=kind, message=message)

    def events(self, *, newest: int = 20) -> pl.DataFrame:
        """The newest events, oldest of them first."""
        table = schema.EVENTS
        return self._read(table, sa.select(table).order_by(table.c.event_id.desc()).limit(newest)).reverse()

    def add_latencies(self, latencies: pl.DataFrame) -> None:
        """Add counts of durations to the stored ones: `stage`, `upper_s` (may be infinite), `n`."""
        bounded = latencies.with_columns(pl.col("upper_s").cast(pl.Float64).replace(float("inf"), schema.NO_BOUND_S))
        with self.transaction() as connection:
            frames.upsert(connection, schema.LATENCIES, bounded, added=("n",))

    def latencies(self) -> pl.DataFrame:
        """How many durations of each stage fell below each bound and above the one before: `stage`, `upper_s`, `n`."""
        table = schema.LATENCIES
        stored = self._read(table, sa.select(table).order_by(table.c.stage, table.c.upper_s))
        return stored.with_columns(pl.col("upper_s").replace(schema.NO_BOUND_S, float("inf")))

    def counts(self) -> dict[str, int]:
        """Rows per table."""
        with self.transaction() as connection:
            return {
                table.name: int(connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)
                for table in schema.METADATA.sorted_tables
            }

    def _read(self, table: sa.Table, query: sa.Select[Any]) -> pl.DataFrame:
        with self.transaction() as connection:
            return frames.read(connection, table, query)

    @property
    def name(self) -> str:
        """The path of the file, or the URL without the password."""
        return self._database.name

    def compact(self) -> bool:
        """Give the room of removed rows back to the disk; whether the database needs that to be asked for."""
        with self._told(), self._database.engine.connect() as connection:
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            return dialect_of(alone).compact(alone)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """A connection whose work is committed at the end, or not at all."""
        with self._told(), self._database.engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.DBAPIError, self._driver_error) as error:
            cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
            raise StoreError(
                f"store {self._database.name}: {' '.join(str(cause).split())}; expected {self._database.expected}. "
                "Nothing of this step was written; mend the cause and run the command again."
            ) from error
