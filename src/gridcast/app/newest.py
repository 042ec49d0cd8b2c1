"""The newest forecast of each series as an answer that is ready to be sent."""

import asyncio
import gzip
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from gridcast.app.changes import Changes
from gridcast.store.marks import Mark

_OLDEST: Final = 5.0
"""Seconds after which an answer is made anew, whatever the mark says."""
_MOST: Final = 5_000


@dataclass(slots=True, eq=False)
class Answer:
    """An answer in bytes, and its entity tag."""

    body: bytes
    etag: str = field(init=False)
    _packed: bytes | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.etag = f'"{hashlib.blake2b(self.body, digest_size=12).hexdigest()}"'

    def packed(self) -> bytes:
        """The same with gzip, made when it is asked for the first time."""
        if self._packed is None:
            self._packed = gzip.compress(self.body, compresslevel=5, mtime=0)
        return self._packed


class _Kept(NamedTuple):
    answer: Answer
    mark: Mark | None
    made_at: float


@dataclass(slots=True, eq=False)
class NewestForecasts:
    """Answers that hold as long as the store's mark stays the same.

    Attributes:
        changes: tells the mark.
        clock: monotonic seconds.
        making: held by who makes an answer.
    """

    changes: Changes
    clock: Callable[[], float] = time.monotonic
    making: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _kept: dict[tuple[str, str], _Kept] = field(default_factory=dict, init=False)

    def at_hand(self, series_id: str, layer: str) -> Answer | None:
        """The answer for a series and layer, if it still holds."""
        kept = self._kept.get((series_id, layer))
        mark = self.changes.mark
        if kept is None or mark is None or kept.mark != mark or self.clock() - kept.made_at > _OLDEST:
            return None
        return kept.answer

    def keep(self, series_id: str, layer: str, answer: Answer, *, mark: Mark | None) -> None:
        """An answer that was made after a mark had been seen."""
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[series_id, layer] = _Kept(answer, mark, self.clock())

    def forget(self) -> None:
        """Make every answer anew the next time."""
        self._kept.clear()
