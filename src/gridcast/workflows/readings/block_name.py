"""The part of all readings that is cleaned in one piece, as a value that fits a message key."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

_LAST_OF_ALL: Final = "\U0010ffff"


class BlockName(NamedTuple):
    """Readings with `start` ≤ valid time < `end` of the series from `first` to `last`, in alphabetical order."""

    start: datetime
    end: datetime
    first: str = ""
    last: str = _LAST_OF_ALL
    number: int = 0

    def encode(self) -> str:
        """The name as text."""
        return json.dumps([self.start.isoformat(), self.end.isoformat(), *self[2:]])

    @classmethod
    def decode(cls, text: str) -> "BlockName":
        """The name that `encode` wrote."""
        start, end, *rest = json.loads(text)
        return cls(datetime.fromisoformat(start), datetime.fromisoformat(end), *rest)

    def owns(self, series_id: str) -> bool:
        """Whether a series belongs to this block."""
        return self.first <= series_id <= self.last


def cut_into_blocks(
    rows: Mapping[str, int], *, start: datetime, end: datetime, block_rows: int
) -> tuple[BlockName, ...]:
    """Blocks of neighbouring series with at most `block_rows` rows each, unless a single series has more.

    >>> span = {"start": datetime(2024, 1, 1), "end": datetime(2025, 1, 1)}
    >>> [block[2:] for block in cut_into_blocks({"c": 5, "a": 4, "b": 3}, block_rows=8, **span)]
    [('a', 'b', 0), ('c', 'c', 1)]
    """
    groups: list[list[str]] = []
    filled = block_rows
    for series_id in sorted(rows):
        if filled + rows[series_id] > block_rows:
            groups.append([])
            filled = 0
        groups[-1].append(series_id)
        filled += rows[series_id]
    return tuple(BlockName(start, end, group[0], group[-1], number) for number, group in enumerate(groups))
