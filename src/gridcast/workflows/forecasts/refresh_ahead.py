"""The refresh of each day, made aside while the first forecasts of the day still rest on that of the day before."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl

from gridcast.domain.tables import earliest
from gridcast.workflows.forecasts.refresh import REFRESH_DELAY, Refresh, refresh_time

Make = Callable[[datetime], Refresh | None]
"""The refresh for forecasts issued at a time, from what is known when it is called."""
_Day = tuple[Path, datetime]
_KEPT: Final = 4
"""Of the model in charge and of one on trial, that of the day and of the next."""


@dataclass(slots=True, eq=False)
class RefreshAhead:
    """The refreshes of some days and models; one is made at a time, what it rests on is looked up at once."""

    _made: dict[_Day, Future[Refresh | None]] = field(default_factory=dict, init=False)
    _worker: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="refresh"), init=False
    )

    def of(self, artefact: Path, issue_time: datetime, make: Callable[[], Make]) -> Refresh | None:
        """That of a forecast issued now, waited for if need be; one that failed is made again the next time."""
        try:
            return self._begun(artefact, issue_time, make).result()
        except BaseException:
            self._made.clear()
            raise

    def begin(self, artefact: Path, issue_time: datetime, make: Callable[[], Make]) -> None:
        """Have the next one made, if by now all is known that it rests on."""
        self._begun(artefact, issue_time + REFRESH_DELAY, make)

    def forget_with(self, changed: pl.DataFrame) -> None:
        """Make those again that rest on changed `CLEAN_READINGS`: what had been known in time and came late."""
        if not changed.is_empty():
            known_from = earliest(changed["available_at"])
            self._made = {day: made for day, made in self._made.items() if day[1] < known_from}

    def _begun(self, artefact: Path, issue_time: datetime, make: Callable[[], Make]) -> Future[Refresh | None]:
        day = (artefact, refresh_time(issue_time))
        if day not in self._made:
            while len(self._made) >= _KEPT:
                del self._made[min(self._made, key=lambda each: each[1])]
            self._made[day] = self._worker.submit(make(), issue_time)
        return self._made[day]
