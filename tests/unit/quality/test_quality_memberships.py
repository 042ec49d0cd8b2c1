"""Sums over trees that change: who counts when, how whole a sum must be, and the same as adding up row by row."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sums import aggregate_to_parents

from gridcast.domain.membership import Membership, climb
from gridcast.domain.series import Hierarchy, Level, Series, zones_to_system
from gridcast.domain.tables import CLEAN_READINGS
from gridcast.quality.aggregate import (
    IS_SUMMED,
    child_counts,
    children_summary,
    combine_sums,
    partial_sums,
    tell_summed,
)
from gridcast.quality.received import REMOVED
from gridcast.quality.summary import quality_counts, quality_summary

START = datetime(2024, 3, 31, tzinfo=UTC)
HOUR = timedelta(hours=1)
SYSTEM = Series("system", Level.SYSTEM, "Europe/London")
LONDON = ZoneInfo("Europe/London")


def tree(**parents: tuple[Membership, ...]) -> Hierarchy:
    """Series on one level below the system, with their parents over time."""
    return Hierarchy((SYSTEM, *(Series(child, Level.ZONE, "Europe/London", each) for child, each in parents.items())))


def clean(loads: dict[str, list[float | None]], *, estimated: str = "") -> pl.DataFrame:
    """An hourly row per load from START on; a load that is None is missing, the series `estimated` is."""
    rows = []
    for series_id, its_loads in loads.items():
        for hour, load in enumerate(its_loads):
            time = START + HOUR * hour
            quality = "missing" if load is None else "estimated" if series_id == estimated else "good"
            rows.append((series_id, time, load, load, quality, "", time + HOUR))
    return pl.DataFrame(rows, schema=CLEAN_READINGS, orient="row")


def loads_of(parents: pl.DataFrame, series_id: str) -> list[float | None]:
    return parents.filter(series_id=series_id).sort("valid_time")["load_mw"].to_list()


def test_a_feeder_switched_in_the_middle_of_a_day_of_23_hours_changes_its_substation_then() -> None:
    switch = datetime(2024, 3, 31, 6, tzinfo=LONDON)
    hierarchy = tree(
        s1=(Membership("system"),),
        s2=(Membership("system"),),
        f1=(Membership("s1", None, switch), Membership("s2", switch)),
        f2=(Membership("s1"),),
        f3=(Membership("s2"),),
        m1=(Membership("f1"),),
    )
    parents = aggregate_to_parents(
        clean({"m1": [1.0] * 23, "f2": [10.0] * 23, "f3": [100.0] * 23}), hierarchy=hierarchy
    )
    assert switch.astimezone(UTC) == START + 5 * HOUR
    assert loads_of(parents, "f1") == [1.0] * 23
    assert loads_of(parents, "s1") == [11.0] * 5 + [10.0] * 18
    assert loads_of(parents, "s2") == [100.0] * 5 + [101.0] * 18
    assert loads_of(parents, "system") == [111.0] * 23


def test_an_interval_belongs_to_the_parent_its_start_belongs_to() -> None:
    switch = START + HOUR / 2
    hierarchy = tree(
        a=(Membership("system"),), b=(Membership("system"),), m=(Membership("a", None, switch), Membership("b", switch))
    )
    parents = aggregate_to_parents(clean({"m": [1.0, 2.0]}), hierarchy=hierarchy)
    assert (loads_of(parents, "a"), loads_of(parents, "b")) == ([1.0], [2.0])


def test_a_retired_meter_no_longer_blanks_its_parent() -> None:
    kept, retired = (Membership("system"),), (Membership("system", None, START + 2 * HOUR),)
    loads = clean({"kept": [1.0] * 4, "old": [5.0, 5.0, None, None]})
    assert loads_of(aggregate_to_parents(loads, hierarchy=tree(kept=kept, old=kept)), "system") == [6, 6, None, None]
    assert loads_of(aggregate_to_parents(loads, hierarchy=tree(kept=kept, old=retired)), "system") == [6, 6, 1, 1]


def test_a_meter_counts_from_its_commissioning_on_though_it_was_read_before() -> None:
    late = (Membership("system", START + HOUR),)
    loads = clean({"old": [1.0] * 3, "new": [None, 5.0, 5.0]})
    parents = aggregate_to_parents(loads, hierarchy=tree(old=(Membership("system"),), new=late))
    assert loads_of(parents, "system") == [1.0, 6.0, 6.0]


def test_a_parent_without_children_at_a_time_has_no_row_then() -> None:
    for_an_hour = (Membership("a", START + HOUR, START + 2 * HOUR),)
    hierarchy = tree(a=(Membership("system"),), m=for_an_hour)
    parents = aggregate_to_parents(clean({"m": [1.0, 2.0, 3.0]}), hierarchy=hierarchy)
    assert parents.select("series_id", "valid_time", "load_mw").rows() == [
        ("a", START + HOUR, 2.0),
        ("system", START + HOUR, 2.0),
    ]


def test_five_levels_and_shortcuts_past_some_of_them_all_add_up() -> None:
    names = ["meter", "feeder", "substation", "zone", "system"]
    chain = [Series(low, Level(low), "UTC", (Membership(high),)) for low, high in pairwise(names)]
    shortcut = Series("big", Level.METER, "UTC", (Membership("zone"),))
    hierarchy = Hierarchy((*chain, shortcut, Series("system", Level.SYSTEM, "UTC")))
    parents = aggregate_to_parents(clean({"meter": [1.0], "big": [10.0]}), hierarchy=hierarchy)
    loads = dict(parents.select("series_id", "load_mw").iter_rows())
    assert loads == {"feeder": 1.0, "substation": 1.0, "zone": 11.0, "system": 11.0}


def test_rows_of_a_parent_and_of_strangers_add_nothing() -> None:
    loads = clean({"a": [50.0], "m": [1.0], "stranger": [7.0]})
    hierarchy = tree(a=(Membership("system"),), m=(Membership("a"),))
    parents = aggregate_to_parents(loads, hierarchy=hierarchy)
    assert dict(parents.select("series_id", "load_mw").iter_rows()) == {"a": 1.0, "system": 1.0}


@pytest.mark.parametrize(
    ("min_completeness", "expected"),
    [
        pytest.param(1.0, (None, "missing", "sum_of_children+incomplete"), id="all are needed"),
        pytest.param(0.76, (None, "missing", "sum_of_children+incomplete"), id="one more is needed"),
        pytest.param(0.75, (8.0, "estimated", "sum_of_children+scaled_up"), id="just enough"),
        pytest.param(0.01, (8.0, "estimated", "sum_of_children+scaled_up"), id="any is enough"),
    ],
)
def test_a_sum_over_some_children_is_scaled_up_or_missing(
    min_completeness: float, expected: tuple[float | None, str, str]
) -> None:
    hierarchy = zones_to_system(["a", "b", "c", "d"], time_zone="UTC")
    loads = clean({"a": [1.0], "b": [2.0], "c": [3.0], "d": [None]})
    parents = aggregate_to_parents(loads, hierarchy=hierarchy, min_completeness=min_completeness)
    assert parents.select("load_mw", "quality", "rule").row(0) == expected
    assert parents["raw_load_mw"].to_list() == [None]


def test_without_any_load_there_is_nothing_to_scale_up() -> None:
    parents = aggregate_to_parents(
        clean({"a": [None]}), hierarchy=zones_to_system(["a"], time_zone="UTC"), min_completeness=0.01
    )
    assert parents.select("load_mw", "quality").row(0) == (None, "missing")


def test_estimated_children_count_as_there_and_mark_the_sum() -> None:
    loads = clean({"a": [1.0], "b": [2.0]}, estimated="b")
    parents = aggregate_to_parents(loads, hierarchy=zones_to_system(["a", "b"], time_zone="UTC"))
    assert parents.select("load_mw", "quality", "rule").row(0) == (3.0, "estimated", "sum_of_children")


def test_the_summary_counts_incomplete_and_scaled_up_sums() -> None:
    loads = clean({"a": [1.0, 1.0, 1.0], "b": [2.0, None, 2.0], "c": [3.0, 3.0, None], "d": [4.0, 4.0, None]})
    hierarchy = zones_to_system(["a", "b", "c", "d"], time_zone="UTC")
    parents = aggregate_to_parents(loads, hierarchy=hierarchy, min_completeness=0.75)
    summary = quality_summary(quality_counts(parents, REMOVED.to_frame(), interval=HOUR)).row(0, named=True)
    told = {name: summary[name] for name in ("rows", "good", "estimated", "missing", "incomplete", "scaled_up")}
    assert told == {"rows": 3, "good": 1, "estimated": 1, "missing": 1, "incomplete": 1, "scaled_up": 1}
    assert summary["completeness"] == pytest.approx(2 / 3)


def test_shares_of_children_with_a_load_and_of_estimated_ones_add_up_over_blocks() -> None:
    hierarchy = tree(a=(Membership("system"),), m=(Membership("a"),), n=(Membership("a"),))
    first, second = clean({"m": [1.0, 2.0], "n": [None, 1.0]}), clean({"m": [1.0] * 2, "n": [2.0] * 2}, estimated="n")
    counts = pl.concat([child_counts(partial_sums(each, hierarchy=hierarchy)) for each in (first, second)])
    assert children_summary(counts).rows() == [("a", 7 / 8, 2 / 8), ("system", 7 / 8, 2 / 8)]
    assert children_summary(counts.clear()).is_empty()


def test_readings_of_a_series_with_children_are_told_from_those_of_strangers() -> None:
    hierarchy = tree(a=(Membership("system"),), m=(Membership("a"),))
    rows = [("a", "unknown_series"), ("x", "unknown_series"), ("m", "duplicate")]
    removed = pl.DataFrame([(each, START, 1.0, START, reason) for each, reason in rows], schema=REMOVED, orient="row")
    told = tell_summed(removed, column="reason", hierarchy=hierarchy)
    assert told["reason"].to_list() == [IS_SUMMED, "unknown_series", "duplicate"]


def test_energy_of_a_complete_parent_is_that_of_its_children() -> None:
    rng = np.random.default_rng(5)
    meters = [f"m{number}" for number in range(40)]
    feeders = {f"f{number}": (Membership("system"),) for number in range(4)}
    hierarchy = tree(**feeders, **{meter: (Membership(f"f{place % 4}"),) for place, meter in enumerate(meters)})
    rows = clean({meter: list(rng.gamma(2.0, 0.003, 96)) for meter in meters})
    parents = aggregate_to_parents(rows, hierarchy=hierarchy)
    energy = dict(pl.concat([rows, parents]).group_by("series_id").agg(pl.col("load_mw").sum()).iter_rows())
    for parent in (*feeders, "system"):
        children = [child for child, above in hierarchy.parents_at(START).items() if above == parent]
        assert energy[parent] == pytest.approx(sum(energy[each] for each in children), abs=1e-6)


@st.composite
def trees(draw: st.DrawFn) -> Hierarchy:
    """Up to eight series in any tree; each has another parent, or none, in each of up to three times."""
    count = draw(st.integers(1, 8))
    parents = {}
    for number in range(count):
        above = ["system", *(f"s{other}" for other in range(number))]
        cuts = sorted(draw(st.sets(st.integers(0, 5), max_size=2)))
        bounds = [None, *(START + HOUR * cut for cut in cuts), None]
        chosen = draw(st.lists(st.sampled_from([*above, None]), min_size=len(cuts) + 1, max_size=len(cuts) + 1))
        steps = zip(chosen, pairwise(bounds), strict=True)
        parents[f"s{number}"] = tuple(Membership(each, *span) for each, span in steps if each is not None) or (
            Membership("system"),
        )
    return tree(**parents)


loads = st.one_of(st.none(), st.integers(0, 10**7).map(lambda watts: watts / 1e6))
blocks = st.dictionaries(
    st.tuples(st.integers(0, 7), st.integers(0, 5)), st.tuples(loads, st.sampled_from(["good", "estimated", "edited"]))
)


def rows_of(block: dict[tuple[int, int], tuple[float | None, str]]) -> pl.DataFrame:
    rows = []
    for (number, hour), (load, quality) in block.items():
        time = START + HOUR * hour
        flag = "missing" if load is None else quality
        rows.append((f"s{number}", time, load, load, flag, "", time + HOUR * number))
    return pl.DataFrame(rows, schema=CLEAN_READINGS, orient="row")


def row_by_row(rows: pl.DataFrame, *, hierarchy: Hierarchy, min_completeness: float) -> Iterator[dict[str, Any]]:
    """The parents, from walking up from every single row."""
    below = defaultdict(list)
    for row in rows.filter(pl.col("series_id").is_in(hierarchy.leaves)).iter_rows(named=True):
        above = hierarchy.parents_at(row["valid_time"])
        at = row["series_id"]
        while at in above:
            at = above[at]
            below[at, row["valid_time"]].append(row)
    for (series_id, time), children in sorted(below.items()):
        measured = [each["load_mw"] for each in children if each["load_mw"] is not None]
        total = sum(round(each * 1e9) for each in measured) / 1e9
        share = len(measured) / len(children)
        flags = {each["quality"] for each in children}
        remedy = "" if share == 1 else "+scaled_up" if share >= min_completeness else "+incomplete"
        whole = "estimated" if "estimated" in flags else "edited" if "edited" in flags else "good"
        yield {
            "series_id": series_id,
            "valid_time": time,
            "load_mw": {"": total, "+incomplete": None}.get(remedy, pytest.approx(total / share if share else 0)),
            "raw_load_mw": total if share == 1 else None,
            "quality": {"": whole, "+scaled_up": "estimated", "+incomplete": "missing"}[remedy],
            "rule": f"sum_of_children{remedy}",
            "available_at": max(each["available_at"] for each in children),
        }


@settings(max_examples=150, deadline=None)
@given(hierarchy=trees(), block=blocks, min_completeness=st.sampled_from([1.0, 0.75, 0.5, 0.1]))
def test_sums_over_any_tree_are_those_of_adding_up_row_by_row(
    hierarchy: Hierarchy, block: dict[tuple[int, int], tuple[float | None, str]], min_completeness: float
) -> None:
    rows = rows_of(block)
    parents = aggregate_to_parents(rows, hierarchy=hierarchy, min_completeness=min_completeness)
    assert parents.schema == CLEAN_READINGS
    assert parents.to_dicts() == list(row_by_row(rows, hierarchy=hierarchy, min_completeness=min_completeness))


@settings(max_examples=100, deadline=None)
@given(hierarchy=trees(), block=blocks, cuts=st.lists(st.integers(0, 48), max_size=3), seed=st.integers(0, 99))
def test_partial_sums_of_any_cut_over_any_tree_give_the_same_parents(
    hierarchy: Hierarchy, block: dict[tuple[int, int], tuple[float | None, str]], cuts: list[int], seed: int
) -> None:
    rows = rows_of(block)
    shuffled = rows.sample(fraction=1.0, shuffle=True, seed=seed)
    edges = [0, *sorted(cuts), rows.height]
    parts = [partial_sums(shuffled[start:end], hierarchy=hierarchy) for start, end in pairwise(edges)]
    assert combine_sums(pl.concat(parts)).equals(aggregate_to_parents(rows, hierarchy=hierarchy))


@settings(max_examples=100, deadline=None)
@given(hierarchy=trees())
def test_climbing_gives_exactly_the_ancestors_of_every_moment(hierarchy: Hierarchy) -> None:
    steps = {each.series_id: each.memberships for each in hierarchy.series}
    for moment in (START + HOUR * hour for hour in range(-1, 7)):
        above = hierarchy.parents_at(moment)
        for leaf in hierarchy.leaves:
            at, expected = leaf, []
            while at in above:
                at = above[at]
                expected.append(at)
            found = [span.parent_id for span in climb(leaf, steps) if span.covers(moment)]
            assert sorted(found) == sorted(expected)
