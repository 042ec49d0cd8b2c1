"""Which days a training run keeps to itself: blocks spread over the past year, so that they stand for all seasons."""

from dataclasses import dataclass, replace
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
"""Held-out windows are thinned out evenly to this many."""
LEAST_DAYS = RECENT_DAYS + 28
FEWEST_DAYS_AS_ISSUED = 28
"""Days with issue times whose weather was known then; fewer are nothing to learn from."""


class Split(NamedTuple):
    """Windows to learn from and windows to stop and calibrate on; no interval is a target in both."""

    training: Windows
    held_out: Windows


@dataclass(frozen=True, slots=True)
class Block:
    """Positions start ≤ position < end of a panel."""

    start: int
    end: int


def split_windows(panel: Panel, *, train_until: int, leads: int, blocks: int, held_out_every: int) -> Split:
    """Training and held-out windows whose targets all lie before position `train_until`.

    Args:
        panel: the history.
        train_until: exclusive end of everything that may be looked at.
        leads: intervals forecast at once.
        blocks: how many held-out blocks to spread over the year before `train_until`.
        held_out_every: intervals between the origins of held-out windows.

    Raises:
        GridcastError: the history is too short to learn from.
    """
    held = held_out_blocks(panel, train_until=train_until, leads=leads, blocks=blocks)
    training = usable_windows(panel, leads=leads, stop=train_until)
    inside = np.zeros(len(training.origin), dtype=np.bool_)
    parts = []
    for block in held:
        inside |= (training.origin > block.start - leads) & (training.origin < block.end)
        parts.append(usable_windows(panel, leads=leads, start=block.start, stop=block.end, every=held_out_every))
    series, origin = (np.concatenate(each) for each in zip(*parts, strict=True))
    kept = np.unique(np.linspace(0, len(origin) - 1, min(len(origin), MOST_HELD_OUT)).astype(np.int64))
    split = Split(
        Windows(training.series[~inside], training.origin[~inside]),
        Windows(series[kept], origin[kept]),
    )
    if panel.vintages is not None:
        _require_weather(panel, split, leads=leads, train_until=train_until)
    if not len(split.training.origin) or not len(split.held_out.origin):
        raise GridcastError(
            f"of the {_days(panel, train_until)} of history before the end of training, {len(split.training.origin)} "
            f"windows are complete enough to learn from and {len(split.held_out.origin)} to calibrate on; expected "
            "both. Give it a longer history, or load and temperature with fewer holes."
        )
    return split


def windows_without_weather(panel: Panel, *, leads: int, stop: int) -> int:
    """Windows before position `stop` that cannot be learned from as the weather of their horizon was not known then."""
    if panel.vintages is None:
        return 0
    with_any = usable_windows(replace(panel, vintages=None), leads=leads, stop=stop)
    return len(with_any.origin) - len(usable_windows(panel, leads=leads, stop=stop).origin)


def _require_weather(panel: Panel, split: Split, *, leads: int, train_until: int) -> None:
    days = len(np.unique(split.training.origin // intervals_per_day(panel.interval)))
    if days < FEWEST_DAYS_AS_ISSUED or not len(split.held_out.origin):
        left_out = windows_without_weather(panel, leads=leads, stop=train_until)
        raise GridcastError(
            f"weather as issued: {left_out:,} windows are left out as the weather of their horizon was not known when "
            f"they begin, which leaves {days} days to learn from and {len(split.held_out.origin)} windows to calibrate "
            f"on; expected at least {FEWEST_DAYS_AS_ISSUED} days and some windows. Ingest weather forecasts as they "
            "were issued (available_at before valid_time), shorten the horizon, or set weather.known to observed in "
            "config/model_config.yaml."
        )


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
