"""The stream on a Beam runner, Kafka in and PostgreSQL out, comes to what the stream on one machine comes to."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from support.installation import GRIDCAST, ZONES, Place
from support.kafka import Broker, running_broker
from support.listening import as_json
from support.postgres import running_postgres
from support.prism import running_prism

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.ingestion.raw import read_readings
from gridcast.store.store import Store

NEXT = datetime(2008, 6, 30, 11, tzinfo=UTC)
"""The first hour that is not in the files."""
SPOILT = timedelta(hours=25)
END = NEXT + timedelta(hours=60)
"""So long after what is spoilt that the newest bands rest on the same evidence, in whatever order that came."""
KEY = ["series_id", "valid_time"]
SOURCE = """
  scada:
    kind: kafka
    bootstrap_servers: {address}
    topic: {topic}
    readings_format: {{received: received}}
stream: {{parts: 2, deadline: P1D}}
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(tmp_path_factory.mktemp("kafka")) as broker:
        broker.create("readings", partitions=2)
        yield broker


@pytest.fixture(scope="module")
def prism(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_prism(tmp_path_factory.mktemp("prism")) as address:
        yield address


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """URL of an empty database."""
    with running_postgres() as server:
        yield server.new_database()


def messages(place: Place) -> tuple[list[bytes], list[bytes]]:
    """The hours of a week before once more: a day out of order, a twentieth of it wrong, doubled, corrected; the rest.

    One of the first is no message.
    """
    week = timedelta(days=7)
    raw = read_readings(place.directory / "data" / "raw", start=NEXT - week, end=END - week)
    rows = (
        raw.unique(KEY)
        .sort("valid_time", "series_id")
        .with_columns(pl.col("valid_time") + week, received=pl.col("valid_time") + week + timedelta(hours=1))
    )
    early, late = (
        rows.filter(each) for each in (pl.col("valid_time") < NEXT + SPOILT, pl.col("valid_time") >= NEXT + SPOILT)
    )
    is_wrong = pl.Series(np.random.default_rng(9).random(early.height) < 0.05)
    wrong = early.with_columns(load_mw=pl.when(is_wrong).then(pl.col("load_mw") * 8).otherwise("load_mw"))
    corrected = early.sample(6, seed=1).with_columns(pl.col("load_mw") * 1.1, pl.col("received") + timedelta(hours=2))
    mixed = pl.concat([wrong, corrected, wrong.sample(9, seed=2)]).sample(fraction=1.0, shuffle=True, seed=3)
    return [b"{", *as_messages(mixed)], as_messages(late)


def as_messages(rows: pl.DataFrame) -> list[bytes]:
    return [as_json({**row, "received": row["received"].isoformat()}) for row in rows.drop("available_at").to_dicts()]


def publish(broker: Broker, contents: list[bytes]) -> None:
    producer = broker.producer()
    for each in contents:
        producer.produce("readings", each)
    assert producer.flush(60) == 0


def listening_to(place: Place, broker: Broker) -> Place:
    config = place.directory / "config" / "pipeline_config.yaml"
    before, after = config.read_text().split("calendar:")
    config.write_text(before.rstrip() + SOURCE.format(address=broker.address, topic="readings") + "calendar:" + after)
    return place


@contextlib.contextmanager
def streaming(place: Place, prism: str, url: str) -> Iterator[subprocess.Popen[bytes]]:
    options = ("--runner", "PortableRunner", "--job_endpoint", prism, "--environment_type", "LOOPBACK")
    with (place.directory / "stream.log").open("ab") as log:
        process = subprocess.Popen(
            [GRIDCAST, "stream", *options],
            cwd=place.directory,
            env=place.environment({"GRIDCAST_STORE_URL": url}),
            stderr=log,
            stdout=log,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def wait_until(is_so: Callable[[], bool], process: subprocess.Popen[bytes], place: Place) -> None:
    deadline = time.monotonic() + 180
    while not is_so():
        told = (place.directory / "stream.log").read_text(errors="replace")[-3000:]
        assert process.poll() is None, told
        assert time.monotonic() < deadline, told
        time.sleep(0.1)


def test_a_runner_that_is_killed_and_started_again_comes_to_what_one_machine_comes_to(
    promoted: Place, tmp_path: Path, broker: Broker, prism: str, database: str
) -> None:
    here, there = (
        listening_to(Place(Path(shutil.copytree(promoted.directory, tmp_path / name))), broker) for name in ("a", "b")
    )
    spoilt, rest = messages(promoted)
    publish(broker, spoilt)
    heard = here.json("listen", "--source", "scada", "--until-idle", "PT5S")["sources"][0]
    here.run("stream", "--last", "PT1H")
    with contextlib.closing(Store.open(database)) as store:
        with streaming(there, prism, database) as process:
            wait_until(lambda: store.newest_issue_time() is not None, process, there)
        publish(broker, rest)
        here.run("listen", "--source", "scada", "--until-idle", "PT5S")
        here.run("stream", "--last", "PT1H")
        with contextlib.closing(Store.open(here.directory / "data" / "gridcast.db")) as own:
            expected = own.readings(start=NEXT, end=END).sort(KEY)
            issued = own.forecasts(start=END, end=END + timedelta(hours=1)).sort(KEY)

        def is_done() -> bool:
            is_issued = store.newest_issue_time() == END
            return is_issued and store.readings(start=NEXT, end=END).sort(KEY).equals(expected)

        with streaming(there, prism, database) as process:
            wait_until(is_done, process, there)
            process.terminate()
            assert process.wait(timeout=60) == 0
        found = store.forecasts(start=END, end=END + timedelta(hours=1)).sort(KEY)

    assert heard["dead"] == {"not_json": 1}
    assert set(expected["series_id"]) == {*ZONES, "system"}
    assert expected["quality"].value_counts().height > 1
    assert_frame_equal(found.select(KEY), issued.select(KEY))
    for column in QUANTILE_COLUMNS:
        np.testing.assert_allclose(found[column], issued[column], rtol=1e-5, err_msg=column)
    assert len(list((there.directory / "data" / "raw" / "dead_letter").glob("scada.live*"))) == 1
