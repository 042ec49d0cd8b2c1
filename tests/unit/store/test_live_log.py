"""What a reader of the log asks of it: what is new, how far each series has come, when a row was received."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridcast.domain.tables import READINGS
from gridcast.store.errors import StoreError
from gridcast.store.reading_log import Landing
from gridcast.store.store import Store

START = datetime(2024, 3, 31, tzinfo=UTC)
NOW = datetime(2024, 4, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LATE = 10**9


def received(*readings: tuple[str, int]) -> pl.DataFrame:
    """READINGS of (series, hour), each with a load of its own."""
    rows = [(name, START + hour * HOUR, float(load), NOW) for load, (name, hour) in enumerate(readings)]
    return pl.DataFrame(rows, schema=READINGS, orient="row")


def durations(*rows: tuple[str, float, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"stage": pl.String, "upper_s": pl.Float64, "n": pl.Int64}, orient="row")


def test_the_rows_between_two_offsets_come_with_their_offsets_in_order_of_arrival(store: Store) -> None:
    arrivals = received(("b", 1), ("a", 0), ("b", 0), ("a", 1))
    store.land(arrivals)
    numbered = arrivals.select(pl.int_range(1, 5, dtype=pl.Int64).alias("log_offset"), *READINGS.names())
    assert store.landed_after(after_offset=0, up_to_offset=LATE).equals(numbered)
    assert store.landed_after(after_offset=1, up_to_offset=3).equals(numbered[1:3])
    assert store.landed_after(after_offset=4, up_to_offset=LATE).schema == numbered.schema


def test_the_rows_of_a_batch_know_when_it_was_received_and_landed(store: Store) -> None:
    store.land(received(("a", 0)))
    for hour in (1, 3):
        batch = received(("a", hour), ("a", hour + 1))
        received_at = NOW + hour * HOUR
        store.land_batch(batch, source="s", position="p", at=received_at + HOUR / 7, received_at=received_at)
    known = [store.landing_of(offset) for offset in range(1, 7)]
    first, second = (Landing(NOW + hour * HOUR, NOW + hour * HOUR + HOUR / 7) for hour in (1, 3))
    assert known == [None, first, first, second, second, None]


def test_a_batch_is_received_when_it_lands_unless_told_otherwise(store: Store) -> None:
    store.land_batch(received(("a", 0)), source="s", position="p", at=NOW)
    assert store.landing_of(1) == Landing(NOW, NOW)


def test_a_batch_that_lands_nothing_has_no_landing(store: Store) -> None:
    for batch in (received(("a", 0)), received(("a", 0)), received()):
        store.land_batch(batch, source="s", position="p", at=NOW)
    assert store.counts()["landings"] == 1


def test_a_batch_that_fails_has_no_landing(store: Store) -> None:
    bad = pl.concat([received(("a", 0)), received(("a", 1)).with_columns(series_id=pl.lit(None, pl.String))])
    with pytest.raises(StoreError):
        store.land_batch(bad, source="s", position="p", at=NOW)
    assert store.counts()["landings"] == 0


def test_counts_of_durations_are_added_up_and_come_by_stage_and_bound(store: Store) -> None:
    store.add_latencies(durations(("read", float("inf"), 1), ("read", 0.1, 2), ("clean", 0.25, 3)))
    store.add_latencies(durations(("read", 0.1, 5), ("read", float("inf"), 1), ("read", 0.05, 1)))
    store.add_latencies(durations())
    expected = durations(("clean", 0.25, 3), ("read", 0.05, 1), ("read", 0.1, 7), ("read", float("inf"), 2))
    assert store.latencies().equals(expected)


def test_counts_given_twice_in_one_frame_are_added_up(store: Store) -> None:
    store.add_latencies(durations(("read", 0.1, 2), ("read", 0.1, 3)))
    assert store.latencies().rows() == [("read", 0.1, 5)]


ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), max_size=25)
OFFSETS = st.integers(0, 26)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, after=OFFSETS, up_to=OFFSETS, end_hour=st.integers(-1, 7))
def test_what_is_newest_is_found_as_by_looking_at_every_row(
    store: Store,
    empty: Callable[[], None],
    rows: list[tuple[str, int]],
    after: int,
    up_to: int,
    end_hour: int,
) -> None:
    empty()
    end = START + end_hour * HOUR
    numbered = [(offset, name, START + hour * HOUR) for offset, (name, hour) in enumerate(rows, start=1)]
    between = [offset for offset, _, time in numbered if after < offset <= up_to and time < end]
    store.land(received(*rows))
    found = store.newest_offset_before(end=end, after_offset=after, up_to_offset=up_to)
    assert found == max(between, default=None)
