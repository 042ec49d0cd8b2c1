"""Live sources kept as they arrive: messages land in the store's log, dropped files in data/raw."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from gridcast.ingestion import raw, raw_layout
from gridcast.ingestion.atomic import write_files
from gridcast.ingestion.locks import reading_alone
from gridcast.ingestion.source import Batch, Source
from gridcast.store.store import Store
from gridcast.workflows.readings.ingest import by_reason, in_range, require_own

_LOOK_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Heard:
    """Rows of one source: landed, repeated (known already, not landed again) and dead by reason."""

    landed: int = 0
    repeated: int = 0
    dead: Mapping[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """All of them."""
        return self.landed + self.repeated + sum(self.dead.values())

    def plus(self, other: "Heard") -> "Heard":
        """Both together."""
        reasons = sorted({*self.dead, *other.dead})
        dead = {reason: self.dead.get(reason, 0) + other.dead.get(reason, 0) for reason in reasons}
        return Heard(self.landed + other.landed, self.repeated + other.repeated, dead)


class Keeper(Protocol):
    """Where the batches of one source are kept, below a folder for raw data."""

    @property
    def directory(self) -> Path:
        """That folder."""
        ...

    def position(self) -> str | None:
        """Where the source goes on."""
        ...

    def keep(self, batch: Batch, *, now: datetime) -> int:
        """Keep a batch and its position, whole or not at all; how many of its rows were new."""
        ...


@dataclass(frozen=True, slots=True)
class LogKeeper:
    """Keeps readings in the store's log, and dead messages below `directory` in files numbered like the batches."""

    store: Store
    directory: Path
    name: str

    def position(self) -> str | None:
        """Where the source goes on."""
        require_own(self.directory, source=self.name)
        return self.store.source_position(self.name).position

    def keep(self, batch: Batch, *, now: datetime) -> int:
        """Write dead messages first: if the readings do not land, the same batch number is written again."""
        if batch.dead.height:
            number = self.store.source_position(self.name).batches + 1
            letter = raw_layout.dead_letter(self.directory, source=f"{self.name}.live", batch=number)
            scratch = raw_layout.scratch(self.directory, source=f"{self.name}.live")
            write_files({letter: batch.dead.write_csv().encode()}, scratch=scratch)
        return self.store.land_batch(batch.readings, source=self.name, position=batch.position, at=now)


@dataclass(frozen=True, slots=True)
class RawKeeper:
    """Keeps readings, weather and dead rows in the raw folder."""

    directory: Path
    name: str

    def position(self) -> str | None:
        """Where the source goes on."""
        require_own(self.directory, source=self.name)
        return raw.position_of(self.directory, self.name)

    def keep(self, batch: Batch, *, now: datetime) -> int:  # noqa: ARG002 - files carry no time of their own
        """Append the batch; every row is new, as a dropped file is read once."""
        raw.append_batch(self.directory, source=self.name, batch=batch)
        return batch.readings.height + batch.weather.height


@dataclass(frozen=True, slots=True)
class Live:
    """A source that never ends and what keeps it. `says_hello`: its first batch tells that it is connected."""

    name: str
    source: Source
    keeper: Keeper
    says_hello: bool = True


def listen(
    sources: Sequence[Live],
    *,
    stop: threading.Event,
    clock: Callable[[], datetime],
    until_idle: timedelta | None = None,
    on_heard: Callable[[Mapping[str, Heard]], None] = lambda _: None,
) -> dict[str, Heard]:
    """Keep what the sources hand over until `stop` is set; what each of them brought.

    Args:
        sources: all listened to at once, each in a thread of its own; if one fails, all stop.
        stop: the sources were constructed with it.
        clock: the time now, UTC.
        until_idle: stop by itself once every source was heard of and then nothing came for so long.
        on_heard: told the counts so far, now and then.

    Raises:
        GridcastError: a source or the store failed; what was kept stays kept.
    """
    tally = _Tally(sources)
    with ThreadPoolExecutor(max(len(sources), 1), thread_name_prefix="listen") as pool:
        running = [pool.submit(_keep_all, each, tally=tally, stop=stop, clock=clock) for each in sources]
        try:
            while not stop.wait(_LOOK_SECONDS):
                on_heard(tally.counts)
                if all(each.done() for each in running) or tally.is_idle(until_idle):
                    stop.set()
        finally:
            stop.set()
    for each in running:
        each.result()
    return tally.counts


def _keep_all(live: Live, *, tally: "_Tally", stop: threading.Event, clock: Callable[[], datetime]) -> None:
    try:
        with reading_alone(live.keeper.directory, source=live.name):
            for handed_over in live.source.batches(live.keeper.position()):
                now = clock()
                batch = in_range(handed_over, source=live.name, now=now)
                landed = live.keeper.keep(batch, now=now)
                live.source.done(batch.position)
                rows = batch.readings.height + batch.weather.height
                tally.add(live.name, Heard(landed, rows - landed, by_reason(batch.dead)))
    except BaseException:
        stop.set()
        raise


class _Tally:
    """What was heard so far; each source's thread adds to its own count."""

    def __init__(self, sources: Sequence[Live]) -> None:
        self.counts = {each.name: Heard() for each in sources}
        self._silent = {each.name for each in sources if each.says_hello}
        self._last = time.monotonic()

    def add(self, name: str, heard: Heard) -> None:
        self.counts[name] = self.counts[name].plus(heard)
        if heard.rows or name in self._silent:
            self._last = time.monotonic()
        self._silent.discard(name)

    def is_idle(self, limit: timedelta | None) -> bool:
        is_quiet = limit is not None and time.monotonic() - self._last > limit / timedelta(seconds=1)
        return is_quiet and not self._silent
