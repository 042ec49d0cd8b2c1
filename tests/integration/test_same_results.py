"""Batch and real time come to the same clean readings and forecasts, whatever the size of a tick, after any restart."""

import contextlib
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from support.flink import Cluster
from support.installation import GRIDCAST, ZONES, Place
from support.kafka import Broker
from support.killing import kill_after_progress
from support.runner_streams import as_messages, listening, publish, streaming, wait_until

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import CLEAN_READINGS, CONSUMER
from gridcast.ingestion.raw import read_readings
from gridcast.store.store import Store
from gridcast.workflows.readings.processed import Processed

WEEKS = timedelta(weeks=4)
END = datetime(2008, 6, 30, 11, tzinfo=UTC)
SINCE = END - timedelta(weeks=10)
"""Where the stream on Flink begins: so long before that the newest bands rest on nothing from before it."""
FAULTY = 0.05
"""Share of the readings of these weeks."""
KEY = ["series_id", "valid_time"]
VICTIMS = ("worker_pool", "task_manager_0", None)


@pytest.fixture(scope="module")
def faulty(promoted: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Prepared once more from files in which a twentieth of the last four weeks is wrong."""
    place = Place(Path(shutil.copytree(promoted.directory, tmp_path_factory.mktemp("faulty") / "place")))
    file = place.directory / "readings.csv"
    spoilt(pl.read_csv(file, infer_schema=False)).write_csv(file)
    place.run("ingest")
    place.run("prepare")
    return place


def spoilt(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of the file with readings lost, doubled, repeated, negative, ten times or a thousand times too large."""
    rng = np.random.default_rng(4)
    is_late = pl.col("ds") >= (END - WEEKS).strftime("%Y-%m-%d")
    early, late = rows.filter(~is_late), rows.filter(is_late).with_row_index("row")
    wrong = rng.permutation(late.height)[: int(FAULTY * late.height)]
    lost, doubled, negative, spike, slipped, stuck = np.array_split(wrong, 6)
    load = pl.col("y").cast(pl.Float64, strict=False)
    is_stuck = (pl.col("row") // 8).is_in(np.unique(stuck // 8)[: len(stuck) // 8].tolist())
    changed = (
        pl.when(pl.col("row").is_in(negative.tolist()))
        .then(-load)
        .when(pl.col("row").is_in(spike.tolist()))
        .then(load * 10)
        .when(pl.col("row").is_in(slipped.tolist()))
        .then(load * 1000)
        .when(is_stuck)
        .then(load.first().over(pl.col("row") // 8))
        .otherwise(load)
    )
    spoilt_rows = late.filter(~pl.col("row").is_in(lost.tolist())).with_columns(y=changed.cast(pl.String))
    again = late.filter(pl.col("row").is_in(doubled.tolist())).with_columns(y=(load * 1.01).cast(pl.String))
    return pl.concat([early, spoilt_rows.drop("row"), again.drop("row")])


@pytest.mark.parametrize(
    ("last", "every", "kills"),
    [("P28D", "P1D", 0), ("P28D", "PT17H", 2), ("P28D", "P9D", 1), ("P3D", "PT1H", 1)],
    ids=["a day", "17 hours, killed twice", "9 days, killed", "an hour, killed"],
)
def test_a_stream_comes_to_what_the_batch_run_comes_to(
    faulty: Place, tmp_path: Path, last: str, every: str, kills: int
) -> None:
    place = Place(Path(shutil.copytree(faulty.directory, tmp_path / "place")))
    path = place.directory / "data" / "gridcast.db"
    options = ("stream", "--last", last, "--every", every)
    for number in range(kills):
        kill_after_progress(place, path, (GRIDCAST, *options), seconds=0.3 + number)
    assert place.json(*options)["ticks"] > 0

    with contextlib.closing(Store.open(path)) as store:
        require_same(store, place, start=END - (WEEKS if last == "P28D" else timedelta(days=3)))


def test_a_stream_that_finds_weeks_in_the_log_comes_to_what_the_batch_run_comes_to(
    promoted: Place, faulty: Place, tmp_path: Path
) -> None:
    start = datetime(2008, 6, 1, 23, tzinfo=UTC)
    place = Place(Path(shutil.copytree(promoted.directory, tmp_path / "place")))
    begin_before(place, start=start)
    raw = read_readings(faulty.directory / "data" / "raw", start=start, end=END)
    is_held_back = pl.struct(KEY).hash() % 20 == 0
    with contextlib.closing(Store.open(place.directory / "data" / "gridcast.db")) as store:
        store.land_batch(raw.filter(~is_held_back), source="scada", position="0", at=END)
        with streaming(place, ["--live"]) as process:
            wait_until(lambda: store.newest_issue_time() == END, process, place)
            store.land_batch(raw.filter(is_held_back), source="scada", position="1", at=END)
            wait_until(lambda: store.position(CONSUMER).log_offset == store.log_head(), process, place)
            process.terminate()
            assert process.wait(timeout=60) == 0
        require_same(store, faulty, start=start)


def test_the_stream_on_flink_comes_to_what_the_batch_run_comes_to_after_any_restart(
    promoted: Place, faulty: Place, tmp_path: Path, broker: Broker, flink: Cluster, database: str
) -> None:
    place = listening(promoted, tmp_path / "place", broker, topic="weeks", partitions=1)
    begin_before(place, start=SINCE)
    raw = read_readings(faulty.directory / "data" / "raw", start=SINCE, end=END)
    arrived = as_messages(raw.sort("available_at", maintain_order=True))
    options = [*flink.options, "--checkpointing_interval", "1000"]
    batch = cleaned(faulty, start=SINCE)
    with contextlib.closing(Store.open(database)) as store, streaming(place, options, url=database) as process:
        for part, victim in zip(np.array_split(np.arange(len(arrived)), 3), VICTIMS, strict=True):
            before = store.newest_issue_time()
            publish(broker, "weeks", [arrived[each] for each in part])
            wait_until(lambda before=before: store.newest_issue_time() != before, process, place)
            if victim is not None:
                flink.kill(victim)
                flink.start(victim)
        wait_until(lambda: streamed(store, start=SINCE).equals(batch), process, place)
        wait_until(lambda: store.newest_issue_time() == END, process, place)
        process.terminate()
        assert process.wait(timeout=60) == 0
        require_same(store, faulty, start=SINCE)


def begin_before(place: Place, *, start: datetime) -> None:
    """Forget all readings from some time on."""
    file = place.directory / "readings.csv"
    rows = pl.read_csv(file, infer_schema=False)
    local = start.astimezone(ZoneInfo("Europe/London")).strftime("%Y-%m-%d %H:%M")
    rows.filter(pl.col("ds") < local).write_csv(file)
    for name in ("raw", "processed"):
        shutil.rmtree(place.directory / "data" / name)
    place.run("ingest")
    place.run("prepare")


def cleaned(place: Place, *, start: datetime) -> pl.DataFrame:
    """What the batch run has made of the readings."""
    processed = Processed.open(place.directory / "data" / "processed")
    return processed.readings(start=start).select(CLEAN_READINGS.names()).sort(KEY)


def streamed(store: Store, *, start: datetime) -> pl.DataFrame:
    return store.readings(start=start, end=END).sort(KEY)


def require_same(store: Store, place: Place, *, start: datetime) -> None:
    """What a stream has kept and issued is what the batch run, and a forecast after it, come to."""
    batch = cleaned(place, start=start)
    assert set(batch["quality"]) >= {"good", "estimated"}
    assert set(batch["series_id"]) == {*ZONES, "system"}
    assert_frame_equal(streamed(store, start=start), batch, check_exact=True)
    issued = store.forecasts(start=END, end=END + timedelta(hours=1)).sort(KEY)
    again = pl.DataFrame(place.json("forecast", "--dry-run")["forecasts"]).sort(KEY)
    assert issued.height == again.height > 0
    for column in QUANTILE_COLUMNS:
        np.testing.assert_allclose(issued[column], again[column], rtol=1e-5, err_msg=column)
