"""How often one caller may ask: a bucket of tokens each, that fills up again evenly."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

_MOST_CALLERS: Final = 20_000


class TokenBuckets:
    """One bucket per caller, holding what a minute allows. The memory is bounded: the longest silent are forgotten."""

    def __init__(
        self, *, per_minute: int, most_callers: int = _MOST_CALLERS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._size = float(per_minute)
        self._per_second = per_minute / 60
        self._most = most_callers
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> float:
        """Take one token: 0 when there was one, else in how many seconds there will be."""
        now = self._clock()
        level = self._level(caller, now)
        is_there = level >= 1
        self._buckets[caller] = (level - 1 if is_there else level, now)
        self._buckets.move_to_end(caller)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return 0.0 if is_there else (1 - level) / self._per_second

    def wait(self, caller: str) -> float:
        """In how many seconds there will be a token, 0 when there is one; none is taken."""
        return max(0.0, (1 - self._level(caller, self._clock())) / self._per_second)

    def __len__(self) -> int:
        return len(self._buckets)

    def _level(self, caller: str, now: float) -> float:
        kept = self._buckets.get(caller)
        if kept is None:
            return self._size
        level, at = kept
        return min(self._size, level + (now - at) * self._per_second)
