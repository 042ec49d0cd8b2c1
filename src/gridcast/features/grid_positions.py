"""Positions of times on a regular UTC grid."""

from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from gridcast.domain.errors import GridcastError

Times = npt.NDArray[np.datetime64]
Ints = npt.NDArray[np.int64]

_MICROSECOND = timedelta(microseconds=1)


def positions(times: pl.Series, *, time: Times, interval: timedelta, what: str) -> Ints:
    """Position on the grid `time` of each time; below zero before it, its length and more after it.

    Raises:
        GridcastError: a time is no interval start; `what` is in the message.
    """
    steps, rest = np.divmod(_since_start(times, time), interval // _MICROSECOND)
    if rest.any():
        off = times[int(np.flatnonzero(rest)[0])]
        raise GridcastError(
            f"{what} at {off}: not on the grid of {interval} from {time[0]}Z; "
            'expected interval starts only. Run "gridcast prepare" again.'
        )
    return steps


def known_positions(available_at: pl.Series, *, time: Times, interval: timedelta) -> Ints:
    """First position at which a forecast may look at what became available then: moments up to it are known."""
    arrived: Ints = -(-_since_start(available_at, time) // (interval // _MICROSECOND))
    return arrived


def _since_start(times: pl.Series, time: Times) -> Ints:
    since: Ints = times.dt.epoch("us").to_numpy() - time[0].astype(np.int64)
    return since
