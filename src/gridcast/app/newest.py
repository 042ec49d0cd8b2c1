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

_OLDEST: Final = 60.0
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


_Key = tuple[str, str]


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
        forgotten: how often all was forgotten.
    """

    changes: Changes
    clock: Callable[[], float] = time.monotonic
    making: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    forgotten: int = field(default=0, init=False)
    _kept: dict[_Key, _Kept] = field(default_factory=dict, init=False)
    _coming: dict[_Key, _Kept] = field(default_factory=dict, init=False)
    _asked: set[_Key] = field(default_factory=set, init=False)

    def at_hand(self, series_id: str, layer: str) -> Answer | None:
        """The answer for a series and layer, if it still holds."""
        key, mark = (series_id, layer), self.changes.mark
        kept = self._kept.get(key)
        if kept is None or kept.mark != mark:
            kept = self._coming.pop(key, None) if self._is_come(key, mark) else None
            if kept is not None:
                self._kept[key] = kept
        if kept is None or mark is None or self.clock() - kept.made_at > _OLDEST:
            return None
        self._asked.add(key)
        return kept.answer

    def _is_come(self, key: _Key, mark: Mark | None) -> bool:
        return key in self._coming and self._coming[key].mark == mark

    def keep(self, series_id: str, layer: str, answer: Answer, *, mark: Mark | None, begun: int) -> None:
        """An answer that was made after a mark had been seen, unless all was forgotten since it was `begun`."""
        if len(self._kept) >= _MOST:
            self._kept.clear()
        if begun == self.forgotten:
            self._kept[series_id, layer] = _Kept(answer, mark, self.clock())

    def keep_for(self, coming: dict[_Key, Answer], *, mark: Mark, begun: int) -> None:
        """The same of several that hold once a new mark is the store's; until then those of before do."""
        if begun == self.forgotten:
            self._coming = {key: _Kept(answer, mark, self.clock()) for key, answer in coming.items()}

    def asked_lately(self) -> set[_Key]:
        """Series and layers that were asked for since the last time."""
        asked, self._asked = self._asked, set()
        return asked

    def forget(self) -> None:
        """Make every answer anew the next time."""
        self.forgotten += 1
        self._kept.clear()
        self._coming = {}
