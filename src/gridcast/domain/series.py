"""Series (anything whose demand we forecast) and the tree they sum up in, which may change over time."""

import enum
import functools
import zoneinfo
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final, NamedTuple

import polars as pl

from gridcast.domain.errors import UsageError
from gridcast.domain.membership import Membership, climb, membership_table, shown


class Level(enum.StrEnum):
    """Where a series stands in the grid, from one customer up to everything."""

    METER = "meter"
    FEEDER = "feeder"
    SUBSTATION = "substation"
    ZONE = "zone"
    SYSTEM = "system"


_MOST_NAMED: Final = 20
_HEIGHT: Final = {level: height for height, level in enumerate(Level)}


@dataclass(frozen=True, slots=True)
class Series:
    """One series: its identity, level, local clock, and when it is summed into which parent.

    Raises:
        UsageError: the time zone is not an IANA name, or it would be summed into two parents at once.
    """

    series_id: str
    level: Level
    time_zone: str
    memberships: tuple[Membership, ...] = ()

    def __post_init__(self) -> None:
        require_time_zone(self.time_zone, owner=f"series {self.series_id!r}")
        for earlier, later in pairwise(sorted(self.memberships, key=lambda each: each.begin)):
            if later.begin < earlier.end:
                raise UsageError(
                    f"series {self.series_id!r} is summed into {earlier.parent_id!r} until {shown(earlier.end)} and "
                    f"into {later.parent_id!r} since {shown(later.begin)}; expected one parent at a time."
                )


class Problem(NamedTuple):
    """Why series are no tree: what was received and expected, and the series (and its parent) at fault, if any."""

    text: str
    series_id: str | None = None
    parent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """The tree of series at every time: the system is its one root, a series with children is the sum of them.

    A series without an active membership adds nothing to anybody then: it is retired or not yet there.

    Raises:
        UsageError: a series is defined twice, or see `tree_problems`.
    """

    series: tuple[Series, ...]

    def __post_init__(self) -> None:
        counts = Counter(each.series_id for each in self.series)
        doubled = sorted(each for each, count in counts.items() if count > 1)
        if doubled:
            raise UsageError(f"series {doubled} are defined more than once; give each series one definition.")
        problems = tree_problems(self.series)
        if problems:
            raise UsageError("\n".join(each.text for each in problems))

    @property
    def ids(self) -> tuple[str, ...]:
        """Every series id, in the order of definition."""
        return tuple(each.series_id for each in self.series)

    @property
    def root(self) -> str:
        """The series everything is summed into: the only one that never has a parent."""
        return next(each.series_id for each in self.series if not each.memberships)

    @property
    def leaves(self) -> tuple[str, ...]:
        """The series that never have children: those that are measured, in the order of definition."""
        parents = {membership.parent_id for each in self.series for membership in each.memberships}
        return tuple(each for each in self.ids if each not in parents)

    @property
    def time_zones(self) -> dict[str, str]:
        """Series id → IANA time zone."""
        return {each.series_id: each.time_zone for each in self.series}

    @property
    def memberships(self) -> pl.DataFrame:
        """MEMBERSHIPS: every series with its parents."""
        return membership_table((each.series_id, membership) for each in self.series for membership in each.memberships)

    def parents_at(self, moment: datetime) -> dict[str, str]:
        """Child id → parent id, of the series that are summed into another at `moment`."""
        return {
            each.series_id: membership.parent_id
            for each in self.series
            for membership in each.memberships
            if membership.covers(moment)
        }

    @property
    def retired(self) -> dict[str, datetime]:
        """Leaf → the end of its last membership, for leaves that are summed into nothing from then on."""
        return {
            each.series_id: max(membership.end for membership in each.memberships)
            for each in self.select(self.leaves)
            if each.memberships and all(membership.until is not None for membership in each.memberships)
        }

    def active_at(self, moment: datetime) -> set[str]:
        """The series that are part of a sum at `moment`: leaves with a parent, and everything above them."""
        above, found = self.parents_at(moment), set[str]()
        for leaf in self.leaves:
            at = leaf if leaf in above or leaf == self.root else None
            while at is not None and at not in found:
                found.add(at)
                at = above.get(at)
        return found

    def select(self, series_ids: Iterable[str]) -> tuple[Series, ...]:
        """The named series.

        Raises:
            UsageError: an id is unknown.
        """
        known = {each.series_id: each for each in self.series}
        wanted = list(series_ids)
        unknown = [each for each in wanted if each not in known]
        if unknown:
            more = f" and {len(known) - _MOST_NAMED:,} more" if len(known) > _MOST_NAMED else ""
            raise UsageError(f"unknown series {unknown}; expected any of {sorted(known)[:_MOST_NAMED]}{more}.")
        return tuple(known[each] for each in wanted)


