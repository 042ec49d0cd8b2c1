"""Simulated readings sent somewhere at a steady pace."""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

import polars as pl

from gridcast.domain.errors import UsageError
from gridcast.domain.tables import SIMULATED, earliest, latest
from gridcast.ingestion.source import Batch
from gridcast.workflows.readings.ingest import EARLIEST, in_range
from gridcast.workflows.readings.listen import LogKeeper
from gridcast.workflows.readings.simulated_traffic import Burst, Simulation, Traffic

MAX_RATE: Final = 100_000
"""Readings a second."""

_BURSTS_PER_SECOND: Final = 20
_LARGEST_BURST: Final = 10_000
_CATCH_UP_SECONDS: Final = 1.0


class Outlet(Protocol):
    """Where simulated readings go."""

    def send(self, readings: pl.DataFrame, poison: Sequence[bytes]) -> None:
        """Send READINGS and messages that cannot be read."""
        ...

    def finish(self) -> None:
        """Wait until all of it is taken."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast, how many and how long: `rate` readings a second (0: as fast as it goes), `readings` in all, `span`.

    `ends_at_present`: there would be more of them, but for the future.
    """

    rate: float
    readings: int
    span: timedelta | None = None
    ends_at_present: bool = False

    @classmethod
    def of(cls, traffic: Traffic, *, rate: float, span: timedelta | None, rounds: int | None, now: datetime) -> "Pace":
        """How much of the traffic is sent: for a span of the wall clock, so many rounds, and not beyond `now`.

        Traffic that is sent as it happens (`sent_from`) has no such end.

        Raises:
            UsageError: it starts too long ago, or nothing has happened between its start and now.
        """
        limits = [rounds * traffic.series] if rounds else []
        if span is not None and rate:
            limits.append(max(1, round(rate * span.total_seconds())))
        past = None
        if traffic.sent_from is None:
            if traffic.start < EARLIEST:
                raise UsageError(
                    f"the simulation starts at {traffic.start:%Y-%m-%d %H:%MZ}; expected {EARLIEST:%Y} or later. Send "
                    "less with --for or --rounds, or set --start."
                )
            past = (now - traffic.start) // traffic.reading_interval
            if past < 1:
                raise UsageError(
                    f"the simulation starts at {traffic.start:%Y-%m-%d %H:%MZ} and it is {now:%Y-%m-%d %H:%MZ}; "
                    f"expected an interval of {traffic.reading_interval} between them at least. Set an earlier "
                    "--start, or send readings of the present with --now."
                )
            limits.append(past * traffic.series)
        readings = min(limits)
        return cls(rate, readings, span, past is not None and readings == past * traffic.series)

    @property
    def burst(self) -> int:
        """Readings that are sent at once."""
        return max(1, round(self.rate / _BURSTS_PER_SECOND)) if self.rate else _LARGEST_BURST

    def next_burst(self, passed: int, *, seconds: float) -> int:
        """Readings to send next, after so many in so long: more where it is late."""
        due = min(int(seconds * self.rate) - passed, _LARGEST_BURST)
        return min(max(self.burst, due), self.readings - passed)

    def is_over(self, seconds: float) -> bool:
        """Whether the span has passed; one that is late at its end has a second to catch up."""
        grace = _CATCH_UP_SECONDS if self.rate else 0.0
        return self.span is not None and seconds >= self.span.total_seconds() + grace


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent in how many seconds, from the first to the last valid time, and what went wrong on purpose."""

    readings: int = 0
    poison: int = 0
    faults: Mapping[str, int] = field(default_factory=dict)
    first_valid_time: datetime | None = None
    last_valid_time: datetime | None = None
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Readings a second."""
        return self.readings / self.seconds if self.seconds else 0.0

    def plus(self, burst: Burst, *, faults: Mapping[str, int], seconds: float) -> "Sent":
        """This and one more burst."""
        first, last = self.first_valid_time, self.last_valid_time
        if burst.readings.height:
            times = burst.readings["valid_time"]
            first = min(earliest(times), first or earliest(times))
            last = max(latest(times), last or latest(times))
        sent = self.readings + burst.readings.height, self.poison + len(burst.poison)
        return Sent(*sent, dict(faults), first, last, seconds)


def simulate(
    simulation: Simulation,
    outlet: Outlet,
    pace: Pace,
    *,
    stop: threading.Event,
    on_sent: Callable[[Sent], None] = lambda _: None,
) -> Sent:
    """Send readings at that pace, and then those that are still held back; what was sent.

    A sender that is late catches up. Once `stop` is set it draws no more and sends what is held back at once.

    Raises:
        GridcastError: the outlet failed.
    """
    sent, passed, began = Sent(), 0, time.monotonic()

    def send(burst: Burst, *, count: int) -> None:
        nonlocal sent, passed
        outlet.send(burst.readings, burst.poison)
        passed += count
        if pace.rate:
            stop.wait(max(0.0, began + passed / pace.rate - time.monotonic()))
        sent = sent.plus(burst, faults=simulation.faults, seconds=time.monotonic() - began)
        on_sent(sent)

    while not (stop.is_set() or passed >= pace.readings or pace.is_over(time.monotonic() - began)):
        count = pace.next_burst(passed, seconds=time.monotonic() - began)
        send(simulation.draw(count), count=count)
    while (rest := simulation.rest(pace.burst)) is not None:
        send(Burst(rest), count=rest.height)
    outlet.finish()
    return replace(sent, seconds=time.monotonic() - began)


class LogOutlet:
    """Lands readings in a store as the live source `simulate`; what lies ahead of the clock is a dead letter."""

    def __init__(self, keeper: LogKeeper, *, clock: Callable[[], datetime]) -> None:
        self._sent = _sent_before(keeper.store.source_position(SIMULATED).position)
        self._keeper = keeper
        self._clock = clock

    def send(self, readings: pl.DataFrame, _: Sequence[bytes]) -> None:
        """Land readings in one transaction."""
        now = self._clock()
        self._sent += readings.height
        batch = Batch.of(position=json.dumps({"sent": self._sent}), readings=readings)
        self._keeper.keep(in_range(batch, source=self._keeper.name, now=now), now=now)

    def finish(self) -> None:
        """Nothing: what was sent has landed."""


def _sent_before(position: str | None) -> int:
    return 0 if position is None else int(json.loads(position)["sent"])
