"""The stream on a Beam runner, Kafka in and PostgreSQL out, comes to what the stream on one machine comes to."""

import contextlib
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
from confluent_kafka import OFFSET_END, TopicPartition
from confluent_kafka.admin import AdminClient
from polars.testing import assert_frame_equal
from support.flink import Cluster
from support.installation import ZONES, Place
from support.kafka import Broker
from support.prism import running_prism
from support.runner_streams import as_messages, listening, publish, streaming, wait_until

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.ingestion.raw import read_readings
from gridcast.store.store import Store

NEXT = datetime(2008, 6, 30, 11, tzinfo=UTC)
"""The first hour that is not in the files."""
SPOILT = timedelta(hours=25)
END = NEXT + timedelta(hours=60)
"""So long after what is spoilt that the newest bands rest on the same evidence, in whatever order that came."""
KEY = ["series_id", "valid_time"]
KILLS = 20
LONGEST_LIFE = 9.0
"""Seconds that nobody is killed for, at most."""


class Expected(NamedTuple):
    """What the stream on one machine has come to."""

    readings: pl.DataFrame
    newest: pl.DataFrame
    dead: dict[str, int]


@pytest.fixture(scope="module")
def prism(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """What hands a stream to Prism; its worker is the process that does."""
    with running_prism(tmp_path_factory.mktemp("prism")) as address:
        yield ["--runner", "PortableRunner", "--job_endpoint", address, "--environment_type", "LOOPBACK"]


@pytest.fixture(scope="module")
def expected(promoted: Place, broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Expected:
    """One machine takes in and streams what is spoilt, then the rest."""
    place = listening(promoted, tmp_path_factory.mktemp("alone") / "place", broker, topic="alone")
    dead: dict[str, int] = {}
    for contents in messages(promoted):
        publish(broker, "alone", contents)
        dead |= place.json("listen", "--source", "scada", "--until-idle", "PT5S")["sources"][0]["dead"]
        place.run("stream", "--last", "PT1H")
    with contextlib.closing(Store.open(place.directory / "data" / "gridcast.db")) as store:
        return Expected(kept(store), newest(store), dead)


def messages(place: Place) -> tuple[list[bytes], list[bytes]]:
    """The hours of a week before once more: a day out of order, a twentieth of it wrong, doubled, corrected; the rest.

    One of the first is no message.
    """
    week, hour = timedelta(days=7), timedelta(hours=1)
    raw = read_readings(place.directory / "data" / "raw", start=NEXT - week, end=END - week)
    rows = (
        raw.unique(KEY)
        .sort("valid_time", "series_id")
        .with_columns(pl.col("valid_time") + week, available_at=pl.col("valid_time") + week + hour)
    )
    early, late = (
        rows.filter(each) for each in (pl.col("valid_time") < NEXT + SPOILT, pl.col("valid_time") >= NEXT + SPOILT)
    )
    is_wrong = pl.Series(np.random.default_rng(9).random(early.height) < 0.05)
    wrong = early.with_columns(load_mw=pl.when(is_wrong).then(pl.col("load_mw") * 8).otherwise("load_mw"))
    corrected = early.sample(6, seed=1).with_columns(pl.col("load_mw") * 1.1, pl.col("available_at") + 2 * hour)
    mixed = pl.concat([wrong, corrected, wrong.sample(9, seed=2)]).sample(fraction=1.0, shuffle=True, seed=3)
    return [b"{", *as_messages(mixed)], as_messages(late)


def kept(store: Store) -> pl.DataFrame:
    return store.readings(start=NEXT, end=END).sort(KEY)


def newest(store: Store) -> pl.DataFrame:
    return store.forecasts(start=END, end=END + timedelta(hours=1)).sort(KEY)


def is_there(store: Store, expected: Expected) -> bool:
    return store.newest_issue_time() == END and kept(store).equals(expected.readings)


def require_same(store: Store, expected: Expected) -> None:
    """Readings to the bit, the newest forecasts but for rounding."""
    assert_frame_equal(kept(store), expected.readings, check_exact=True)
    found = newest(store)
    assert_frame_equal(found.select(KEY), expected.newest.select(KEY))
    for column in QUANTILE_COLUMNS:
        np.testing.assert_allclose(found[column], expected.newest[column], rtol=1e-5, err_msg=column)


def test_a_runner_that_is_killed_and_started_again_comes_to_what_one_machine_comes_to(
    promoted: Place, expected: Expected, tmp_path: Path, broker: Broker, prism: list[str], database: str
) -> None:
    place = listening(promoted, tmp_path / "place", broker, topic="prism")
    spoilt, rest = messages(promoted)
    publish(broker, "prism", spoilt)
    with contextlib.closing(Store.open(database)) as store:
        with streaming(place, prism, url=database) as process:
            wait_until(lambda: store.newest_issue_time() is not None, process, place)
        publish(broker, "prism", rest)
        with streaming(place, prism, url=database) as process:
            wait_until(lambda: is_there(store, expected), process, place)
            process.terminate()
            assert process.wait(timeout=60) == 0
        require_same(store, expected)

    assert expected.dead == {"not_json": 1}
    assert set(expected.readings["series_id"]) == {*ZONES, "system"}
    assert expected.readings["quality"].value_counts().height > 1
    assert len(list((place.directory / "data" / "raw" / "dead_letter").glob("scada.live*"))) == 1


def test_flink_goes_on_from_a_savepoint_and_a_job_whose_submitter_is_gone_gives_way_to_the_next(
    promoted: Place, expected: Expected, tmp_path: Path, broker: Broker, flink: Cluster, database: str
) -> None:
    place = listening(promoted, tmp_path / "place", broker, topic="savepoint")
    spoilt, rest = messages(promoted)
    publish(broker, "savepoint", spoilt)
    with contextlib.closing(Store.open(database)) as store:
        with streaming(place, flink.options, url=database) as process:
            wait_until(lambda: store.newest_issue_time() is not None, process, place)
            (first,) = flink.running_jobs()
            savepoint = flink.stop_with_savepoint(first)
            assert process.wait(timeout=60) == 1
        forget(broker, "savepoint")
        with streaming(place, [*flink.options, "--savepoint_path", savepoint], url=database) as process:
            wait_until(lambda: len(flink.running_jobs()) == 1, process, place)
            (orphan,) = flink.running_jobs()
        publish(broker, "savepoint", rest[:60])
        at_first = store.newest_issue_time()
        wait_until(lambda: store.newest_issue_time() != at_first, None, place)
        savepoint = flink.save(orphan)
        with streaming(place, [*flink.options, "--savepoint_path", savepoint], url=database) as process:
            wait_until(lambda: flink.running_jobs() not in ([], [orphan]), process, place)
            publish(broker, "savepoint", rest[60:])
            wait_until(lambda: is_there(store, expected), process, place)
            process.terminate()
            assert process.wait(timeout=60) == 0
        require_same(store, expected)
        assert flink.running_jobs() == []


def forget(broker: Broker, topic: str) -> None:
    """Let the broker drop all that a topic has held so far."""
    client = AdminClient({"bootstrap.servers": broker.address})
    partitions = [TopicPartition(topic, number, OFFSET_END) for number in range(2)]
    for done in client.delete_records(partitions).values():
        done.result(timeout=30)


def test_flink_that_is_killed_twenty_times_comes_to_what_one_machine_comes_to(
    promoted: Place, expected: Expected, tmp_path: Path, broker: Broker, flink: Cluster, database: str
) -> None:
    place = listening(promoted, tmp_path / "place", broker, topic="flink")
    spoilt, rest = messages(promoted)
    publish(broker, "flink", spoilt)
    moments, victims = np.random.default_rng(20), ["worker_pool", "task_manager_0"] * (KILLS // 2)
    options = [*flink.options, "--checkpointing_interval", "1000"]
    with contextlib.closing(Store.open(database)) as store, streaming(place, options, url=database) as process:
        wait_until(lambda: store.newest_issue_time() is not None, process, place)
        for victim, part in zip(victims, np.array_split(np.arange(len(rest)), KILLS), strict=True):
            publish(broker, "flink", [rest[each] for each in part])
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=moments.uniform(0, LONGEST_LIFE))
            flink.kill(victim)
            flink.start(victim)
        wait_until(lambda: is_there(store, expected), process, place)
        (job,) = flink.running_jobs()
        failures = flink.ask(f"/jobs/{job}/exceptions")["exceptionHistory"]["entries"]
        process.terminate()
        assert process.wait(timeout=60) == 0
        require_same(store, expected)
    assert len(failures) > KILLS / 4
    assert flink.running_jobs() == []
