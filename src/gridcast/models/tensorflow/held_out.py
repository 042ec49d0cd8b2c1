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
    usable = usable_windows(panel, leads=leads, stop=train_until)
    held = [
        (block, usable_windows(panel, leads=leads, start=block.start, stop=block.end, every=held_out_every))
        for block in held_out_blocks(panel, train_until=train_until, leads=leads, blocks=blocks)
    ]
    held = [(block, windows) for block, windows in held if len(windows.origin)]
    splits = [
        _split(usable, held[member % len(held) :: members], leads=leads, most=MOST_HELD_OUT // members)
        for member in range(members if held else 0)
    ]
    if not splits or not all(len(split.training.origin) for split in splits):
        raise GridcastError(
            f"of the {_days(panel, train_until)} of history before the end of training, {len(usable.origin)} windows "
            f"are complete enough to learn from, in {len(held)} of the blocks to calibrate on; expected some of both. "
            "Give it a longer history, or loads with fewer holes."
        )
    return tuple(splits)


def _split(usable: Windows, held: Sequence[tuple[Block, Windows]], *, leads: int, most: int) -> Split:
    inside = np.zeros(len(usable.origin), dtype=np.bool_)
    for block, _ in held:
        inside |= (usable.origin > block.start - leads) & (usable.origin < block.end)
    series, origin = (np.concatenate(each) for each in zip(*(windows for _, windows in held), strict=True))
    kept = np.unique(np.linspace(0, len(origin) - 1, min(len(origin), most)).astype(np.int64))
    return Split(Windows(usable.series[~inside], usable.origin[~inside]), Windows(series[kept], origin[kept]))


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
