"""A step of the store is written whole or not at all, and processes that write at once wait for each other."""

import contextlib
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from support.store_ticks import ALWAYS, after, child, clean, commit, forecast, received, ticks_seen

from gridcast.domain.tables import FORECASTS
from gridcast.store.errors import StoreError
from gridcast.store.store import Store

NO_NULL = "NOT NULL constraint failed: {table}.{column}|null value in column .{column}. of relation .{table}."


def go_together(children: list[subprocess.Popen[str]]) -> None:
    """Let each of some children go on once all of them are ready."""
    for each in children:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in children:
        assert each.stdin is not None
        print("go", file=each.stdin, flush=True)


def require_success(children: list[subprocess.Popen[str]]) -> None:
    told = [each.communicate(timeout=60) for each in children]
    assert [each.returncode for each in children] == [0] * len(children), told


@pytest.mark.parametrize("column", ["model_version", "layer", "degraded_because", "valid_time"])
def test_a_tick_with_one_impossible_forecast_leaves_nothing_behind(store: Store, column: str) -> None:
    commit(store, 1, readings=clean(1), forecasts=forecast(1))
    bad_row = forecast(2).head(1).with_columns(pl.lit(None).cast(FORECASTS[column]).alias(column))
    with pytest.raises(StoreError, match=NO_NULL.format(table="forecasts", column=column)) as error:
        commit(store, 2, readings=clean(2, count=90), forecasts=pl.concat([forecast(2), bad_row]))
    assert "Nothing of this step was written" in str(error.value)
    assert ticks_seen(store) == after(1)
    assert store.readings(**ALWAYS).height == 3
    commit(store, 2, readings=clean(2), forecasts=forecast(2))
    assert ticks_seen(store) == after(2)


def test_a_landing_with_one_impossible_reading_lands_nothing(store: Store) -> None:
    store.land(received(2))
    with pytest.raises(StoreError, match=NO_NULL.format(table="reading_log", column="series_id")):
        store.land(pl.concat([received(2), received(1).with_columns(series_id=pl.lit(None, pl.String))]))
    head = store.log_head()
    store.land(received(1))
    assert store.log_head() > head
    assert store.counts()["reading_log"] == 3


LANDS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
import polars as pl
from gridcast.store.store import Store

place, source = sys.argv[1], Path(sys.argv[2])
readings = pl.read_parquet(source)
print("ready", flush=True)
sys.stdin.readline()
store = Store.open(place if "://" in place else Path(place))
for number, batch in enumerate(readings.iter_slices(int(sys.argv[3]))):
    if number % 2:
        store.land(batch)
    else:
        store.land_batch(batch, source=source.stem, position=str(number), at=datetime.now(UTC))
"""


def landing(place: Path | str, folder: Path, *, rows: int, at_once: int) -> list[subprocess.Popen[str]]:
    """Two processes that will each land rows of a series of its own, so many at once."""
    for name in "ab":
        received(rows, series_id=name).write_parquet(folder / f"{name}.parquet")
    return [child(LANDS, place, folder / f"{name}.parquet", at_once) for name in "ab"]


def test_what_lands_later_becomes_visible_later(store: Store) -> None:
    is_held, may_go_on = threading.Event(), threading.Event()

    def hold(_: sa.Connection) -> None:
        is_held.set()
        may_go_on.wait(timeout=30)

    sa.event.listen(sa.Engine, "commit", hold, once=True)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(store.land, received(1, series_id="a"))
        assert is_held.wait(timeout=30)
        second = pool.submit(store.land, received(1, series_id="b"))
        with pytest.raises(TimeoutError):
            second.result(timeout=0.2)
        assert store.log_head() == 0
        may_go_on.set()
        first.result(timeout=30)
        second.result(timeout=30)
    assert store.landed_after(after_offset=0, up_to_offset=2)["series_id"].to_list() == ["a", "b"]


def test_processes_that_start_together_share_a_new_store_and_its_reader_skips_nothing(
    tmp_path: Path, unused_place: Path | str
) -> None:
    writers = landing(unused_place, tmp_path, rows=300, at_once=6)
    go_together(writers)
    with contextlib.closing(Store.open(unused_place)) as store:
        read = pl.concat(read_to_the_end(store, writers))
        require_success(writers)
        assert read.equals(store.landed_after(after_offset=0, up_to_offset=store.log_head()))
    assert all(read.filter(series_id=name).drop("log_offset").equals(received(300, series_id=name)) for name in "ab")


def read_to_the_end(store: Store, writers: list[subprocess.Popen[str]]) -> Iterator[pl.DataFrame]:
    """What lands, in pieces, each from where the one before ended."""
    position, is_over = 0, False
    while not is_over:
        is_over = all(each.poll() is not None for each in writers)
        head = store.log_head()
        yield store.landed_after(after_offset=position, up_to_offset=head)
        position = head
