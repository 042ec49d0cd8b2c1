"""A server that goes away in the middle of a big save leaves no part of it."""

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import psycopg
import pytest
from support.postgres import Server, running_postgres
from support.store_ticks import ALWAYS, START, clean, commit, forecast

from gridcast.store.errors import StoreError
from gridcast.store.store import Store

MANY = 60_000
"""Series of a run that takes long to save."""


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """A server that may be ended: nobody else uses it, and what it has committed is written."""
    with running_postgres(settings=("shared_buffers=32MB", "fsync=off")) as server:
        yield server


def run(tick: int, *, series: int = 100) -> pl.DataFrame:
    names = pl.DataFrame({"series_id": [f"feeder_{number:05d}" for number in range(series)]})
    one = forecast(tick).drop("series_id")
    return names.join(one, how="cross").select(forecast(tick).columns)


def ticks(store: Store) -> dict[int, int]:
    """Rows of each tick's forecasts that are stored."""
    found = store.forecasts(**ALWAYS).group_by("issue_time").len()
    return {(time - START).days: rows for time, rows in found.iter_rows()}


def drop_connections(server: Server, database: str) -> None:
    query = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"  # noqa: S608
    server.execute(query)


def crash(server: Server, _: str) -> None:
    server.kill()
    server.start()


def wait_until_copying(url: str) -> None:
    """Return as soon as rows of forecasts are on their way into the database."""
    query = "SELECT sum(tuples_processed) FROM pg_stat_progress_copy"
    deadline = time.monotonic() + 30
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            (rows,) = connection.execute(query).fetchone() or (None,)
            if rows:
                return
    raise AssertionError("nothing was ever copied")


@pytest.mark.parametrize("end", [pytest.param(drop_connections, id="connection"), pytest.param(crash, id="server")])
@pytest.mark.parametrize("is_new", [pytest.param(True, id="a new run"), pytest.param(False, id="a run again")])
def test_of_a_save_that_is_cut_off_nothing_is_left(
    own_server: Server, end: Callable[[Server, str], None], *, is_new: bool
) -> None:
    url = own_server.new_database()
    with contextlib.closing(Store.open(url)) as store:
        for tick in (1, 2):
            commit(store, tick, readings=clean(tick), forecasts=run(tick))
        before = ticks(store), store.readings(**ALWAYS), store.position("c"), store.latest_runs()
        big = run(3 if is_new else 2, series=MANY).with_columns(p50=pl.lit(-1.0))
        with ThreadPoolExecutor() as pool:
            saving = pool.submit(commit, store, 3, readings=clean(3), forecasts=big)
            wait_until_copying(url)
            end(own_server, url.rpartition("/")[2])
            with pytest.raises(StoreError, match="Nothing of this step was written"):
                saving.result(timeout=60)
        assert ticks(store) == before[0]
        assert store.readings(**ALWAYS).equals(before[1])
        assert store.position("c") == before[2]
        assert store.latest_runs().equals(before[3])
        commit(store, 3, readings=clean(3), forecasts=run(3))
        assert ticks(store) == {**before[0], 3: 300}
