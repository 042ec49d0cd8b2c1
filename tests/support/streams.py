"""A stream on a small history, its clock in the test's hands."""

import functools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
from support.processed_history import HOUR, ZONES

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import CONSUMER, FORECASTS, READINGS, Layer
from gridcast.quality.limits import Limits
from gridcast.store.errors import StoreError
from gridcast.store.store import Store
from gridcast.workflows.readings.block_name import BlockName
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.readings.rules import CleaningRules
from gridcast.workflows.streaming.arrivals import Patience
from gridcast.workflows.streaming.live_forecasts import Speakers, Version
from gridcast.workflows.streaming.stream_readings import Stream
from gridcast.workflows.streaming.tick_job import AtHand, TickJob

DAYS = 60
EVER = {"start": datetime(1900, 1, 1, tzinfo=UTC), "end": datetime(2100, 1, 1, tzinfo=UTC)}


@dataclass
class Running:
    """A stream that cleans and commits, with a word for a forecast, and what it did."""

    store: Store
    processed: Processed
    jobs: list[TickJob] = field(default_factory=list)
    left: list[tuple[int, datetime]] = field(default_factory=list)
    troubles: list[StoreError] = field(default_factory=list)
    now: datetime = datetime(2030, 1, 1, tzinfo=UTC)

    @functools.cached_property
    def stream(self) -> Stream:
        return self.started()

    def started(self, patience: Patience | None = None) -> Stream:
        """Another process that goes on where the last one ended."""
        speakers = Speakers(Version(Path(), "1"))
        return Stream(
            AtHand(self.store, self.processed, self.rules),
            lambda: speakers,
            self._tick,
            DAYS,
            patience or Patience(),
            lambda *all_: self.left.append(all_),
            lambda: self.now,
        )

    @functools.cached_property
    def rules(self) -> CleaningRules:
        hierarchy = self.processed.hierarchy
        since = dict.fromkeys(hierarchy.leaves, datetime(2024, 1, 1, tzinfo=UTC))
        return CleaningRules(interval=HOUR, limits=Limits(), hierarchy=hierarchy, series_since=since)

    @property
    def received(self) -> pl.DataFrame:
        return self.processed.readings(series_ids=ZONES).select(READINGS.names())

    @property
    def issue_time(self) -> datetime:
        issued = self.store.position(CONSUMER).issue_time
        assert issued is not None
        return issued

    def clean(self) -> pl.DataFrame:
        return self.store.readings(**EVER)

    def land(self, *rows: tuple[str, datetime, float]) -> None:
        self.land_all(readings(*rows))

    def land_all(self, rows: pl.DataFrame) -> None:
        self.store.land_batch(rows, source="scada", position="0", at=self.now)

    def begin(self, *, before_end: timedelta) -> datetime:
        """Warm-start so long before the end of the history."""
        start = self.processed.observed_until - before_end
        known = self.received.filter(pl.col("valid_time") >= start - timedelta(days=DAYS))
        self.stream.warm_start(known, start=start, days=DAYS)
        return start

    def log(self) -> pl.DataFrame:
        return self.store.landed(**EVER, up_to_offset=self.store.log_head())

    def _tick(self, job: TickJob) -> datetime:
        if self.troubles:
            raise self.troubles.pop()
        self.jobs.append(job)
        self.store.commit_tick(
            consumer=CONSUMER,
            log_offset=job.log_offset,
            issue_time=job.issue_time,
            readings=self.rules.clean(self.stream.here.placed(job), BlockName(*job.span)).readings,
            forecasts=a_forecast(job.issue_time) if job.by is not None else FORECASTS.to_frame(),
        )
        return datetime.now(UTC)


def readings(*rows: tuple[str, datetime, float]) -> pl.DataFrame:
    return pl.DataFrame([(*row, row[1] + HOUR) for row in rows], schema=READINGS, orient="row")


def a_forecast(issue_time: datetime) -> pl.DataFrame:
    row = {"series_id": "system", "issue_time": issue_time, "valid_time": issue_time, "layer": Layer.MODEL.value}
    known = {**row, "model_version": "1", **dict.fromkeys(QUANTILE_COLUMNS, 1.0), "degraded_because": ""}
    return pl.DataFrame([known], schema=FORECASTS)
