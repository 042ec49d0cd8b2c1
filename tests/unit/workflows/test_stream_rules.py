"""When a stream ticks: complete intervals, deadlines, corrections, backlogs, a store that fails."""

import contextlib
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from support.processed_history import HOUR, ZONES, write_history
from support.streams import EVER, Running, readings

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import READINGS
from gridcast.store.errors import StoreError
from gridcast.store.store import Store
from gridcast.workflows.readings.block_name import BlockName
from gridcast.workflows.readings.processed import Processed
from gridcast.workflows.streaming import latency
from gridcast.workflows.streaming.arrivals import Patience
from gridcast.workflows.streaming.replay import follow

MINUTE = timedelta(minutes=1)
N, S = ZONES


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Processed:
    return write_history(tmp_path_factory.mktemp("history"), days=100)


@pytest.fixture
def running(history: Processed, tmp_path: Path) -> Iterator[Running]:
    """Begun at the end of the history: what lands from then on is live."""
    with contextlib.closing(Store.open(tmp_path / "gridcast.db")) as store:
        one = Running(store, history)
        one.begin(before_end=timedelta(0))
        one.now = history.observed_until
        yield one


def test_a_forecast_waits_until_every_series_has_reported(running: Running) -> None:
    at = running.issue_time
    running.now = at + HOUR
    running.land((N, at, 60.0))
    assert running.stream.tick() is None
    running.land((S, at, 70.0))
    assert running.stream.tick() == at + HOUR
    assert running.stream.tick() is None


def test_what_is_missing_at_the_deadline_is_not_waited_for(running: Running) -> None:
    at = running.issue_time
    running.now = at + HOUR
    running.land((N, at, 60.0))
    assert running.stream.tick() is None
    running.now += 9 * MINUTE
    assert running.stream.tick() is None
    running.now += 1 * MINUTE
    assert running.stream.tick() == at + HOUR
    missing = running.clean().filter(series_id=S, valid_time=at)
    assert missing["quality"].to_list() == ["missing"]
    running.land((S, at, 70.0))
    assert running.stream.tick() == at + HOUR, "a late reading opens its interval again"
    assert running.clean().filter(series_id=S, valid_time=at)["load_mw"].to_list() == [70.0]


def test_readings_of_the_past_have_their_deadlines_at_their_own_pace(running: Running) -> None:
    at = running.issue_time
    running.now = at + timedelta(days=5000)
    running.land((N, at, 60.0))
    assert running.stream.tick() is None
    running.now += 10 * MINUTE
    assert running.stream.tick() == at + HOUR


def test_a_series_silent_for_hours_is_not_waited_for(running: Running) -> None:
    at = running.issue_time
    for hour in range(8):
        running.now = at + (hour + 1) * HOUR
        running.land((N, at + hour * HOUR, 60.0))
        issued = running.stream.tick()
    assert issued == at + 8 * HOUR


def test_quarter_hours_make_an_hour_once_the_last_of_them_is_there(running: Running) -> None:
    at, quarter = running.issue_time, HOUR / 4
    issued = []
    for step in range(8):
        running.now = at + (step + 1) * quarter
        running.land(*((zone, at + step * quarter, 60.0) for zone in ZONES))
        issued.append(running.stream.tick())
    assert issued == [None, None, None, at + HOUR, None, None, None, at + 2 * HOUR]


def test_a_reading_stamped_in_the_future_is_counted_and_moves_no_forecast_ahead(running: Running) -> None:
    at = running.issue_time
    running.now = at + HOUR
    early = readings((N, at + 10 * HOUR, 60.0)).with_columns(available_at=pl.lit(at + HOUR))
    running.land_all(early.cast(READINGS))
    assert running.stream.tick() is None
    running.land((N, at, 60.0), (S, at, 70.0))
    assert running.stream.tick() == at + HOUR


def test_a_process_that_takes_over_knows_what_the_last_one_waited_for(running: Running) -> None:
    at = running.issue_time
    running.now = at + HOUR
    running.land((N, at, 60.0))
    assert running.stream.tick() is None
    other = running.started()
    assert other.tick() is None
    running.land((S, at, 70.0))
    assert other.tick() == at + HOUR


def test_a_backlog_is_worked_off_in_bounded_ticks_of_which_only_the_last_forecasts(running: Running) -> None:
    at, hours = running.issue_time, 40
    running.now = at + hours * HOUR
    running.land(*((zone, at + hour * HOUR, 60.0) for hour in range(hours) for zone in ZONES))
    stream = running.started(Patience(rows=21))
    issued = [stream.tick()]
    while stream.is_behind:
        issued.append(stream.tick())
    assert len(issued) == 4
    assert [job.by is not None for job in running.jobs] == [False, False, False, True]
    assert issued[-1] == at + hours * HOUR
    assert max(job.log_offset - before for job, before in offsets(running)) <= 21


