"""The tree of series, its local clocks and its memberships over time, and what is refused."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from gridcast.domain.errors import GateRefusedError, GridcastError, UsageError
from gridcast.domain.membership import MEMBERSHIPS, Membership, climb
from gridcast.domain.series import Hierarchy, Level, Series, require_time_zone, tree_problems, zones_to_system

NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)
JUNE = datetime(2024, 6, 1, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
SYSTEM = Series("system", Level.SYSTEM, "UTC")


def series(series_id: str, *parents: str | Membership, level: Level = Level.ZONE, time_zone: str = "UTC") -> Series:
    """A series with parents: an id stands for one that is it for ever."""
    steps = tuple(each if isinstance(each, Membership) else Membership(each) for each in parents)
    return Series(series_id, level, time_zone, steps)


def switched(series_id: str, *, level: Level = Level.FEEDER) -> Series:
    """A series that moved from s1 to s2 at the beginning of June."""
    return series(series_id, Membership("s1", None, JUNE), Membership("s2", JUNE), level=level)


def spans(tree: Hierarchy, leaf: str) -> set[tuple[str, datetime | None, datetime | None]]:
    """The ancestors of a leaf with the times in which it counts in them."""
    steps = {each.series_id: each.memberships for each in tree.series}
    return {(span.parent_id, span.since, span.until) for span in climb(leaf, steps)}


def test_zones_are_children_of_one_system_and_share_its_clock() -> None:
    tree = zones_to_system(["north", "south"], time_zone="Asia/Kolkata")
    assert tree.ids == ("north", "south", "system")
    assert tree.parents_at(NEW_YEAR) == {"north": "system", "south": "system"}
    assert set(tree.time_zones.values()) == {"Asia/Kolkata"}
    assert [each.level for each in tree.series] == [Level.ZONE, Level.ZONE, Level.SYSTEM]
    assert (tree.root, tree.leaves) == ("system", ("north", "south"))


def test_the_system_can_have_another_name() -> None:
    assert zones_to_system(["north"], time_zone="UTC", system_id="grid").root == "grid"


def test_a_zone_named_like_the_system_is_refused() -> None:
    with pytest.raises(UsageError, match=r"series \['system'\] are defined more than once"):
        zones_to_system(["north", "system"], time_zone="UTC")


def test_every_doubled_series_is_named() -> None:
    with pytest.raises(UsageError, match=r"series \['a', 'b'\] are defined more than once; give each"):
        Hierarchy(tuple(series(each) for each in "bacbab"))


def test_a_parent_that_is_no_series_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^series 'a' has the parent 'x', which is not a series; expected the id of"):
        Hierarchy((series("a", "x"), SYSTEM))


def test_a_parent_on_a_lower_level_is_refused_and_one_on_the_same_is_not() -> None:
    inner = series("inner", "outer", level=Level.SUBSTATION)
    outer = series("outer", "system", level=Level.SUBSTATION)
    assert Hierarchy((inner, outer, SYSTEM)).parents_at(NEW_YEAR)["inner"] == "outer"
    with pytest.raises(UsageError, match="parent 'low', a feeder below a substation; expected the same level or above"):
        Hierarchy((series("high", "low", level=Level.SUBSTATION), series("low", "system", level=Level.FEEDER), SYSTEM))


@pytest.mark.parametrize(
    ("edges", "in_it"),
    [
        pytest.param([("a", "a")], "a", id="of one"),
        pytest.param([("a", "b"), ("b", "a")], "ab", id="of two"),
        pytest.param([("a", "b"), ("b", "c"), ("c", "d"), ("d", "b")], "bcd", id="further up"),
    ],
)
def test_a_circle_of_parents_is_refused_and_everyone_in_it_named(edges: list[tuple[str, str]], in_it: str) -> None:
    problems = tree_problems([SYSTEM, *(series(child, parent) for child, parent in edges)])
    assert [each.series_id for each in problems] == list(in_it)
    assert all("above itself in the hierarchy; expected a tree" in each.text for each in problems)


def test_a_circle_is_refused_only_where_its_times_overlap() -> None:
    first, second = Membership("b", None, JUNE), Membership("a", JUNE)
    rest = Membership("system", JUNE), Membership("system", None, JUNE)
    Hierarchy((series("a", first, rest[0]), series("b", rest[1], second), SYSTEM))
    early = Membership("a", JUNE - MOMENT)
    with pytest.raises(UsageError, match="series 'a' is above itself"):
        Hierarchy((series("a", first, rest[0]), series("b", Membership("system", None, early.since), early), SYSTEM))


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        pytest.param((), "there is no series without a parent; expected one, the system", id="nothing"),
        pytest.param((series("a"),), "series 'a' is summed into no other, but its level is zone", id="no system"),
        pytest.param((SYSTEM, series("a")), "series 'system' has no parent, like others; expected a parent", id="two"),
    ],
)
def test_a_tree_has_one_root_which_is_the_system(broken: tuple[Series, ...], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Hierarchy(broken)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(UsageError) as refused:
        Hierarchy((series("a", "x"), series("b", "b"), series("c"), SYSTEM))
    assert [line.split("'")[1] for line in str(refused.value).splitlines()] == ["a", "b", "c", "system"]


def test_a_series_that_is_known_to_be_there_can_be_a_parent_and_the_root() -> None:
    assert not tree_problems([series("a", "unread")], also_there={"unread"})


def test_a_tree_can_have_many_levels_in_any_order() -> None:
    names = ["meter", "feeder", "substation", "zone", "system"]
    chain = [series(below, above, level=Level(below)) for below, above in pairwise(names)]
    tree = Hierarchy((*reversed(chain), SYSTEM))
    assert tree.parents_at(NEW_YEAR) == dict(pairwise(names))
    assert tree.leaves == ("meter",)
    assert spans(tree, "meter") == {(name, None, None) for name in names[1:]}


def test_a_membership_holds_from_its_beginning_to_just_before_its_end() -> None:
    step = Membership("a", NEW_YEAR, JUNE)
    asked = (NEW_YEAR - MOMENT, NEW_YEAR, JUNE - MOMENT, JUNE)
    assert [step.covers(each) for each in asked] == [False, True, True, False]
    assert Membership("a").covers(NEW_YEAR)


def test_a_membership_needs_times_with_an_offset_and_some_time_between_them() -> None:
    with pytest.raises(UsageError, match="since is 2024-01-01 00:00:00; expected a time with a UTC offset"):
        Membership("a", since=NEW_YEAR.replace(tzinfo=None))
    for until in (NEW_YEAR, NEW_YEAR - MOMENT):
        with pytest.raises(UsageError, match="expected since before until"):
            Membership("a", since=NEW_YEAR, until=until)


def test_a_series_has_one_parent_at_a_time() -> None:
    ahead = JUNE.astimezone(ZoneInfo("Asia/Kolkata"))
    series("a", Membership("y", ahead), Membership("x", None, JUNE))
    with pytest.raises(
        UsageError,
        match=r"series 'a' is summed into 'x' until 2024-06-01 00:00.* and into 'y' since 2024-05-31 23:59.*; expected",
    ):
        series("a", Membership("y", JUNE - MOMENT), Membership("x", None, JUNE))
    with pytest.raises(UsageError, match="expected one parent at a time"):
        series("a", "x", "x")


def switching_tree() -> Hierarchy:
    """A feeder with a meter moves between two substations of one zone; another meter is there for May only."""
    may = Membership("f1", datetime(2024, 5, 1, tzinfo=UTC), JUNE)
    return Hierarchy(
        (
            SYSTEM,
            series("zone", "system"),
            series("s1", "zone", level=Level.SUBSTATION),
            series("s2", "zone", level=Level.SUBSTATION),
            switched("f1"),
            series("m1", "f1", level=Level.METER),
            series("may", may, level=Level.METER),
        )
    )


def test_parents_are_those_of_the_moment() -> None:
    tree = switching_tree()
    before, after = tree.parents_at(JUNE - MOMENT), tree.parents_at(JUNE)
    assert (before["f1"], before["may"], after["f1"]) == ("s1", "f1", "s2")
    assert "may" not in after


def test_what_is_part_of_a_sum_at_a_moment_are_leaves_with_a_parent_and_all_above_them() -> None:
    tree = switching_tree()
    assert tree.active_at(JUNE - MOMENT) == {"m1", "may", "f1", "s1", "zone", "system"}
    assert tree.active_at(JUNE) == {"m1", "f1", "s2", "zone", "system"}
    assert Hierarchy((SYSTEM,)).active_at(JUNE) == {"system"}


def test_a_series_counts_in_an_ancestor_while_every_step_up_to_it_holds() -> None:
    tree = switching_tree()
    may = (datetime(2024, 5, 1, tzinfo=UTC), JUNE)
    assert spans(tree, "m1") == {
        ("f1", None, None),
        ("s1", None, JUNE),
        ("s2", JUNE, None),
        *((parent, *half) for parent in ("zone", "system") for half in ((None, JUNE), (JUNE, None))),
    }
    assert spans(tree, "may") == {(parent, *may) for parent in ("f1", "s1", "system", "zone")}


def test_the_table_of_memberships_holds_every_step_in_utc() -> None:
    london = datetime(2024, 6, 1, 1, tzinfo=ZoneInfo("Europe/London"))
    tree = Hierarchy((series("a", Membership("system", london)), SYSTEM))
    assert tree.memberships.equals(pl.DataFrame([("a", "system", JUNE, None)], schema=MEMBERSHIPS, orient="row"))


def test_selected_series_come_in_the_order_asked_for() -> None:
    tree = zones_to_system(["a", "b"], time_zone="UTC")
    assert [each.series_id for each in tree.select(["system", "a"])] == ["system", "a"]


def test_an_unknown_series_is_refused_with_the_known_ones() -> None:
    tree = zones_to_system(["a", "b"], time_zone="UTC")
    with pytest.raises(UsageError, match=r"unknown series \['x', 'y'\]; expected any of \['a', 'b', 'system'\]"):
        tree.select(["a", "x", "y"])


def test_of_very_many_known_series_only_some_are_named() -> None:
    tree = zones_to_system([f"z{number:04}" for number in range(999)], time_zone="UTC")
    with pytest.raises(UsageError, match=r"expected any of \['system', 'z0000', .*'z0018'\] and 980 more"):
        tree.select(["x"])


@pytest.mark.parametrize("name", ["Europe/London", "America/New_York", "Australia/Melbourne", "Etc/GMT+5", "UTC"])
def test_iana_names_are_accepted(name: str) -> None:
    require_time_zone(name, owner="test")


@pytest.mark.parametrize("name", ["", "London", "europe/london", "+01:00", "BST", "localtime", "Factory", "../etc"])
def test_other_names_are_no_time_zones(name: str) -> None:
    with pytest.raises(UsageError, match=r"series 'a': '.*' is not an IANA time zone; expected .* 'Europe/London'"):
        series("a", time_zone=name)


def test_ten_thousand_meters_make_a_tree() -> None:
    tree = zones_to_system([f"meter_{number}" for number in range(10_000)], time_zone="Europe/London")
    assert len(tree.leaves) == tree.memberships.height == 10_000


@pytest.mark.parametrize(("error", "exit_code"), [(GridcastError, 1), (UsageError, 2), (GateRefusedError, 3)])
def test_each_kind_of_failure_has_its_exit_code(error: type[GridcastError], exit_code: int) -> None:
    assert error.exit_code == exit_code
    assert issubclass(error, GridcastError)