def zones_to_system(zone_ids: Iterable[str], *, time_zone: str, system_id: str = "system") -> Hierarchy:
    """The two-level tree most utilities start with: every zone is summed into one system."""
    zones = tuple(Series(each, Level.ZONE, time_zone, (Membership(system_id),)) for each in zone_ids)
    return Hierarchy((*zones, Series(system_id, Level.SYSTEM, time_zone)))


def tree_problems(series: Sequence[Series], *, also_there: Collection[str] = ()) -> list[Problem]:
    """Every reason why `series` are no tree: unknown parents, parents on a lower level, circles, not one root.

    `also_there` names series whose definition is not known: they may be parents, and may be the root.
    """
    levels = {each.series_id: each.level for each in series}
    problems = []
    for child in series:
        for parent_id in dict.fromkeys(each.parent_id for each in child.memberships):
            level = levels.get(parent_id)
            if level is None and parent_id not in also_there:
                text = f"{_parent(child, parent_id)}, which is not a series; expected the id of another one."
                problems.append(Problem(text, child.series_id, parent_id))
            elif level is not None and _HEIGHT[level] < _HEIGHT[child.level]:
                text = (
                    f"{_parent(child, parent_id)}, a {level} below a {child.level}; expected the same level or above."
                )
                problems.append(Problem(text, child.series_id, parent_id))
    return [*problems, *_circles(series, levels), *_wrong_roots(series, is_whole=not also_there)]


def require_time_zone(name: str, *, owner: str) -> None:
    """Refuse a name that is not in the IANA time-zone database.

    Raises:
        UsageError: the name is unknown.
    """
    if name not in _time_zones():
        raise UsageError(
            f"{owner}: {name!r} is not an IANA time zone; expected a name such as 'Europe/London' or "
            "'America/New_York'."
        )


@functools.cache
def _time_zones() -> frozenset[str]:
    """Every IANA name; "Factory" and "localtime", which a machine may list among them, name no place's clock."""
    return frozenset(zoneinfo.available_timezones() - {"Factory", "localtime"})


def _circles(series: Sequence[Series], levels: Mapping[str, Level]) -> list[Problem]:
    """A circle never leaves its level, so only memberships within one are followed."""
    level_with = {
        each.series_id: [step for step in each.memberships if levels.get(step.parent_id) is each.level]
        for each in series
    }
    return [
        Problem(f"series {child!r} is above itself in the hierarchy; expected a tree.", child)
        for child in level_with
        if any(step.parent_id == child for step in climb(child, level_with))
    ]


def _wrong_roots(series: Sequence[Series], *, is_whole: bool) -> list[Problem]:
    roots = [each for each in series if not each.memberships]
    if not roots and is_whole:
        return [Problem("there is no series without a parent; expected one, the system.")]
    if len(roots) == 1 and roots[0].level is not Level.SYSTEM:
        text = f"series {roots[0].series_id!r} is summed into no other, but its level is {roots[0].level}"
        return [Problem(f"{text}; expected system.", roots[0].series_id)]
    if len(roots) > 1:
        text = "series {!r} has no parent, like others; expected a parent of every series but one, the system."
        return [Problem(text.format(each.series_id), each.series_id) for each in roots]
    return []


def _parent(child: Series, parent_id: str) -> str:
    return f"series {child.series_id!r} has the parent {parent_id!r}"