def test_a_forecast_that_a_backlog_owes_is_made_after_a_restart(running: Running) -> None:
    at = running.issue_time
    running.now = at + HOUR
    running.land(*((zone, at, 60.0) for zone in ZONES))
    running.stream.tick()
    running.land(*((zone, at + hour * HOUR, 60.0) for hour in (1, 2) for zone in ZONES))
    running.now = at + 3 * HOUR
    running.started(Patience(rows=3)).tick()
    assert [job.by is not None for job in running.jobs] == [True, False]
    assert running.started().tick() == at + 3 * HOUR
    assert running.jobs[-1].by is not None


def test_a_store_that_fails_is_tried_again_later_and_later_and_nothing_is_lost(running: Running) -> None:
    at, told, stop = running.issue_time, list[timedelta](), threading.Event()
    running.now = at + HOUR
    running.land(*((zone, at, 60.0) for zone in ZONES))
    running.troubles[:] = [StoreError("store: disk full")] * 3

    def tell(error: StoreError, pause: timedelta) -> None:
        assert "disk full" in str(error)
        told.append(pause)

    every = timedelta(milliseconds=1)
    ticks = follow(running.stream, stop=stop, every=every, tell_trouble=tell)
    assert next(ticks) == at + HOUR
    assert told == [2 * every, 4 * every, 8 * every]
    assert running.clean().filter(valid_time=at).height == 2


def test_how_long_live_readings_took_is_counted_by_stage(running: Running) -> None:
    at = running.issue_time
    running.now = at + HOUR
    running.land(*((zone, at, 60.0) for zone in ZONES))
    running.now += timedelta(seconds=4)
    running.stream.tick()
    taken = running.store.latencies()
    assert set(taken["stage"]) == set(latency.STAGES)
    assert latency.at_most(taken, stage=latency.RECEIVED_VISIBLE, share=0.95) == 5.0
    assert latency.at_most(taken, stage=latency.RECEIVED_LANDED, share=0.95) == 0.05
    assert latency.at_most(taken, stage="other", share=0.95) is None


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), pieces=st.integers(1, 6), twice=st.integers(0, 20))
def test_readings_in_any_order_pieces_and_number_end_in_the_same_store(
    history: Processed, tmp_path_factory: pytest.TempPathFactory, seed: int, pieces: int, twice: int
) -> None:
    rng = np.random.default_rng(seed)
    at, hours = history.observed_until, 30
    rows = readings(*((zone, at + hour * HOUR, float(50 + rng.normal())) for hour in range(hours) for zone in ZONES))
    rows = rows.with_columns(load_mw=pl.when(pl.Series(rng.random(rows.height) < 0.1)).then(900.0).otherwise("load_mw"))
    corrected = rows.sample(5, seed=seed).with_columns(pl.col("load_mw") + 1, pl.col("available_at") + 9 * HOUR)
    everything = pl.concat([rows, corrected])
    doubled = pl.concat([everything, everything.sample(twice, seed=seed)])
    mixed = doubled.sample(fraction=1.0, shuffle=True, seed=seed)

    in_order = finished(history, tmp_path_factory.mktemp("a"), [everything])
    disturbed = finished(history, tmp_path_factory.mktemp("b"), [mixed[piece::pieces] for piece in range(pieces)])

    assert_frame_equal(disturbed[0], in_order[0], check_exact=True)
    assert_frame_equal(disturbed[1], in_order[1], check_exact=True)


def finished(history: Processed, folder: Path, batches: list[pl.DataFrame]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Clean readings and the newest forecast after some batches have landed, one tick behind each."""
    with contextlib.closing(Store.open(folder / "gridcast.db")) as store:
        running = Running(store, history)
        running.begin(before_end=timedelta(0))
        for each in batches:
            running.land_all(each)
            running.stream.tick(waits=False)
        newest = store.newest_issue_time()
        assert newest is not None
        return running.clean(), store.forecasts(start=newest, end=EVER["end"])


def test_a_series_that_cannot_be_cleaned_is_left_out_and_the_others_are_cleaned(running: Running) -> None:
    start = running.issue_time - timedelta(days=40)
    coarse = [(N, start + hour * HOUR, 60.0) for hour in range(0, 40 * 24, 2)]
    whole = [(S, start + hour * HOUR, 70.0) for hour in range(40 * 24)]
    block, rules = BlockName(start, start + timedelta(days=39)), running.rules
    with pytest.raises(GridcastError, match=r"'zone_n': its readings usually come 2:00:00 apart"):
        rules.clean(rules.place(readings(*coarse, *whole)), block)
    clean, left_out = rules.clean_what_can_be(rules.place(readings(*coarse, *whole)), block)
    assert list(left_out) == [N]
    assert clean.readings.filter(series_id=N)["load_mw"].is_null().all()
    alone = rules.clean(rules.place(readings(*whole)), block).readings
    assert_frame_equal(clean.readings, alone, check_exact=True)


def offsets(running: Running) -> Iterator[tuple]:
    before = running.jobs[0].log_offset - 21
    for job in running.jobs:
        yield job, before
        before = job.log_offset
