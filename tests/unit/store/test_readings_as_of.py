"""Clean readings as they were known at an earlier moment."""

from collections.abc import Callable
from datetime import datetime, timedelta

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.store_ticks import ALWAYS, START, clean, commit, forecast

from gridcast.domain.tables import CLEAN_READINGS
from gridcast.store.store import Store

DAY = timedelta(days=1)


def loads(store: Store, at: datetime) -> list[float]:
    """Raw loads as they were known at a moment."""
    return store.readings_as_of(at, **ALWAYS)["raw_load_mw"].to_list()


def test_a_replaced_reading_is_what_was_known_until_then(store: Store) -> None:
    for tick in (1, 2, 4):
        commit(store, tick, readings=clean(tick, count=1), forecasts=forecast(tick))
    instant = timedelta(microseconds=1)
    assert loads(store, START + DAY - instant) == []
    assert loads(store, START + DAY) == [1.0]
    assert loads(store, START + 2 * DAY - instant) == [1.0]
    assert loads(store, START + 2 * DAY) == [2.0]
    assert loads(store, START + 3 * DAY) == [2.0]
    assert loads(store, START + 9 * DAY) == [4.0]
    assert store.readings_as_of(START + 9 * DAY, **ALWAYS).equals(store.readings(**ALWAYS))


def test_a_reading_that_is_written_again_as_it_is_stays_known_from_the_first_time(store: Store) -> None:
    for day in (1, 5):
        store.save_clean(clean(7, count=1), known_from=START + day * DAY)
    assert loads(store, START + DAY) == [7.0]
    assert store.counts()["readings_superseded"] == 0


def test_a_change_of_any_column_supersedes(store: Store) -> None:
    changes = [
        {"load_mw": pl.lit(None, pl.Float64)},
        {"raw_load_mw": pl.lit(3.5)},
        {"quality": pl.lit("edited")},
        {"rule": pl.lit("spike")},
        {"available_at": pl.lit(START + DAY)},
    ]
    written = clean(1, count=1)
    for day, change in enumerate(changes, start=1):
        store.save_clean(written, known_from=START + day * DAY)
        written = written.with_columns(**change)
    store.save_clean(written, known_from=START + 9 * DAY)
    assert store.counts()["readings_superseded"] == len(changes)
    assert store.readings(**ALWAYS).equals(written)


def test_of_readings_written_at_the_same_moment_the_last_is_what_was_known(store: Store) -> None:
    for load in (1, 2):
        store.save_clean(clean(load, count=1), known_from=START + DAY)
    assert loads(store, START + DAY) == [2.0]
    assert store.counts()["readings_superseded"] == 0


def test_a_reading_is_never_known_from_before_the_one_it_replaces(store: Store) -> None:
    store.save_clean(clean(1, count=1), known_from=START + 5 * DAY)
    store.save_clean(clean(2, count=1), known_from=START + DAY)
    assert loads(store, START + DAY) == []
    assert loads(store, START + 5 * DAY) == [2.0]


def test_readings_of_one_series_and_time_come_in_order(store: Store) -> None:
    other = clean(3).with_columns(series_id=pl.lit("b"))
    store.save_clean(pl.concat([other, clean(1)]), known_from=START)
    store.save_clean(clean(2).tail(1), known_from=START + DAY)
    hour = timedelta(hours=1)
    span = {"start": START + hour, "end": START + 3 * hour}
    found = store.readings_as_of(START, **span)
    assert found.schema == CLEAN_READINGS
    assert found.equals(pl.concat([clean(1).tail(2), other.tail(2)]))
    assert store.readings_as_of(START, **span, series_id="b").equals(other.tail(2))
    assert store.readings_as_of(START + DAY, **span, series_id="a")["raw_load_mw"].to_list() == [1.0, 2.0]


def test_many_readings_are_superseded_as_few_are(store: Store) -> None:
    store.save_clean(clean(1, count=300), known_from=START)
    changed = clean(2, count=300).with_row_index().filter(pl.col("index") % 3 == 0).drop("index")
    store.save_clean(pl.concat([clean(1, count=300), changed]), known_from=START + DAY)
    assert store.counts()["readings_superseded"] == 100
    assert loads(store, START) == [1.0] * 300
    assert sorted(loads(store, START + DAY)) == [1.0] * 200 + [2.0] * 100


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from([1.0, 2.0])), max_size=15),
    at=st.integers(0, 20),
)
def test_what_was_known_is_what_had_been_written_by_then(
    store: Store, empty: Callable[[], None], steps: list[tuple[int, int, float]], at: int
) -> None:
    empty()
    now, known, expected = 0, dict[int, float](), dict[int, float]()
    for later, hour, load in steps:
        now += later
        row = clean(1).slice(hour, 1).with_columns(raw_load_mw=pl.lit(load))
        store.save_clean(row, known_from=START + now * DAY)
        known[hour] = load
        expected = dict(known) if now <= at else expected
    assert loads(store, START + at * DAY) == [load for _, load in sorted(expected.items())]
