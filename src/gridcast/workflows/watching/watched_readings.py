"""Samples of readings, sources, the stream and events."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from gridcast.domain.series import Hierarchy
from gridcast.domain.tables import CONSUMER, Quality, latest
from gridcast.monitoring import metric_names as names
from gridcast.monitoring.exposition import Sample
from gridcast.store import monitored_readings
from gridcast.store.as_of import Connection
from gridcast.store.clean_readings import newest_of_each
from gridcast.store.schema import NO_BOUND_S
from gridcast.workflows.watching.drift_state import DRIFT_EVENT, RECOVERED_EVENT
from gridcast.workflows.watching.late_series import late_series

KINDS: Final = (
    *("promoted", "promotion_refused", "rolled_back", "shadow_started", "shadow_ended"),
    *("retrain_started", "retrain_skipped", DRIFT_EVENT, RECOVERED_EVENT),
)
"""Kinds of events that are told from the start: an increase shows only from a number that was there before."""
_DAY = timedelta(days=1)


def sources(connection: Connection, *, now: datetime) -> Iterator[Sample]:
    """How long every live source has been silent, and what it has brought."""
    for row in monitored_readings.live_sources(connection).iter_rows(named=True):
        yield Sample(names.SOURCE_AGE, (row["source"],), (now - row["committed_at"]).total_seconds())
        yield Sample(names.SOURCE_ROWS, (row["source"],), row["rows"])


def events(connection: Connection) -> Iterator[Sample]:
    """Events of every kind."""
    counts = dict.fromkeys(KINDS, 0) | monitored_readings.event_counts(connection)
    for kind, count in counts.items():
        yield Sample(names.EVENTS, (kind,), count)


def stream(connection: Connection) -> Iterator[Sample]:
    """How far the stream is behind, and how long readings took."""
    lag = monitored_readings.log_lag(connection, CONSUMER)
    if lag is not None:
        yield Sample(names.STREAM_LAG, value=lag)
    for (stage,), rows in monitored_readings.latency_counts(connection).group_by("stage", maintain_order=True):
        counted, bins = 0, []
        for upper_s, n in rows.select("upper_s", "n").iter_rows():
            counted += n
            if upper_s != NO_BOUND_S:
                bins.append((f"{upper_s:g}", float(counted)))
        yield Sample(names.LATENCY, (str(stage),), bins=(*bins, ("+Inf", float(counted))))


def freshness(connection: Connection, hierarchy: Hierarchy, *, now: datetime, max_age: timedelta) -> Iterator[Sample]:
    """How old the newest loads are and which series are late, by level; quality flags of the newest day."""
    newest = newest_of_each(connection)
    if newest.is_empty():
        return
    last = latest(newest["newest_reading"])
    levels = pl.DataFrame({"series_id": hierarchy.ids, "level": [str(each.level) for each in hierarchy.series]})
    active = levels.filter(pl.col("series_id").is_in(sorted(hierarchy.active_at(last))))
    late = late_series(hierarchy, dict(newest.iter_rows()), at=last, max_age=max_age)
    is_late = pl.col("series_id").is_in(late)
    by_level = active.join(newest, on="series_id", how="left").group_by("level", maintain_order=True)
    table = by_level.agg(pl.col("newest_reading").max(), n=pl.len(), late=is_late.sum())
    for row in table.iter_rows(named=True):
        level = (row["level"],)
        if row["newest_reading"] is not None:
            yield Sample(names.READING_AGE, level, (now - row["newest_reading"]).total_seconds())
        yield Sample(names.SERIES, level, row["n"])
        yield Sample(names.LATE_SERIES, level, row["late"])
        yield Sample(names.LATE_SHARE, level, row["late"] / row["n"])
    end = last + timedelta(microseconds=1)
    flags = monitored_readings.flags(connection, start=end - _DAY, end=end)
    for flag in Quality:
        yield Sample(names.CLEAN_READINGS, (flag.value,), flags.get(flag.value, 0))
