"""Readings in the order they would arrive in, with the faults of real traffic, made without a look at any clock."""

from collections import Counter
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from gridcast.domain.errors import UsageError
from gridcast.domain.tables import READINGS, UTC_TIME
from gridcast.workflows.readings.simulated_load import Fleet, Numbers

FAULTS: Final = ("late", "double", "shuffle", "spike", "gap", "early", "corrected")
"""What can happen to a reading; of these at most one does."""
POISON: Final = (
    b'{"series_id": "sim", "valid_ti',
    b"\x00\xff\xfe\x80",
    b"not a reading",
    b'{"series_id": "sim", "valid_time": "someday", "load_mw": 1}',
    b'"text"',
    b"[1, 2",
    b'{"series_id": "sim", "valid_time": "2024-01-01T00:00Z", "load_mw": "much"}',
)
"""What no reader can take for a reading, be it a message or a line; sent in turn."""

_NOISE: Final = 0.02
_DECIMALS: Final = 6
"""Of a load in MW: whole watts."""
_SPIKE: Final = (5.0, 10.0)
_CORRECTION: Final = (1.02, 1.10)
_SKEW_HOURS: Final = 6
_HOUR: Final = 3_600_000_000
"""Microseconds, as all whole numbers that stand for times here."""
_SECOND: Final = 1_000_000
_NUMBERED: Final = pl.Schema({**READINGS, "order": pl.Float64()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Shares of readings that something happens to.

    Attributes:
        late: held back by up to `latest`.
        double: sent twice.
        shuffle: sent in another order than the others of their batch.
        spike: with a load far too high.
        gap: left out.
        early: stamped hours ahead by a clock that is wrong.
        corrected: sent again, by up to `latest` later, with another load.
        poison: followed by a message that cannot be read.
        latest: in the time that readings carry.

    Raises:
        UsageError: a share is none, or all of them together are more than 1.
    """

    late: float = 0.0
    double: float = 0.0
    shuffle: float = 0.0
    spike: float = 0.0
    gap: float = 0.0
    early: float = 0.0
    corrected: float = 0.0
    poison: float = 0.0
    latest: timedelta = timedelta(hours=2)

    def __post_init__(self) -> None:
        shares = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "latest"}
        wrong = {name: share for name, share in shares.items() if not 0 <= share <= 1}
        total = sum(shares[name] for name in FAULTS)
        if wrong or total > 1 + 1e-9:
            told = ", ".join(f"{name} {share:g}" for name, share in (wrong or shares).items() if share)
            raise UsageError(
                f"shares of faults: {told}; expected each from 0 to 1, and all but poison together at most 1, as a "
                "reading has at most one of them. Lower them."
            )
        if self.latest < timedelta(seconds=1):
            raise UsageError(f"latest: {self.latest}; expected at least one second.")

    @property
    def bounds(self) -> Numbers:
        """Upper bounds that a number from 0 to 1 stays below for each of FAULTS."""
        return np.cumsum([getattr(self, name) for name in FAULTS])


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is sent when nothing goes wrong: in each round one reading of every series, round after round.

    A reading is available when its interval of `reading_interval` ends; with `sent_from`, the time at which the first
    one is sent, when it is sent.
    """

    fleet: Fleet
    start: datetime
    reading_interval: timedelta
    seed: int = 0
    sent_from: datetime | None = None

    @property
    def series(self) -> int:
        """Readings of a round."""
        return len(self.fleet.series_ids)

    def time_of(self, number: int) -> datetime:
        """Interval of the reading with a number, counted from 0."""
        return self.start + number // self.series * self.reading_interval


class Burst(NamedTuple):
    """READINGS to send, in their order, and the messages to send with them that cannot be read."""

    readings: pl.DataFrame
    poison: tuple[bytes, ...] = ()


class Simulation:
    """Traffic with faults, drawn piece by piece.

    What happens to a reading follows from the seed, its series and its time alone, whatever the pieces; only `shuffle`
    mixes within a piece. `faults` counts what happened so far.
    """

    def __init__(self, traffic: Traffic, faults: Faults) -> None:
        self.drawn = 0
        self.faults: Counter[str] = Counter()
        self._traffic = traffic
        self._faults = faults
        self._bounds = faults.bounds
        self._ids = pl.Series("series_id", traffic.fleet.series_ids, pl.String())
        self._step = traffic.reading_interval // timedelta(microseconds=1)
        self._held = _NUMBERED.to_frame()

    def draw(self, count: int) -> Burst:
        """The next `count` readings, less those left out or held back, more those that were held back until now."""
        numbers = np.arange(self.drawn, self.drawn + count)
        self.drawn += count
        rounds, series = np.divmod(numbers, self._traffic.series)
        valid = _microseconds(self._traffic.start) + rounds * self._step
        key = _mix(_mix(valid.astype(np.uint64) ^ _mix(np.uint64(self._traffic.seed))) ^ series.astype(np.uint64))
        load = self._loads(series, rounds=rounds) * (1 + _NOISE * (2 * _draws(key, "noise") - 1))
        rows = _Rows(series, valid, load, self._available(numbers, valid=valid), numbers.astype(np.float64))
        return Burst(self._sent(rows, key=key), self._poison(key))

    def rest(self, count: int) -> pl.DataFrame | None:
        """READINGS: up to `count` of those that are still held back, in their order; None when there are none."""
        if self._held.is_empty():
            return None
        held = self._held.sort("order", maintain_order=True)
        self._held = held[count:]
        return held[:count].select(READINGS.names())

    def _loads(self, series: Numbers, *, rounds: Numbers) -> Numbers:
        first, last = int(rounds[0]), int(rounds[-1])
        stamps = _microseconds(self._traffic.start) + np.arange(first, last + 1) * self._step
        return self._traffic.fleet.load_mw(series, times=pl.Series(stamps).cast(UTC_TIME), at=rounds - first)

    def _available(self, numbers: Numbers, *, valid: Numbers) -> Numbers:
        if self._traffic.sent_from is None:
            return valid + self._step
        return _microseconds(self._traffic.sent_from) + numbers * self._step // self._traffic.series

    def _sent(self, rows: "_Rows", *, key: Numbers) -> pl.DataFrame:
        if self._bounds[-1] == 0 and self._held.is_empty():
            return self._frame(rows).select(READINGS.names())
        kinds = np.searchsorted(self._bounds, _draws(key, "kind"), side="right")
        happens = {name: kinds == position for position, name in enumerate(FAULTS)}
        self.faults.update({name: int(each.sum()) for name, each in happens.items()})
        prompt, later = self._faulty(rows, happens=happens, key=key)
        self._held = pl.concat([self._held, *later])
        is_due = pl.col("order") < self.drawn
        due, self._held = self._held.filter(is_due), self._held.filter(~is_due)
        return pl.concat([*prompt, due]).sort("order", maintain_order=True).select(READINGS.names())

    def _faulty(
        self, rows: "_Rows", *, happens: dict[str, Numbers], key: Numbers
    ) -> tuple[list[pl.DataFrame], list[pl.DataFrame]]:
        """What is sent at its time, and what is held back."""
        count, first = len(rows.order), rows.order[0]
        size, moment = _draws(key, "size"), _draws(key, "moment")
        load = np.where(happens["spike"], rows.load * _between(_SPIKE, size), rows.load)
        skew = (1 + (_SKEW_HOURS * size).astype(np.int64)) * _HOUR
        valid = np.where(happens["early"], rows.valid + skew, rows.valid)
        order = np.where(happens["shuffle"], first + count * moment, rows.order)
        delay = (1 + (moment * (self._faults.latest // timedelta(seconds=1))).astype(np.int64)) * _SECOND
        prompt = self._frame(rows._replace(valid=valid, load=load, order=order))
        later = self._frame(
            rows._replace(
                load=np.where(happens["corrected"], rows.load * _between(_CORRECTION, size), rows.load),
                available=rows.available + delay,
                order=rows.order + np.ceil(delay * self._traffic.series / self._step),
            )
        )
        return (
            [prompt.filter(~(happens["gap"] | happens["late"])), prompt.filter(happens["double"])],
            [later.filter(happens["late"] | happens["corrected"])],
        )

    def _frame(self, rows: "_Rows") -> pl.DataFrame:
        return pl.DataFrame(
            [
                self._ids.gather(rows.series),
                pl.Series("valid_time", rows.valid).cast(UTC_TIME),
                pl.Series("load_mw", np.round(rows.load, _DECIMALS)),
                pl.Series("available_at", rows.available).cast(UTC_TIME),
                pl.Series("order", rows.order),
            ]
        )

    def _poison(self, key: Numbers) -> tuple[bytes, ...]:
        if not self._faults.poison:
            return ()
        before = self.faults["poison"]
        self.faults["poison"] += int((_draws(key, "poison") < self._faults.poison).sum())
        return tuple(POISON[number % len(POISON)] for number in range(before, self.faults["poison"]))


class _Rows(NamedTuple):
    """Columns of readings: position of the series, times, loads, and where in the order of sending."""

    series: Numbers
    valid: Numbers
    load: Numbers
    available: Numbers
    order: Numbers


_PURPOSES: Final = {
    name: np.uint64(number) for number, name in enumerate(("noise", "kind", "size", "moment", "poison"))
}


def _draws(key: Numbers, purpose: str) -> Numbers:
    """A number from 0 to below 1 for each key, independent of those for other purposes."""
    return (_mix(key ^ _mix(_PURPOSES[purpose])) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(values: Numbers | np.uint64) -> Numbers:
    """Scatters whole numbers: splitmix64 (Steele, Lea, Flood 2014), one to one."""
    mixed = np.atleast_1d(values) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    scattered: Numbers = mixed ^ (mixed >> np.uint64(31))
    return scattered


def _between(bounds: tuple[float, float], drawn: Numbers) -> Numbers:
    low, high = bounds
    return low + (high - low) * drawn


def _microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
