"""How far a source that is fetched span by span has come."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from gridcast.ingestion.source import unreadable_position

SETTLED_AFTER = timedelta(days=3)
"""So long after an interval its load is still waited for; what comes later is not asked for again."""


@dataclass(frozen=True, slots=True)
class FetchedUntil:
    """Per name, until when (exclusive) everything was fetched."""

    times: Mapping[str, datetime]

    @classmethod
    def read(cls, position: str | None) -> "FetchedUntil":
        """From a position.

        Raises:
            GridcastError: it is none.
        """
        try:
            kept = {} if position is None else json.loads(position)
            return cls({str(name): datetime.fromisoformat(time) for name, time in kept.items()})
        except (ValueError, TypeError, AttributeError) as error:
            raise unreadable_position(str(position), owner="the source") from error

    def text(self) -> str:
        """As a position."""
        return json.dumps({name: time.astimezone(UTC).isoformat() for name, time in sorted(self.times.items())})

    def moved(self, name: str, *, to: datetime) -> "FetchedUntil":
        """The same, further on for one name."""
        return FetchedUntil({**self.times, name: to})


def next_start(readings: pl.DataFrame, *, start: datetime, end: datetime, now: datetime) -> datetime:
    """Where to go on after [start, end) was asked for and gave these READINGS.

    Old spans are done even where loads are missing; of young ones, the rest is asked for again. Readings count as
    available at their interval's end, so the newest of them tells until when there is data.
    """
    settled = min(end, now - SETTLED_AFTER)
    newest = readings["available_at"].max()
    return max(start, settled, min(newest, end) if isinstance(newest, datetime) else start)
