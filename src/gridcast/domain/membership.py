"""Since when and until when a series is summed into another."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import polars as pl

from gridcast.domain.errors import UsageError
from gridcast.domain.tables import UTC_TIME

MEMBERSHIPS: Final = pl.Schema(
    {"series_id": pl.String(), "parent_id": pl.String(), "since": UTC_TIME, "until": UTC_TIME}
)
"""`series_id` is summed into `parent_id` in since ≤ interval start < until; null: without bound."""

_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
_END: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Membership:
    """A time in which a series is summed into a parent: since ≤ interval start < until; None: without bound.

    Raises:
        UsageError: a time has no UTC offset, or none lies between the two.
    """

    parent_id: str
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        for name, moment in (("since", self.since), ("until", self.until)):
            if moment is not None and moment.utcoffset() is None:
                raise UsageError(f"{name} is {moment}; expected a time with a UTC offset.")
        if self.begin >= self.end:
            raise UsageError(f"since is {shown(self.begin)} and until {shown(self.end)}; expected since before until.")

    @property
    def begin(self) -> datetime:
        """`since`, or the beginning of all time."""
        return self.since or _BEGINNING

    @property
    def end(self) -> datetime:
        """`until`, or the end of all time."""
        return self.until or _END

    def covers(self, moment: datetime) -> bool:
        """Whether an interval that starts at `moment` counts."""
        return self.begin <= moment < self.end

    def during(self, other: "Membership") -> "Membership | None":
        """What remains of it in the time of another; None if that is nothing."""
        begin, end = max(self.begin, other.begin), min(self.end, other.end)
        if (begin, end) == (self.begin, self.end):
            return self
        since, until = None if begin == _BEGINNING else begin, None if end == _END else end
        return Membership(self.parent_id, since, until) if begin < end else None


def climb(series_id: str, above: Mapping[str, Sequence[Membership]]) -> Iterator[Membership]:
    """Every ancestor with the time in which the series counts in it; a circle is gone round once."""
    pending: list[tuple[str, Membership, frozenset[str]]] = [(series_id, Membership(series_id), frozenset())]
    while pending:
        at, span, passed = pending.pop()
        for step in above.get(at, ()):
            part = step.during(span)
            if part is not None:
                yield part
                if part.parent_id not in passed:
                    pending.append((part.parent_id, part, passed | {at}))


def membership_table(rows: Iterable[tuple[str, Membership]]) -> pl.DataFrame:
    """MEMBERSHIPS of series ids, each with one of its parents."""
    flat = [(series_id, each.parent_id, each.since, each.until) for series_id, each in rows]
    return pl.DataFrame(flat, schema=MEMBERSHIPS, orient="row")


def shown(moment: datetime) -> str:
    """A bound as people read it."""
    return "forever" if moment == _END else "ever" if moment == _BEGINNING else moment.isoformat(" ", "minutes")
