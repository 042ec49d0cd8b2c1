"""Loads set by people: checked, and laid over everything the rules decided."""

import difflib
import math
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from gridcast.domain.errors import UsageError
from gridcast.domain.tables import EDITS
from gridcast.quality.grid import NEVER, Booleans, Clock, Floats, Integers, microseconds

LINE: Final = "line"
"""Column with the line of the file a row of text came from."""

_SHOWN: Final = 5
_TIME: Final = "a time with its UTC offset, such as '2024-01-31T13:00:00+01:00'"


class Edited(NamedTuple):
    """Edits on a grid, (series, slot): where, the load (NaN: marked as bad), and when it was set, µs since 1970."""

    is_edited: Booleans
    load_mw: Floats
    known_us: Integers


def parse_edits(table: pl.DataFrame, *, source: str, known_series: Collection[str] | None = None) -> pl.DataFrame:
    """EDITS from the same columns as text and LINE, in the order in which they apply: the newest last.

    Times carry a UTC offset. An empty load marks the loads of that time as bad.

    Raises:
        UsageError: rows are wrong; the message names the line, value and expectation of the first five.
    """
    edits, problems = [], []
    for row in table.iter_rows(named=True):
        try:
            edits.append(_parse_row(row, known_series=known_series))
        except ValueError as error:
            problems.append(f"{source}:{row[LINE]}: {error}.")
    refuse_rows(problems, source=source)
    return pl.DataFrame(edits, schema=EDITS, orient="row").sort("edited_at", maintain_order=True)


def refuse_rows(problems: Sequence[str], *, source: str) -> None:
    """Refuse a file for what is wrong with its rows, if anything is.

    Raises:
        UsageError: there are problems; the first five are told.
    """
    if problems:
        more = [f"{source}: {len(problems) - _SHOWN} more rows are wrong."] if len(problems) > _SHOWN else []
        raise UsageError("\n".join([*problems[:_SHOWN], *more]))


def place_edits(edits: pl.DataFrame, *, series_ids: Sequence[str], clock: Clock) -> Edited:
    """The newest edit of every slot that starts in start ≤ time < end of one; `edits` (EDITS) apply in their order."""
    shape = (len(series_ids), clock.slots)
    placed = Edited(np.zeros(shape, np.bool_), np.full(shape, np.nan), np.full(shape, NEVER))
    rows = {series_id: row for row, series_id in enumerate(series_ids)}
    own = edits.filter(pl.col("series_id").is_in(list(series_ids))).sort("edited_at", maintain_order=True)
    times = own.select(pl.col("start", "end", "edited_at").to_physical())
    firsts, ends = (np.searchsorted(clock.utc_us, times[name].to_numpy()) for name in ("start", "end"))
    loads = own["load_mw"].fill_null(float("nan"))
    for series_id, first, end, load, at in zip(
        own["series_id"], firsts.tolist(), ends.tolist(), loads, times["edited_at"], strict=True
    ):
        slots = rows[series_id], slice(first, end)
        placed.is_edited[slots], placed.load_mw[slots] = True, load
        placed.known_us[slots] = np.maximum(clock.utc_us[slots[1]] + microseconds(clock.interval), at)
    return placed


def _parse_row(row: Mapping[str, str | None], *, known_series: Collection[str] | None) -> tuple[object, ...]:
    text = {name: (row[name] or "").strip() for name in EDITS.names()}
    series_id = text["series_id"]
    if known_series is not None and series_id not in known_series:
        close = difflib.get_close_matches(series_id, known_series, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"series_id is {series_id!r}; expected a series that was ingested{hint}")
    for name, expected in (("series_id", "the id of a series"), ("author", "who edits"), ("reason", "why")):
        if not text[name]:
            raise ValueError(f"{name} is empty; expected {expected}")
    start, end, edited_at = (_time(text, name) for name in ("start", "end", "edited_at"))
    if end <= start:
        raise ValueError(f"end is {text['end']!r}; expected a time after start, {text['start']!r}")
    return series_id, start, end, _load(text["load_mw"]), text["author"], text["reason"], edited_at


def _time(text: Mapping[str, str], name: str) -> datetime:
    try:
        written = datetime.fromisoformat(text[name])
        time = written.astimezone(UTC)
    except (ValueError, OverflowError):
        written = None
    if written is None or written.utcoffset() is None:
        raise ValueError(f"{name} is {text[name]!r}; expected {_TIME}")
    return time


def _load(text: str) -> float | None:
    if not text:
        return None
    try:
        load_mw = float(text)
    except ValueError:
        load_mw = math.nan
    if not math.isfinite(load_mw):
        raise ValueError(f"load_mw is {text!r}; expected a number of MW, or nothing to mark the loads as bad")
    return load_mw
