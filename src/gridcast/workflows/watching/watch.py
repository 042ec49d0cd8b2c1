"""What is measured of an installation while it works, as samples for Prometheus."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from gridcast import __version__
from gridcast.domain.series import Level
from gridcast.monitoring import metric_names as names
from gridcast.monitoring.exposition import Sample
from gridcast.registry.catalogue import CHAMPION, RegisteredModel, with_alias
from gridcast.store.as_of import Connection
from gridcast.store.errors import StoreError
from gridcast.store.store import Store
from gridcast.workflows.judging.yardstick import Yardstick
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.watching import watched_forecasts, watched_readings
from gridcast.workflows.watching.drift_state import read_drift

SHOWN_LEVELS = (Level.SYSTEM, Level.ZONE)
"""Levels whose series are told one by one; below them there may be millions."""


@dataclass(slots=True, eq=False, kw_only=True)
class Watch:
    """Who looks.

    Attributes:
        store: what is looked at, in one transaction each time.
        processed: the clean history, if there is one: which series there are.
        models: the registered models.
        yardstick: what the champion's errors are held against.
        drift: the file of the newest search for drift.
        max_reading_age: how much older than the newest a series' load may be.
        clock: what time it is.
    """

    store: Store
    processed: Callable[[], Processed | None]
    models: Callable[[], Sequence[RegisteredModel]]
    yardstick: Yardstick
    drift: Path
    max_reading_age: timedelta
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _errors: int = field(default=0, init=False)

    def samples(self) -> list[Sample]:
        """Everything that can be measured now; a store that does not answer is told as such."""
        found = [Sample(names.BUILD, (__version__,), 1.0), *self._of_models(), *self._of_drift()]
        try:
            with self.store.transaction() as connection:
                found += self._of_store(connection)
            is_up = 1.0
        except StoreError:
            is_up = 0.0
            self._errors += 1
        return [*found, Sample(names.STORE_UP, value=is_up), Sample(names.STORE_ERRORS, value=self._errors)]

    def _of_store(self, connection: Connection) -> Iterator[Sample]:
        now, processed = self.clock(), self.processed()
        yield from watched_readings.sources(connection, now=now)
        yield from watched_readings.events(connection)
        yield from watched_readings.stream(connection)
        yield from watched_forecasts.newest(connection, now=now)
        if processed is None:
            return
        hierarchy = processed.hierarchy
        yield from watched_readings.freshness(connection, hierarchy, now=now, max_age=self.max_reading_age)
        shown = [each.series_id for each in hierarchy.series if each.level in SHOWN_LEVELS]
        shown.sort(key=lambda each: each != hierarchy.root)
        yield from watched_forecasts.accuracy(connection, shown, limits=self._limits())
        yield from watched_forecasts.trial(connection, shown)
        zone = hierarchy.time_zones[hierarchy.root]
        yield from watched_forecasts.peaks(connection, shown, time_zone=zone, interval=processed.interval)
        yield from watched_forecasts.anomalies(connection, shown)

    def _limits(self) -> pl.DataFrame:
        champion = with_alias(self.models(), CHAMPION)
        return self.yardstick.limits("" if champion is None else champion.version)

    def _of_models(self) -> Iterator[Sample]:
        for model in self.models():
            for alias in model.aliases:
                yield Sample(names.MODEL, (alias, model.version), 1.0)

    def _of_drift(self) -> Iterator[Sample]:
        found = read_drift(self.drift)
        if found is None:
            return
        yield Sample(names.DRIFT_AGE, value=(self.clock() - found.checked_at).total_seconds())
        for row in found.scores.iter_rows(named=True):
            yield Sample(names.DRIFT, (row["series_id"], row["detector"]), row["score"] / row["limit"])
