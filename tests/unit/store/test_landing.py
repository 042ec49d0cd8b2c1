"""A batch of a live source lands with its position or not at all, and lands once however often it comes."""

import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import READINGS
from gridcast.store.reading_log import SourcePosition
from gridcast.store.store import Store

START = datetime(2024, 3, 31, tzinfo=UTC)
NOW = datetime(2024, 4, 1, 12, tzinfo=UTC)
ALL_TIME = {"start": datetime(1900, 1, 1, tzinfo=UTC), "end": datetime(2300, 1, 1, tzinfo=UTC)}


def received(*readings: tuple[str, int, float]) -> pl.DataFrame:
    """READINGS of (series, hour, load)."""
    rows = [
        (name, START + timedelta(hours=hour), load, START + timedelta(hours=hour + 1)) for name, hour, load in readings
    ]
    return pl.DataFrame(rows, schema=READINGS, orient="row")


def loads(store: Store) -> list[float]:
    return store.landed(**ALL_TIME, up_to_offset=store.log_head())["load_mw"].to_list()


def test_a_batch_and_its_position_are_kept_together(store: Store) -> None:
    assert store.land_batch(received(("a", 0, 1.0), ("b", 0, 2.0)), source="scada", position="p1", at=NOW) == 2
    assert store.land_batch(received(("a", 1, 3.0)), source="scada", position="p2", at=NOW + timedelta(hours=1)) == 1
    assert store.land_batch(received(), source="meters", position="q1", at=NOW) == 0

    assert store.source_position("scada") == SourcePosition("p2", 2)
    assert store.sources().rows() == [
        ("meters", "q1", 1, 0, NOW),
        ("scada", "p2", 2, 3, NOW + timedelta(hours=1)),
    ]
    assert loads(store) == [1.0, 2.0, 3.0]


def test_a_batch_that_comes_again_lands_nothing_and_moves_its_position(store: Store) -> None:
    batch = received(("a", 0, 1.0), ("a", 1, 2.0), ("b", 0, 3.0))
    store.land_batch(batch, source="scada", position="p1", at=NOW)

    assert store.land_batch(batch, source="scada", position="p2", at=NOW) == 0
    assert store.log_head() == 3
    assert store.source_position("scada") == SourcePosition("p2", 2)
    assert store.sources()["rows"].to_list() == [3]


def test_a_correction_lands_and_so_does_its_withdrawal(store: Store) -> None:
    for load in (1.0, 2.0, 1.0, 1.0):
        store.land_batch(received(("a", 0, load)), source="scada", position="p", at=NOW)
    assert loads(store) == [1.0, 2.0, 1.0]


def test_within_a_batch_each_reading_is_compared_with_the_one_before_it(store: Store) -> None:
    batch = received(("a", 0, 1.0), ("a", 0, 1.0), ("a", 0, 2.0), ("b", 0, 2.0), ("a", 0, 1.0))
    assert store.land_batch(batch, source="scada", position="p", at=NOW) == 4
    assert loads(store) == [1.0, 2.0, 2.0, 1.0]


def test_what_a_replay_landed_is_a_repetition_too(store: Store) -> None:
    store.land(received(("a", 0, 1.0)))
    assert store.land_batch(received(("a", 0, 1.0), ("a", 1, 1.0)), source="scada", position="p", at=NOW) == 1
    assert store.landed_from("replay", after_offset=0, limit=9)["log_offset"].to_list() == [1]
    assert store.landed_from("scada", after_offset=0, limit=9)["log_offset"].to_list() == [2]
    assert store.landed_from("scada", after_offset=2, limit=9).is_empty()


def test_a_batch_with_one_impossible_reading_moves_nothing(store: Store) -> None:
    store.land_batch(received(("a", 0, 1.0)), source="scada", position="p1", at=NOW)
    bad = pl.concat([received(("a", 1, 2.0)), received(("a", 2, 3.0)).with_columns(series_id=pl.lit(None, pl.String))])

    with pytest.raises(
        GridcastError, match=r"NOT NULL constraint failed: reading_log\.series_id|null value in column .series_id."
    ):
        store.land_batch(bad, source="scada", position="p2", at=NOW)
    assert store.source_position("scada") == SourcePosition("p1", 1)
    assert loads(store) == [1.0]


def test_sources_that_land_at_once_wait_for_each_other(store: Store) -> None:
    failures: list[BaseException] = []

    def land(source: str) -> None:
        try:
            for hour in range(15):
                store.land_batch(received((source, hour, 1.0)), source=source, position=str(hour), at=NOW)
        except GridcastError as error:
            failures.append(error)

    threads = [threading.Thread(target=land, args=(f"s{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []
    assert store.sources()["rows"].to_list() == [15] * 4


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sent=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2), st.sampled_from([1.0, 2.0])), max_size=30),
    cuts=st.lists(st.integers(0, 30), max_size=4),
)
def test_however_a_stream_is_cut_and_repeated_the_newest_load_of_each_interval_is_the_last_sent(
    store: Store, empty: Callable[[], None], sent: list[tuple[str, int, float]], cuts: list[int]
) -> None:
    empty()
    edges = [0, *sorted(cuts), len(sent)]
    for start, end in itertools.pairwise(edges):
        for _ in range(2):
            store.land_batch(received(*sent[start:end]), source="s", position=str(end), at=NOW)
    log = store.landed(**ALL_TIME, up_to_offset=store.log_head())
    newest = {(name, time): load for name, time, load, _ in log.iter_rows()}
    assert newest == {(name, START + timedelta(hours=hour)): load for name, hour, load in sent}
