"""Series, their time zones and the tree they sum up in."""

from itertools import pairwise

import pytest

from gridcast.domain.errors import GateRefusedError, GridcastError, UsageError
from gridcast.domain.series import Hierarchy, Level, Series, require_time_zone, zones_to_system


def series(series_id: str, parent_id: str | None = None, *, time_zone: str = "Europe/London") -> Series:
    return Series(series_id, Level.ZONE, time_zone, parent_id)


def test_zones_sum_up_in_one_system() -> None:
    tree = zones_to_system(["north", "south"], time_zone="Asia/Kolkata")
    assert tree.ids == ("north", "south", "system")
    assert tree.parents == {"north": "system", "south": "system"}
    assert tree.time_zones == dict.fromkeys(tree.ids, "Asia/Kolkata")
    assert [each.level for each in tree.series] == [Level.ZONE, Level.ZONE, Level.SYSTEM]


def test_the_system_can_have_another_name() -> None:
    assert zones_to_system(["north"], time_zone="UTC", system_id="grid").parents == {"north": "grid"}


def test_a_zone_named_like_the_system_is_refused() -> None:
    with pytest.raises(UsageError, match=r"series \['system'\] are defined more than once"):
        zones_to_system(["north", "system"], time_zone="UTC")


def test_every_doubled_series_is_named() -> None:
    with pytest.raises(UsageError, match=r"series \['a', 'b'\] are defined more than once; give each"):
        Hierarchy(tuple(series(each) for each in "bacbab"))


def test_a_parent_that_is_no_series_is_refused_with_the_series_there_are() -> None:
    with pytest.raises(UsageError, match=r"series 'a' has the parent 'x', which is not a series; expected one of"):
        Hierarchy((series("a", "x"), series("b")))


@pytest.mark.parametrize(
    "edges",
    [
        pytest.param([("a", "a")], id="of one"),
        pytest.param([("a", "b"), ("b", "a")], id="of two"),
        pytest.param([("a", "b"), ("b", "c"), ("c", "d"), ("d", "b")], id="further up"),
    ],
)
def test_a_circle_of_parents_is_refused(edges: list[tuple[str, str]]) -> None:
    with pytest.raises(UsageError, match="above itself in the hierarchy; expected a tree"):
        Hierarchy(tuple(series(child, parent) for child, parent in edges))


def test_a_tree_can_have_many_levels_in_any_order() -> None:
    names = ["meter", "feeder", "substation", "zone", "system"]
    chain = [series(below, above) for below, above in pairwise(names)]
    tree = Hierarchy((*reversed(chain), series("system")))
    assert tree.parents == dict(pairwise(names))


def test_selected_series_come_in_the_order_asked_for() -> None:
    tree = zones_to_system(["a", "b"], time_zone="UTC")
    assert [each.series_id for each in tree.select(["system", "a"])] == ["system", "a"]


def test_an_unknown_series_is_refused_with_the_known_ones() -> None:
    tree = zones_to_system(["a", "b"], time_zone="UTC")
    with pytest.raises(UsageError, match=r"unknown series \['x', 'y'\]; expected any of \['a', 'b', 'system'\]"):
        tree.select(["a", "x", "y"])


@pytest.mark.parametrize("name", ["Europe/London", "America/New_York", "Australia/Melbourne", "Etc/GMT+5", "UTC"])
def test_iana_names_are_accepted(name: str) -> None:
    require_time_zone(name, owner="test")


@pytest.mark.parametrize("name", ["", "London", "europe/london", "+01:00", "BST", "localtime", "Factory", "../etc"])
def test_other_names_are_no_time_zones(name: str) -> None:
    with pytest.raises(UsageError, match=r"series 'a': '.*' is not an IANA time zone; expected .* 'Europe/London'"):
        series("a", time_zone=name)


def test_ten_thousand_meters_make_a_tree() -> None:
    tree = zones_to_system([f"meter_{number}" for number in range(10_000)], time_zone="Europe/London")
    assert len(tree.parents) == 10_000


@pytest.mark.parametrize(("error", "exit_code"), [(GridcastError, 1), (UsageError, 2), (GateRefusedError, 3)])
def test_each_kind_of_failure_has_its_exit_code(error: type[GridcastError], exit_code: int) -> None:
    assert error.exit_code == exit_code
    assert issubclass(error, GridcastError)
