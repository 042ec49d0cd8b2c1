"""Forecasts in PostgreSQL lie in monthly partitions that are made as they are needed."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import polars as pl
import psycopg
import pytest
from support.postgres import Server
from support.store_ticks import START, forecast

from gridcast.store import partitions, postgresql_dialect
from gridcast.store.errors import StoreError
from gridcast.store.partitions import Month
from gridcast.store.store import Store

DAY = timedelta(days=1)
ALWAYS = {"start": datetime(1, 1, 1, tzinfo=UTC), "end": datetime(9999, 1, 1, tzinfo=UTC)}


@pytest.fixture
def url(postgres: Server) -> str:
    return postgres.new_database(like="tables")


def issued(*times: datetime, series_id: str = "a", count: int = 1) -> pl.DataFrame:
    parts = [
        forecast(0).with_columns(issue_time=pl.lit(time), series_id=pl.lit(f"{series_id}{number}"))
        for time in times
        for number in range(count)
    ]
    return pl.concat(parts)


def months(store: Store) -> list[Month]:
    with store.transaction() as connection:
        return list(partitions.months(connection))


@pytest.mark.parametrize("count", [1, 60])
def test_each_month_of_issue_has_its_own(url: str, count: int) -> None:
    edge = datetime(2024, 1, 1, tzinfo=UTC)
    times = [
        edge - timedelta(microseconds=1),
        edge,
        datetime(1968, 2, 29, 23, tzinfo=UTC),
        datetime(2024, 2, 1, tzinfo=UTC),
    ]
    with contextlib.closing(Store.open(url)) as store:
        rows = issued(*times, count=count)
        for _ in range(2):
            store.save_forecasts(rows)
            assert months(store) == [Month(1968, 2), Month(2023, 12), Month(2024, 1), Month(2024, 2)]
        assert store.forecasts(**ALWAYS).equals(rows.sort("issue_time", "series_id", "valid_time"))


def test_a_month_ends_where_the_next_begins() -> None:
    year = [Month(2024, number) for number in range(1, 13)]
    assert [month.end for month in year[:-1]] == [month.start for month in year[1:]]
    assert year[-1].end == datetime(2025, 1, 1, tzinfo=UTC)
    assert year[1].partition == "forecasts_y2024m02"


def test_a_partition_has_the_key_of_the_whole(url: str) -> None:
    with contextlib.closing(Store.open(url)) as store, psycopg.connect(url) as connection:
        store.save_forecasts(issued(START))
        query = "SELECT indexdef FROM pg_indexes WHERE tablename = 'forecasts_y2024m03' ORDER BY 1"
        found = [each for (each,) in connection.execute(query)]
    assert [each.split("USING")[1] for each in found] == [" btree (issue_time, series_id, valid_time, layer)"]


def test_writers_that_need_the_same_new_months_wait_for_each_other(url: str) -> None:
    times = [START + 31 * number * DAY for number in range(6)]

    def write(number: int) -> None:
        with contextlib.closing(Store.open(url)) as store:
            store.save_forecasts(issued(*(times if number % 2 else reversed(times)), series_id=f"{number}-", count=10))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    with contextlib.closing(Store.open(url)) as store:
        assert store.counts()["forecasts"] == 8 * 10 * 6 * 3


def test_readers_and_writers_of_other_months_do_not_wait_for_a_new_one(url: str) -> None:
    with contextlib.closing(Store.open(url)) as store, contextlib.closing(Store.open(url)) as other:
        store.save_forecasts(issued(START))
        with ThreadPoolExecutor() as pool, store.transaction() as connection:
            partitions.make(connection, pl.Series([0]))
            pool.submit(other.save_forecasts, issued(START - DAY)).result(timeout=10)
            assert pool.submit(other.forecasts, **ALWAYS).result(timeout=10).height == 6


def test_writers_of_the_same_new_run_both_succeed_and_the_last_stays(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql_dialect, "_have_no_key_yet", lambda *_: True)
    with contextlib.closing(Store.open(url)) as store:
        for version in ("1", "2"):
            store.save_forecasts(issued(START, count=30).with_columns(model_version=pl.lit(version)))
        assert set(store.forecasts(**ALWAYS)["model_version"]) == {"2"}
        assert store.counts()["forecasts"] == 90


def test_forecasts_with_empty_quantiles_and_any_text_are_copied_whole(url: str) -> None:
    texts = ["", "a\tb\nc", '"', "\\N", "é😀", "x" * 300]
    rows = pl.concat(
        issued(START + number * DAY, count=9).with_columns(
            degraded_because=pl.lit(text), p50=pl.lit(float("-inf")), p95=pl.lit(1e-300)
        )
        for number, text in enumerate(texts)
    )
    with_null = issued(START - DAY, count=30).with_columns(p05=pl.lit(None, pl.Float64))
    with contextlib.closing(Store.open(url)) as store:
        store.save_forecasts(rows)
        store.save_forecasts(with_null)
        assert store.forecasts(start=START, end=ALWAYS["end"]).equals(
            rows.sort("issue_time", "series_id", "valid_time")
        )
        found = store.forecasts(start=START - DAY, end=START)
        assert found.equals(with_null.sort("issue_time", "series_id", "valid_time"))


def test_a_partition_that_is_dropped_meanwhile_is_made_again(url: str) -> None:
    with contextlib.closing(Store.open(url)) as store:
        store.save_forecasts(issued(START))
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP TABLE forecasts_y2024m03")
        store.save_forecasts(issued(START))
        assert store.counts()["forecasts"] == 3


def test_an_impossible_row_among_many_new_ones_leaves_none(url: str) -> None:
    rows = issued(START, count=60)
    bad = rows.with_columns(layer=pl.when(pl.int_range(pl.len()) == 170).then(None).otherwise("layer"))
    with contextlib.closing(Store.open(url)) as store:
        with pytest.raises(StoreError, match="null value in column"):
            store.save_forecasts(bad)
        assert store.counts()["forecasts"] == store.counts()["latest_runs"] == 0
