"""What a store forgets, and what it never does."""

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from support.store_ticks import ALWAYS, START, clean, forecast, received

from gridcast.store import condition
from gridcast.store.pruning import Kept, prune
from gridcast.store.store import Store

DAY = timedelta(days=1)


def pruned(store: Store, kept: Kept, *, archived: dict[str, int] | None = None) -> dict[str, int]:
    """Rows that went, by table."""
    with store.transaction() as connection:
        gone = {each.table: each.rows for each in prune(connection, kept, archived=archived or {})}
    with store.transaction() as connection:
        assert list(condition.faults(connection)) == []
    return gone


def landed_days(store: Store) -> list[int]:
    rows = store.landed_after(after_offset=0, up_to_offset=store.log_head())
    return [(time - START) // DAY for time in rows["valid_time"]]


def day(number: int) -> pl.DataFrame:
    """One reading of a day."""
    return received(1).with_columns(pl.col("valid_time", "available_at") + number * DAY)


def read_up_to(store: Store, offset: int, *, consumer: str = "stream") -> None:
    store.commit_tick(
        consumer=consumer, log_offset=offset, issue_time=START, readings=clean(1), forecasts=forecast(0).clear()
    )


@pytest.mark.parametrize("age", [40, 45])
def test_of_old_forecasts_those_before_the_month_or_the_moment_go(store: Store, database: str, age: int) -> None:
    ticks = (0, 20, 31, 50, 80)
    for tick in ticks:
        store.save_clean(clean(tick), known_from=START + tick * DAY)
        store.save_forecasts(forecast(tick))
    gone = pruned(store, Kept(forecasts=age * DAY))
    left = [(time - START) // DAY for time in store.forecasts(**ALWAYS)["issue_time"].unique().sort()]
    cut = START + (80 - age) * DAY
    cut = cut if database == "sqlite" else datetime(cut.year, cut.month, 1, tzinfo=UTC)
    assert left == [tick for tick in ticks if START + tick * DAY >= cut]
    assert gone == {"forecasts": 3 * (len(ticks) - len(left))}
    assert store.readings(**ALWAYS).height == 3
    assert store.counts()["readings_superseded"] == 12


def test_a_series_that_has_no_forecast_left_has_no_newest_run(store: Store) -> None:
    store.save_forecasts(forecast(0).with_columns(series_id=pl.lit("old")))
    store.save_forecasts(forecast(500))
    assert pruned(store, Kept(forecasts=100 * DAY)) == {"forecasts": 3}
    assert store.latest_runs()["series_id"].to_list() == ["a"]
    assert store.latest_forecast("old").is_empty()
    store.save_forecasts(forecast(0))
    assert store.latest_runs()["issue_time"].to_list() == [START + 500 * DAY]


def test_what_a_reader_of_the_log_has_not_read_stays(store: Store) -> None:
    for number in (0, 1, 2, 3, 100):
        store.land(day(number))
    old = Kept(readings_log=10 * DAY)
    assert pruned(store, old) == {"reading_log": 0}
    read_up_to(store, 5)
    read_up_to(store, 2, consumer="slow")
    assert pruned(store, old) == {"reading_log": 2}
    assert landed_days(store) == [2, 3, 100]
    read_up_to(store, 5, consumer="slow")
    assert pruned(store, old) == {"reading_log": 2}
    assert landed_days(store) == [100]


def test_what_is_not_archived_stays(store: Store) -> None:
    for number in range(3):
        for source in ("scada", "simulate"):
            store.land_batch(day(number + 10 * (source == "scada")), source=source, position="", at=START)
    store.land(day(100))
    read_up_to(store, 7)
    assert pruned(store, Kept(readings_log=10 * DAY), archived={"scada": 3}) == {"reading_log": 5}
    assert landed_days(store) == [12, 100]


def test_the_end_of_the_log_stays_where_it_is(store: Store) -> None:
    for number in (100, 0, 1):
        store.land(day(number))
    read_up_to(store, 3)
    assert pruned(store, Kept(readings_log=DAY)) == {"reading_log": 1}
    assert (store.log_head(), landed_days(store)) == (3, [100, 1])


def test_landings_of_what_was_read_go(store: Store) -> None:
    for number in range(4):
        store.land_batch(day(number), source="scada", position="", at=START + number * DAY)
    read_up_to(store, 2)
    assert pruned(store, Kept(landings=timedelta(hours=1))) == {"landings": 2}
    assert [store.landing_of(offset) is None for offset in range(1, 5)] == [True, True, False, False]


def test_an_empty_store_has_nothing_to_forget(store: Store) -> None:
    assert sum(pruned(store, Kept(forecasts=DAY, readings_log=DAY, landings=DAY)).values()) == 0


def test_without_an_age_all_is_kept(store: Store) -> None:
    store.save_forecasts(forecast(1))
    assert pruned(store, Kept()) == {}
    assert store.counts()["forecasts"] == 3


def test_a_compacted_file_is_smaller_and_holds_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "gridcast.db"
    with contextlib.closing(Store.open(path)) as store:
        store.save_forecasts(pl.concat([forecast(0).with_columns(series_id=pl.lit(str(n))) for n in range(2_000)]))
        store.save_forecasts(forecast(500))
        assert store.compact()
        before = path.stat().st_size
        pruned(store, Kept(forecasts=DAY))
        assert store.compact()
        assert path.stat().st_size < before / 2
        assert store.forecasts(**ALWAYS).equals(forecast(500))
