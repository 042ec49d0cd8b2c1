"""Simulated readings through real brokers: what was sent is what the listener keeps."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from support.kafka import Broker, running_broker
from support.listening import Listening, in_order
from support.mosquitto import Mosquitto, running_mosquitto

from gridcast.domain.tables import READINGS
from gridcast.workflows.readings.simulated_traffic import POISON

START = "2024-01-01T00:00:00Z"
OPTIONS = ("--series", "40", "--rounds", "50", "--start", START, "--rate", "0")
AS_SENT = {"readings_format": {"received": "available_at"}}


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
def topic(kafka: Broker, request: pytest.FixtureRequest) -> str:
    name = re.sub(r"\W", "_", request.node.name)[:200]
    kafka.create(name)
    return name


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    with running_mosquitto(folder) as broker:
        yield broker


def of_kafka(folder: Path, broker: Broker, topic: str) -> Listening:
    source = {"kind": "kafka", "bootstrap_servers": broker.address, "topic": topic, "max_outage": "PT60S"}
    return Listening.at(folder, **source, **AS_SENT)


def simulate(place: Listening, to: str, *options: str) -> dict[str, Any]:
    return place.place.json("simulate", "--to", to, *OPTIONS, *options)


def expected(place: Listening, *options: str) -> pl.DataFrame:
    """What the same simulation without poison writes to standard output."""
    lines = place.place.run("simulate", *OPTIONS, *options).stdout
    rows = pl.DataFrame([json.loads(line) for line in lines.splitlines()])
    times = (pl.col(name).str.to_datetime(time_zone="UTC", time_unit="us") for name in ("valid_time", "available_at"))
    return rows.with_columns(*times).select(READINGS.names()).cast(READINGS)


@pytest.mark.parametrize("per_message", ["1", "100"])
def test_what_is_sent_to_kafka_lands_and_poison_is_a_dead_letter(
    tmp_path: Path, kafka: Broker, topic: str, per_message: str
) -> None:
    place = of_kafka(tmp_path, kafka, topic)
    faults = ("--late", "0.1", "--corrected", "0.1", "--gap", "0.1", "--spike", "0.1")
    to = f"kafka://{kafka.address}/{topic}"

    told = simulate(place, to, *faults, "--poison", "0.02", "--per-message", per_message)
    heard = place.hear(until=told["sent"])

    assert heard["landed"] == told["sent"]
    assert heard["repeated"] == 0
    assert sum(heard["dead"].values()) == told["poison"] > len(POISON)
    assert place.dead_letters().height == told["poison"]
    assert_frame_equal(place.landed(), expected(place, *faults))


def test_what_is_sent_twice_lands_once(tmp_path: Path, kafka: Broker, topic: str) -> None:
    place = of_kafka(tmp_path, kafka, topic)

    told = simulate(place, f"kafka://{kafka.address}/{topic}", "--double", "0.2", "--shuffle", "0.2")
    heard = place.hear(until=2_000)

    assert told["sent"] == 2_000 + told["faults"]["double"]
    assert heard["landed"] == 2_000
    assert_frame_equal(in_order(place.landed()), in_order(expected(place)))


def test_what_is_sent_to_mqtt_lands_and_poison_is_a_dead_letter(tmp_path: Path, mosquitto: Mosquitto) -> None:
    source = {"kind": "mqtt", "host": "127.0.0.1", "port": mosquitto.port, "topic": "readings", "max_outage": "PT60S"}
    place = Listening.at(tmp_path / "listening", **source, **AS_SENT)
    place.connect()

    told = simulate(place, f"mqtt://127.0.0.1:{mosquitto.port}/readings", "--poison", "0.05", "--per-message", "7")
    heard = place.hear(until=told["sent"])

    assert heard["landed"] == told["sent"] == 2_000
    assert sum(heard["dead"].values()) == told["poison"] > 0
    assert_frame_equal(place.landed(), expected(place))


def test_readings_of_the_present_are_kept_by_a_listener_that_listens(tmp_path: Path, kafka: Broker, topic: str) -> None:
    place = of_kafka(tmp_path, kafka, topic)
    options = ("--series", "30", "--now", "--reading-interval", "PT1S", "--rounds", "3")
    with place.listener() as listener:
        place.wait_until_known(listener)
        told = place.place.json("simulate", "--to", f"kafka://{kafka.address}/{topic}", *options)
        place.wait_for(90, listener)
        heard = listener.stop()

    assert heard["dead"] == {}
    assert told["sent"] == heard["landed"] == 90
    assert told["rate"] == pytest.approx(30, rel=0.1)
    age = datetime.now(UTC) - place.landed()["valid_time"].max()  # type: ignore[operator]
    assert timedelta(0) < age < timedelta(minutes=2)


@pytest.mark.parametrize(
    ("to", "told"),
    [
        pytest.param("kafka://{kafka}/nothing", "refused (Broker: Unknown topic or partition)", id="unknown topic"),
        pytest.param("kafka://localhost:1/readings", "no broker answered", id="no Kafka"),
        pytest.param("mqtt://localhost:1/readings", "no broker answered", id="no MQTT"),
    ],
)
def test_a_place_that_cannot_be_sent_to_ends_the_simulation_with_a_message(
    tmp_path: Path, kafka: Broker, to: str, told: str
) -> None:
    place = Listening.at(tmp_path, kind="kafka", bootstrap_servers=kafka.address, topic="readings").place
    done = place.run("simulate", "--to", to.format(kafka=kafka.address), "--series", "2", code=1)

    assert told in done.stderr
    assert done.stdout == ""


def test_an_mqtt_broker_that_wants_a_login_is_told(tmp_path: Path, mosquitto: Mosquitto) -> None:
    place = Listening.at(tmp_path / "place", kind="kafka", bootstrap_servers="localhost:1", topic="t").place
    done = place.run("simulate", "--to", f"mqtt://127.0.0.1:{mosquitto.locked_port}/t", "--series", "2", code=1)

    assert "refused (Not authorized)" in done.stderr
