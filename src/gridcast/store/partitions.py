"""Forecasts in PostgreSQL lie in a partition for each month of issue times, made when the first of them is written."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import polars as pl
import sqlalchemy as sa

from gridcast.domain.tables import UTC_TIME
from gridcast.store.moments import microseconds

_PARTS = """
SELECT child.relname FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = 'forecasts'::regclass ORDER BY 1
"""
_NAME = re.compile(r"forecasts_y(\d+)m(\d\d)")


class Month(NamedTuple):
    """One month of issue times."""

    year: int
    month: int

    @property
    def start(self) -> datetime:
        """Its first moment."""
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The first moment behind it."""
        return datetime(self.year + self.month // 12, self.month % 12 + 1, 1, tzinfo=UTC)

    @property
    def partition(self) -> str:
        """The table that holds it."""
        return f"forecasts_y{self.year:04d}m{self.month:02d}"


def make(connection: sa.Connection, issue_times: pl.Series) -> None:
    """Make the partitions that rows of some issue times (microseconds) go to, where they lack."""
    missing = [each for each in _months(issue_times) if not _is_there(connection, each)]
    if not missing:
        return
    # Whoever else makes partitions waits; readers and writers of others do not: that is why each is attached.
    connection.exec_driver_sql("LOCK TABLE forecasts IN SHARE UPDATE EXCLUSIVE MODE")
    for month in missing:
        if not _is_there(connection, month):
            bounds = f"FROM ({microseconds(month.start)}) TO ({microseconds(month.end)})"
            connection.exec_driver_sql(f"CREATE TABLE {month.partition} (LIKE forecasts INCLUDING ALL)")
            connection.exec_driver_sql(f"ALTER TABLE forecasts ATTACH PARTITION {month.partition} FOR VALUES {bounds}")


def months(connection: sa.Connection) -> Iterator[Month]:
    """The months that have a partition, oldest first."""
    for (name,) in connection.exec_driver_sql(_PARTS).all():
        found = _NAME.fullmatch(name)
        if found is not None:
            yield Month(int(found[1]), int(found[2]))


def _is_there(connection: sa.Connection, month: Month) -> bool:
    return bool(connection.scalar(sa.select(sa.func.to_regclass(month.partition).is_not(None))))


def _months(issue_times: pl.Series) -> list[Month]:
    times = issue_times.unique().cast(pl.Datetime("us")).cast(UTC_TIME).dt.truncate("1mo").unique().sort()
    return [Month(each.year, each.month) for each in times if each is not None]
