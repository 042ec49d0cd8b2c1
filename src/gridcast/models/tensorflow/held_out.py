"""Which days a training run keeps to itself: blocks spread over the past year, so that they stand for all seasons."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gridcast.domain.errors import GridcastError
from gridcast.features.panel import Panel
from gridcast.features.windows import RECENT_DAYS, Windows, intervals_per_day, usable_windows

ORIGIN_DAYS = 2
"""Days of issue times in each held-out block; the block ends one horizon after the last."""
LARGEST_HELD_OUT_SHARE = 0.25
MOST_HELD_OUT = 8192
"""Held-out windows of all members are thinned out evenly to this many."""
LEAST_DAYS = RECENT_DAYS + 28


class Split(NamedTuple):
    """Windows to learn from and windows to stop and calibrate on; no interval is a target in both."""

    training: Windows
    held_out: Windows


@dataclass(frozen=True, slots=True)
class Block:
    """Positions start ≤ position < end of a panel."""

    start: int
    end: int


def split_windows(
    panel: Panel, *, train_until: int, leads: int, blocks: int, members: int, held_out_every: int
) -> tuple[Split, ...]:
    """Windows of each member of an ensemble, whose targets all lie before position `train_until`.

    Members keep different blocks to themselves, so that together they learn from everything, and yet each block can
    be forecast by a member that has not learned from it.

    Args:
        panel: the history.
        train_until: exclusive end of everything that may be looked at.
        leads: intervals forecast at once.
        blocks: how many held-out blocks to spread over the year before `train_until`.
        members: how many share them out; with fewer blocks than members several keep the same.
        held_out_every: intervals between the origins of held-out windows.

    Raises:
        GridcastError: the history is too short to learn from.
    """
    held = held_out_blocks(panel, train_until=train_until, leads=leads, blocks=blocks)
    usable = usable_windows(panel, leads=leads, stop=train_until)
    most = MOST_HELD_OUT // members
    return tuple(
        _split(panel, usable, held[member % len(held) :: members], leads=leads, every=held_out_every, most=most)
        for member in range(members)
    )


def _split(panel: Panel, usable: Windows, held: Sequence[Block], *, leads: int, every: int, most: int) -> Split:
    inside = np.zeros(len(usable.origin), dtype=np.bool_)
    parts = []
    for block in held:
        inside |= (usable.origin > block.start - leads) & (usable.origin < block.end)
        parts.append(usable_windows(panel, leads=leads, start=block.start, stop=block.end, every=every))
    series, origin = (np.concatenate(each) for each in zip(*parts, strict=True))
    kept = np.unique(np.linspace(0, len(origin) - 1, min(len(origin), most)).astype(np.int64))
    split = Split(Windows(usable.series[~inside], usable.origin[~inside]), Windows(series[kept], origin[kept]))
    if not len(split.training.origin) or not len(split.held_out.origin):
        raise GridcastError(
            f"of the history before the end of training, {len(split.training.origin)} windows are complete enough to "
            f"learn from and {len(split.held_out.origin)} to calibrate on; expected both. Give it a longer history, or "
            "loads with fewer holes."
        )
    return split


def held_out_blocks(panel: Panel, *, train_until: int, leads: int, blocks: int) -> tuple[Block, ...]:
    """The newest days and blocks like them, evenly spread over the year before (or the history, if shorter).

    Raises:
        GridcastError: the history is too short to keep anything from it.
    """
    per_day = intervals_per_day(panel.interval)
    length = ORIGIN_DAYS * per_day + leads
    span = min(365 * per_day, train_until - RECENT_DAYS * per_day)
    fitting = int(LARGEST_HELD_OUT_SHARE * span // length)
    if train_until < LEAST_DAYS * per_day or fitting < 1:
        raise GridcastError(
            f"{_days(panel, train_until)} of history before the end of training; expected at least "
            f"{max(LEAST_DAYS, RECENT_DAYS + round(length / per_day / LARGEST_HELD_OUT_SHARE) + 1)} days. "
            "Ingest a longer history or shorten the horizon."
        )
    count = min(blocks, fitting)
    ends = train_until - np.arange(count) * (span // count)
    return tuple(Block(int(end) - length, int(end)) for end in ends)


def _days(panel: Panel, train_until: int) -> str:
    return f"{train_until * panel.interval / timedelta(days=1):.0f} days"


def training_scale(panel: Panel, *, train_until: int) -> npt.NDArray[np.float32]:
    """Typical change of each series from one week to the next before `train_until`, MW, (series,); always positive."""
    week = 7 * intervals_per_day(panel.interval)
    load = panel.load_mw[:, :train_until].astype(np.float64)
    change = np.abs(load[:, week:] - load[:, :-week])
    observed = np.isfinite(change)
    mean = np.where(observed, change, 0.0).sum(axis=1) / np.maximum(observed.sum(axis=1), 1)
    size = np.abs(np.where(np.isfinite(load), load, 0.0)).mean(axis=1)
    scale: npt.NDArray[np.float32] = np.maximum(mean, np.maximum(1e-3 * size, 1e-3)).astype(np.float32)
    return scale
