"""Series (anything whose demand we forecast) and the hierarchy they sum up in."""

import enum
import functools
import zoneinfo
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gridcast.domain.errors import UsageError


class Level(enum.StrEnum):
    """Where a series stands in the grid, from one customer up to everything."""

    METER = "meter"
    FEEDER = "feeder"
    SUBSTATION = "substation"
    ZONE = "zone"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Series:
    """One series: its identity, level, local clock and the parent it is summed into.

    Raises:
        UsageError: the time zone is not an IANA name.
    """

    series_id: str
    level: Level
    time_zone: str
    parent_id: str | None = None

    def __post_init__(self) -> None:
        require_time_zone(self.time_zone, owner=f"series {self.series_id!r}")


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """The tree of series: children are measured or derived, parents are sums of their children.

    Raises:
        UsageError: a series is named twice, a parent is not a series of the tree, or a series is above itself.
    """

    series: tuple[Series, ...]

    def __post_init__(self) -> None:
        ids = Counter(each.series_id for each in self.series)
        doubled = sorted(each for each, count in ids.items() if count > 1)
        if doubled:
            raise UsageError(f"series {doubled} are defined more than once; give each series one definition.")
        for each in self.series:
            if each.parent_id is not None and each.parent_id not in ids:
                raise UsageError(
                    f"series {each.series_id!r} has the parent {each.parent_id!r}, which is not a series; "
                    f"expected one of {list(ids)}."
                )
        _require_no_circle(self.parents)

    @property
    def ids(self) -> tuple[str, ...]:
        """Every series id, in the order of definition."""
        return tuple(each.series_id for each in self.series)

    @property
    def root(self) -> str:
        """The series everything is summed into: the first one without a parent."""
        return next(each.series_id for each in self.series if each.parent_id is None)

    @property
    def parents(self) -> dict[str, str]:
        """Child id → parent id, for every series that is summed into another."""
        return {each.series_id: each.parent_id for each in self.series if each.parent_id is not None}

    @property
    def time_zones(self) -> dict[str, str]:
        """Series id → IANA time zone."""
        return {each.series_id: each.time_zone for each in self.series}

    def select(self, series_ids: Iterable[str]) -> tuple[Series, ...]:
        """The named series.

        Raises:
            UsageError: an id is unknown.
        """
        known = {each.series_id: each for each in self.series}
        wanted = list(series_ids)
        unknown = [each for each in wanted if each not in known]
        if unknown:
            raise UsageError(f"unknown series {unknown}; expected any of {sorted(known)}.")
        return tuple(known[each] for each in wanted)


def zones_to_system(zone_ids: Iterable[str], *, time_zone: str, system_id: str = "system") -> Hierarchy:
    """The two-level tree most utilities start with: every zone is summed into one system."""
    zones = tuple(Series(each, Level.ZONE, time_zone, parent_id=system_id) for each in zone_ids)
    return Hierarchy((*zones, Series(system_id, Level.SYSTEM, time_zone)))


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


def _require_no_circle(parents: Mapping[str, str]) -> None:
    rooted: set[str] = set()
    for series_id in parents:
        path: list[str] = []
        above: str | None = series_id
        while above is not None and above not in rooted:
            if above in path:
                raise UsageError(f"series {above!r} is above itself in the hierarchy; expected a tree.")
            path.append(above)
            above = parents.get(above)
        rooted.update(path)
