"""What a service has answered since it began, counted."""

import itertools
import math
import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Final

from gridcast.monitoring.exposition import Sample
from gridcast.monitoring.metric_names import REFUSALS, REQUEST_TIME, REQUESTS

BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, math.inf)
"""Upper bounds of the bins of request times."""
REFUSED: Final[Mapping[int, str]] = {
    HTTPStatus.BAD_REQUEST: "unreadable",
    HTTPStatus.UNAUTHORIZED: "unauthenticated",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "wrong_method",
    HTTPStatus.CONFLICT: "conflict",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "invalid",
    HTTPStatus.TOO_MANY_REQUESTS: "too_many",
}
"""Reasons, by the status they are told with."""
_LEVELS: Final = [f"{bound:g}" for bound in BOUNDS_S[:-1]] + ["+Inf"]


class Traffic:
    """Counts requests by method, route and class of status, refusals by reason, and how long answers took to begin."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._refusals: Counter[str] = Counter(dict.fromkeys(REFUSED.values(), 0))
        self._times: dict[str, list[int]] = {}
        self._counting = threading.Lock()

    def count(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """One more answer; `route` is a template, of which there are few."""
        reason = REFUSED.get(status)
        with self._counting:
            self._requests[method, route, f"{status // 100}xx"] += 1
            self._times.setdefault(route, [0] * len(BOUNDS_S))[bisect_left(BOUNDS_S, seconds)] += 1
            if reason is not None:
                self._refusals[reason] += 1

    def samples(self) -> Iterator[Sample]:
        """All counts."""
        with self._counting:
            requests, refusals = dict(self._requests), dict(self._refusals)
            times = {route: list(counts) for route, counts in self._times.items()}
        for labels, n in sorted(requests.items()):
            yield Sample(REQUESTS, labels, n)
        for reason, n in refusals.items():
            yield Sample(REFUSALS, (reason,), n)
        for route, counts in sorted(times.items()):
            yield Sample(
                REQUEST_TIME, (route,), bins=tuple(zip(_LEVELS, itertools.accumulate(map(float, counts)), strict=True))
            )
