"""A stream that runs: through readings of the past, step by step, or behind those that land."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from gridcast.domain.tables import READINGS, earliest, latest
from gridcast.quality.limits import CONTEXT_AFTER, CONTEXT_BEFORE
from gridcast.store.errors import StoreError
from gridcast.workflows.streaming.stream_readings import Stream

LONGEST_PAUSE: Final = timedelta(minutes=1)
"""Between two tries of a store that fails."""


def replay(
    stream: Stream,
    readings: pl.DataFrame,
    *,
    start: datetime,
    step: timedelta,
    pause: Callable[[], bool],
) -> Iterator[datetime]:
    """Let readings arrive step by step from `start`, or from where an earlier replay ended; yields each issue time.

    Readings that lie before that and never landed, because they came late or were corrected, arrive first, together;
    those in the first weeks of `readings` are left alone, as the context to clean them again is not there.

    Args:
        stream: a stream that has been warm-started.
        readings: `READINGS` to replay, with those of the weeks before them.
        start: the first interval to replay.
        step: how much arrives before each tick.
        pause: called after each tick; true means stop.
    """
    at = stream.reached() or start
    pending = stream.not_landed(readings)
    ahead = pending.filter(pl.col("valid_time") >= at)
    oldest = at if readings.is_empty() else earliest(readings["valid_time"]) + CONTEXT_BEFORE + CONTEXT_AFTER
    arriving = pending.filter(pl.col("valid_time") >= oldest, pl.col("valid_time") < at)
    newest = at if ahead.is_empty() else latest(ahead["valid_time"])
    while True:
        stream.store.land(arriving.select(READINGS.names()))
        for issued in _worked_off(stream):
            yield issued
            if pause():
                return
        if at > newest or ahead.is_empty():
            return
        arriving = ahead.filter(pl.col("valid_time") >= at, pl.col("valid_time") < at + step)
        at += step


def _worked_off(stream: Stream) -> Iterator[datetime]:
    """Tick until nothing is left of what has landed; yields each issue time."""
    while True:
        issued = stream.tick(waits=False)
        if issued is not None:
            yield issued
        if not stream.is_behind:
            return


def follow(
    stream: Stream, *, stop: threading.Event, every: timedelta, tell_trouble: Callable[[StoreError, timedelta], None]
) -> Iterator[datetime]:
    """Tick whenever readings have landed, until `stop` is set; yields each issue time.

    Who forecasts is asked all the while, so that a new champion is taken over, or refused, before it is needed. A store
    that fails is tried again, after twice the time whenever it fails again: nothing of a tick was written then.

    Args:
        stream: a stream that has been warm-started.
        stop: set to end.
        every: how often to look.
        tell_trouble: told why the store failed and after which time it is tried again.
    """
    pause = every
    while not stop.wait(pause / timedelta(seconds=1)):
        try:
            stream.speakers()
            issued = stream.tick()
        except StoreError as error:
            pause = min(2 * max(pause, every), LONGEST_PAUSE)
            tell_trouble(error, pause)
            continue
        pause = timedelta(0) if stream.is_behind else every
        if issued is not None:
            yield issued


def pacer(*, interval: timedelta, speed: float | None, stop: threading.Event) -> Callable[[], bool]:
    """A pause that makes `interval` of data take `interval / speed`; no speed, no wait. True once `stop` is set."""
    seconds = 0.0 if speed is None else interval.total_seconds() / speed
    return lambda: stop.wait(seconds)
