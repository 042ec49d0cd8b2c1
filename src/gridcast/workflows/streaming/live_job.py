"""A stream that many workers share: what each of them has to know."""

import functools
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from gridcast.domain.errors import GridcastError
from gridcast.ingestion.raw import read_readings
from gridcast.ingestion.source import Source
from gridcast.registry.catalogue import CHAMPION, SHADOW, named
from gridcast.store.store import Store
from gridcast.workflows.forecasts.known import Known
from gridcast.workflows.readings.block_name import BlockName
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.readings.rules import CleaningRules
from gridcast.workflows.streaming.arrivals import Patience
from gridcast.workflows.streaming.bucket import Bucket, buckets_of
from gridcast.workflows.streaming.live_forecasts import Speakers
from gridcast.workflows.streaming.on_duty import OnDuty, OnTrial, proof_by_forecast, speakers
from gridcast.workflows.streaming.turn import Turn
from gridcast.workflows.streaming.whole_system import WholeSystem


@dataclass(frozen=True, slots=True)
class LiveJob:
    """One stream. All paths mean the same to every worker.

    Attributes:
        source: name of the live source.
        open_source: opens it; it goes on until the event is set.
        raw: readings as received, from before the stream.
        processed: what the batch run handed over; the stream begins where it ends.
        rules: how readings are cleaned.
        registry: folder of the models.
        open_store: opens the store, where a worker is told of it.
        log_days: days of readings before the stream that are taken over.
        patience: what is waited for.
        workers: into how many parts the measured series are cut.
        turn: whose passing ends the stream.
    """

    source: str
    open_source: Callable[[threading.Event], Source]
    raw: Path
    processed: Processed
    rules: CleaningRules
    registry: Path
    open_store: Callable[[], Store]
    log_days: int
    patience: Patience
    workers: int
    turn: Turn

    @property
    def name(self) -> str:
        """Of the job on a runner: the same for the same source and data folder."""
        source = self.source.replace("_", "-")
        return f"gridcast-{source}-{hashlib.blake2b(str(self.raw).encode(), digest_size=4).hexdigest()}"

    @property
    def start(self) -> datetime:
        """Where the stream begins."""
        return self.processed.observed_until

    @property
    def buckets(self) -> list[BlockName]:
        """Who shares the measured series."""
        return buckets_of(self.rules.hierarchy.leaves, count=self.workers)

    def bucket(self, number: int, *, until: datetime, rows: int, clock: Callable[[], datetime]) -> Bucket:
        """A bucket that has come up to a time with so many rows."""
        name = self.buckets[number]
        context = read_readings(
            self.raw, start=self.start - timedelta(days=self.log_days), end=self.start, series=(name.first, name.last)
        )
        return Bucket(name, self.rules, context, until, rows, self.log_days, self.patience, clock)

    def system(self, *, issued_until: datetime) -> WholeSystem:
        """All series as the batch run left them, of which forecasts have been issued up to a time."""
        system = WholeSystem(self.processed, self.rules, self.buckets, self.patience.silent_after, self.start)
        system.issued_until = issued_until
        return system

    def speakers(self, known: Callable[[], tuple[Known, datetime]]) -> Callable[[], Speakers]:
        """Tells who forecasts, now and whenever asked again.

        Raises:
            GridcastError: no model is in charge.
        """
        champion = functools.partial(named, self.registry, CHAMPION)
        model = champion()
        if model is None:
            raise GridcastError('no model is in charge; expected a champion. Run "gridcast model promote" first.')
        prove = proof_by_forecast(known, interval=self.rules.interval)
        store = self.open_store()
        on_duty = OnDuty(model, champion, prove, store)
        on_trial = OnTrial(functools.partial(named, self.registry, SHADOW), prove, store)
        return functools.partial(speakers, on_duty, on_trial)
