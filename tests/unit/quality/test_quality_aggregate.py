"""Sums over children and counts of what cleaning did."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sums import aggregate_to_parents

from gridcast.domain.membership import Membership
from gridcast.domain.series import Hierarchy, Level, Series
from gridcast.domain.tables import CLEAN_READINGS
from gridcast.quality.aggregate import combine_sums, partial_sums
from gridcast.quality.received import REMOVED
from gridcast.quality.summary import add_counts, quality_counts, quality_summary

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def tree(**parents: str | tuple[Membership, ...]) -> Hierarchy:
    """Series with their parents, always the same one or over time, and what is left without: the system."""
    steps = {child: (Membership(parent),) if isinstance(parent, str) else parent for child, parent in parents.items()}
    rest = {step.parent_id for each in steps.values() for step in each} - set(steps)
    below = tuple(Series(child, Level.ZONE, "UTC", each) for child, each in steps.items())
    return Hierarchy((*below, *(Series(each, Level.SYSTEM, "UTC") for each in rest)))


TREE = tree(m1="f1", m2="f1", m3="f2", f1="system", f2="system")

Row = tuple[str, int, float | None, str]


def clean(*rows: Row, rule: str = "") -> pl.DataFrame:
    """Rows of (series, hour, load, quality); the raw load is the load, known an hour after its start."""
    times = [START + HOUR * hour for _, hour, _, _ in rows]
    columns = {
        "series_id": [row[0] for row in rows],
        "valid_time": times,
        "load_mw": [row[2] for row in rows],
        "raw_load_mw": [row[2] for row in rows],
        "quality": [row[3] for row in rows],
        "rule": [rule] * len(rows),
        "available_at": [time + HOUR for time in times],
    }
    return pl.DataFrame(columns, schema=CLEAN_READINGS)


def of(frame: pl.DataFrame, series_id: str) -> dict[str, object]:
    return frame.filter(series_id=series_id).row(0, named=True)


def test_every_level_is_the_sum_of_the_measured_series_below_it() -> None:
    rows = clean(("m1", 0, 1.5, "good"), ("m2", 0, 2.0, "good"), ("m3", 0, 4.0, "good"))
    parents = aggregate_to_parents(rows, hierarchy=TREE)
    assert parents.schema == CLEAN_READINGS
    assert parents.select("series_id", "load_mw", "quality", "rule").rows() == [
        ("f1", 3.5, "good", "sum_of_children"),
        ("f2", 4.0, "good", "sum_of_children"),
        ("system", 7.5, "good", "sum_of_children"),
    ]


@pytest.mark.parametrize(
    ("quality", "load_mw", "expected"),
    [
        pytest.param("estimated", 2.0, ("estimated", 3.0), id="estimated"),
        pytest.param("edited", 2.0, ("edited", 3.0), id="edited"),
        pytest.param("bad", None, ("missing", None), id="bad"),
        pytest.param("missing", None, ("missing", None), id="missing"),
    ],
)
def test_a_parent_is_no_better_than_its_worst_child(
    quality: str, load_mw: float | None, expected: tuple[str, float | None]
) -> None:
    rows = clean(("m1", 0, 1.0, "good"), ("m2", 0, load_mw, quality))
    parent = of(aggregate_to_parents(rows, hierarchy=TREE), "f1")
    assert (parent["quality"], parent["load_mw"]) == expected


def test_a_child_counts_from_its_first_row_on() -> None:
    alone = clean(("m1", 0, 1.0, "good"))
    joined = clean(("m1", 0, 1.0, "good"), ("m2", 0, None, "missing"))
    before, after = (of(aggregate_to_parents(each, hierarchy=TREE), "f1") for each in (alone, joined))
    assert (before["quality"], before["load_mw"]) == ("good", 1.0)
    assert (after["quality"], after["load_mw"], after["raw_load_mw"]) == ("missing", None, None)
    assert after["rule"] == "sum_of_children+incomplete"


def test_the_raw_load_of_a_parent_is_the_sum_of_what_was_received() -> None:
    rows = clean(("m1", 0, 1.0, "good"), ("m2", 0, 2.0, "estimated"))
    raw = rows.with_columns(pl.when(series_id="m2").then(-9.0).otherwise("raw_load_mw").alias("raw_load_mw"))
    parent = of(aggregate_to_parents(raw, hierarchy=TREE), "f1")
    assert (parent["load_mw"], parent["raw_load_mw"]) == (3.0, -8.0)


def test_absurd_readings_are_summed_without_a_fault_and_never_wrap() -> None:
    rows = clean(("m1", 0, 9e9, "good"), ("m2", 0, 9e9, "good"), ("m3", 0, 1.0, "estimated"))
    absurd = rows.with_columns(pl.when(series_id="m3").then(1e300).otherwise("raw_load_mw").alias("raw_load_mw"))
    parents = aggregate_to_parents(absurd, hierarchy=TREE)
    assert (of(parents, "f1")["load_mw"], of(parents, "f1")["raw_load_mw"]) == (1.8e10, 1.8e10)
    assert (of(parents, "f2")["load_mw"], of(parents, "f2")["raw_load_mw"]) == (1.0, 1e15)
    assert of(parents, "system")["load_mw"] == 18_000_000_001.0


loads = st.one_of(st.none(), st.floats(0, 1e5))
blocks = st.lists(
    st.tuples(st.sampled_from(["m1", "m2", "m3"]), st.integers(0, 3), loads), unique_by=lambda row: row[:2]
)


@settings(max_examples=40, deadline=None)
@given(rows=blocks, cut=st.integers(0, 12), seed=st.integers(0, 99))
def test_partial_sums_of_any_cut_in_any_order_give_the_same_parents(
    rows: list[tuple[str, int, float | None]], cut: int, seed: int
) -> None:
    frame = clean(*[(name, hour, load, "good" if load is not None else "missing") for name, hour, load in rows])
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=seed)
    parts = [partial_sums(part, hierarchy=TREE) for part in (shuffled[:cut], shuffled[cut:])]
    assert combine_sums(pl.concat(parts)).equals(aggregate_to_parents(frame, hierarchy=TREE))


def test_counts_of_blocks_add_up_to_the_summary_of_everything() -> None:
    first = clean(("a", 0, 1.0, "good"), ("b", 0, None, "missing"))
    second = clean(("a", 1, 1.0, "estimated"), ("a", 2, None, "bad"), rule="spike+interpolated")
    dead = pl.DataFrame([("a", START, 1.0, START, "duplicate")], schema=REMOVED, orient="row")
    empty = REMOVED.to_frame()
    blocks_added = add_counts(
        pl.concat([quality_counts(first, dead, interval=HOUR), quality_counts(second, empty, interval=HOUR)])
    )
    assert blocks_added.equals(quality_counts(pl.concat([first, second]), dead, interval=HOUR))
    assert quality_summary(blocks_added).to_dicts() == [
        {
            "series_id": "a",
            "rows": 3,
            "good": 1,
            "estimated": 1,
            "edited": 0,
            "bad": 1,
            "missing": 0,
            "completeness": pytest.approx(2 / 3),
            "removed": 1,
            "interpolated": 2,
            "spike": 2,
        },
        {
            "series_id": "b",
            "rows": 1,
            "good": 0,
            "estimated": 0,
            "edited": 0,
            "bad": 0,
            "missing": 1,
            "completeness": 0.0,
            "removed": 0,
            "interpolated": 0,
            "spike": 0,
        },
    ]


def test_nothing_cleaned_has_an_empty_summary() -> None:
    assert quality_summary(quality_counts(CLEAN_READINGS.to_frame(), REMOVED.to_frame(), interval=HOUR)).is_empty()
