"""A real Kafka broker: nothing is lost and nothing is doubled, whoever is killed."""

import re
import threading
import time
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, OffsetSpec
from polars.testing import assert_frame_equal
from support.kafka import PASSWORD, Broker
from support.listening import ENCODERS, Listening, as_json, in_order, readings

from gridcast.ingestion.connectors.kafka_log import KafkaSource, KafkaTopic
from gridcast.ingestion.connectors.payload import PayloadFormat
from gridcast.ingestion.tabular.formats import FileFormat

PACE_SECONDS = 0.002


@pytest.fixture
def topic(broker: Broker, request: pytest.FixtureRequest) -> str:
    """A topic of two partitions for one test."""
    name = re.sub(r"\W", "_", request.node.name)[:200]
    broker.create(name, partitions=2)
    return name


def listening(folder: Path, broker: Broker, topic_name: str, **more: object) -> Listening:
    source = {"kind": "kafka", "bootstrap_servers": broker.address, "topic": topic_name, "max_outage": "PT60S"}
    return Listening.at(folder, **{**source, **more})


def send(broker: Broker, topic: str, rows: pl.DataFrame, *, payload: str = "json", pace: float = 0.0) -> None:
    """One message a reading; every one is acknowledged, however long the broker is away."""
    producer, failures = broker.producer(), []
    for row in rows.drop("available_at").to_dicts():
        producer.produce(
            topic,
            ENCODERS[payload](row),
            key=row["series_id"],
            on_delivery=lambda error, _: failures.append(error) if error else None,
        )
        producer.poll(0)
        if pace:
            time.sleep(pace)
    assert producer.flush(120) == 0
    assert not failures


@pytest.mark.parametrize("payload", ["json", "avro", "arrow"])
def test_readings_of_every_payload_land_as_they_were_sent(
    tmp_path: Path, broker: Broker, topic: str, payload: str
) -> None:
    place = listening(tmp_path, broker, topic, payload=payload, schema_file="reading.avsc")
    sent = readings(500)
    send(broker, topic, sent, payload=payload)

    heard = place.hear(until=500)

    assert heard == {"source": "meters", "landed": 500, "repeated": 0, "dead": {}}
    assert_frame_equal(in_order(place.landed()), in_order(sent))


def test_a_listener_goes_on_where_it_ended_and_can_stop_by_itself(tmp_path: Path, broker: Broker, topic: str) -> None:
    place = listening(tmp_path, broker, topic)
    send(broker, topic, readings(100))
    place.hear(until=100)
    send(broker, topic, readings(50, first=100))

    with place.listener("--until-idle", "PT5S") as listener:
        heard = listener.heard()

    assert heard == {"source": "meters", "landed": 50, "repeated": 0, "dead": {}}
    assert_frame_equal(in_order(place.landed()), in_order(readings(150)))


def test_a_broker_killed_under_load_loses_nothing_and_doubles_nothing(
    tmp_path: Path, broker: Broker, topic: str
) -> None:
    place, sent = listening(tmp_path, broker, topic), readings(4_000)
    sending = threading.Thread(target=send, args=(broker, topic, sent), kwargs={"pace": PACE_SECONDS})
    with place.listener() as listener:
        sending.start()
        place.wait_for(500, listener)
        broker.kill()
        broker.start()
        sending.join(timeout=120)
        place.wait_for(4_000, listener)
        heard = listener.stop()

    assert not sending.is_alive()
    assert heard["landed"] == 4_000
    assert_frame_equal(in_order(place.landed()), in_order(sent))


def test_a_listener_killed_under_load_loses_nothing_and_doubles_nothing(
    tmp_path: Path, broker: Broker, topic: str
) -> None:
    place, sent = listening(tmp_path, broker, topic), readings(4_000)
    sending = threading.Thread(target=send, args=(broker, topic, sent), kwargs={"pace": PACE_SECONDS})
    sending.start()
    for reached in (300, 1_500):
        with place.listener() as listener:
            place.wait_for(reached, listener)
            listener.kill()
    with place.listener() as listener:
        sending.join(timeout=120)
        place.wait_for(4_000, listener)
        listener.stop()

    assert not sending.is_alive()
    assert_frame_equal(in_order(place.landed()), in_order(sent))


def test_malformed_messages_are_kept_with_a_reason_and_stop_nobody(tmp_path: Path, broker: Broker, topic: str) -> None:
    place = listening(tmp_path, broker, topic, max_message_bytes=5_000)
    good = [as_json(row) for row in readings(2).drop("available_at").to_dicts()]
    producer = broker.producer()
    for value in (good[0], b"{oops", b"\xff\x00", b"x" * 6_000, b'{"series_id": "a", "load_mw": 1}', None, good[1]):
        producer.produce(topic, value, partition=0)
    producer.flush(30)

    heard = place.hear(until=2)

    assert heard["landed"] == 2
    reasons = {"not_json": 2, "message_too_large": 1, "unparsable_time": 1, "empty_message": 1}
    assert heard["dead"] == reasons
    letters = place.dead_letters()
    assert dict(letters.group_by("reason").len().rows()) == reasons
    assert letters.filter(reason="not_json")["source"].to_list() == [f"{topic}[0]@1", f"{topic}[0]@2"]
    assert letters["raw"].str.len_chars().max() == 1_000


def test_a_new_source_can_begin_with_what_comes_next(tmp_path: Path, broker: Broker, topic: str) -> None:
    place = listening(tmp_path, broker, topic, start="latest")
    send(broker, topic, readings(100))
    place.connect()
    send(broker, topic, readings(10, first=100))

    assert place.hear(until=10)["landed"] == 10
    assert_frame_equal(in_order(place.landed()), in_order(readings(10, first=100)))


def test_messages_that_are_gone_before_they_were_read_stop_the_listener_unless_that_is_allowed(
    tmp_path: Path, broker: Broker, topic: str
) -> None:
    places = {each: listening(tmp_path / each, broker, topic, on_lost=each) for each in ("stop", "continue")}
    send(broker, topic, readings(100, series=1))
    for place in places.values():
        assert place.hear(until=100)["landed"] == 100
    send(broker, topic, readings(100, series=1, first=100))
    client = AdminClient({"bootstrap.servers": broker.address})
    gone = [TopicPartition(topic, partition, 150) for partition in _used(broker, topic)]
    for each in client.delete_records(gone).values():
        each.result(timeout=30)

    told = places["stop"].place.run("listen", code=1).stderr
    assert "offset 100, the next to be read, is not there" in told
    assert "on_lost: continue" in told
    assert places["continue"].hear(until=150)["landed"] == 50


def _used(broker: Broker, topic: str) -> list[int]:
    """Partitions with messages."""
    client = AdminClient({"bootstrap.servers": broker.address})
    asked = {TopicPartition(topic, partition): OffsetSpec.latest() for partition in (0, 1)}
    return [each.partition for each, found in client.list_offsets(asked).items() if found.result(timeout=30).offset]


def test_partitions_that_are_added_are_read_from_their_start(broker: Broker, topic: str) -> None:
    stop = threading.Event()
    limit = threading.Timer(60, stop.set)
    limit.start()
    source = KafkaSource(
        KafkaTopic(
            bootstrap_servers=broker.address,
            topic=topic,
            payload=PayloadFormat(readings_format=FileFormat()),
            start="latest",
            rediscover_after=timedelta(milliseconds=200),
        ),
        stop=stop,
    )
    batches = source.batches(None)
    assert next(batches).position == '{"0": 0, "1": 0}'
    client = AdminClient({"bootstrap.servers": broker.address})
    client.create_partitions([NewPartitions(topic, 3)])[topic].result(timeout=30)
    assert next(batches).position == '{"0": 0, "1": 0, "2": 0}'
    producer = broker.producer()
    producer.produce(topic, as_json(readings(1).drop("available_at").row(0, named=True)), partition=2)
    producer.flush(30)

    assert next(batches).position == '{"0": 0, "1": 0, "2": 1}'
    limit.cancel()
    stop.set()
    assert list(batches) == []


def test_a_password_is_taken_from_the_environment_and_a_wrong_one_is_told(
    tmp_path: Path, broker: Broker, topic: str
) -> None:
    login = {"username_env": "KAFKA_USER", "password_env": "KAFKA_PASSWORD"}
    more = {"bootstrap_servers": broker.sasl_address, "security_protocol": "SASL_PLAINTEXT", **login}
    place = listening(tmp_path, broker, topic, **more)
    send(broker, topic, readings(3))

    right = {"KAFKA_USER": "gridcast", "KAFKA_PASSWORD": PASSWORD}
    assert place.hear(until=3, env=right)["landed"] == 3
    wrong = place.place.run("listen", env={**right, "KAFKA_PASSWORD": "guessed"}, code=1).stderr
    assert "refused" in wrong
    assert "Authentication failed" in wrong
    assert "guessed" not in wrong


@pytest.mark.parametrize(
    ("more", "told"),
    [
        pytest.param({"bootstrap_servers": "127.0.0.1:1", "max_outage": "PT2S"}, "no broker answered", id="nobody"),
        pytest.param({"topic": "nothing"}, "Unknown topic", id="unknown topic"),
        pytest.param({"security_protocol": "SSL", "ca_file": "no.pem"}, "ssl.ca.location", id="no certificates"),
    ],
)
def test_a_broker_that_cannot_be_read_from_ends_the_listener_with_a_message(
    tmp_path: Path, broker: Broker, topic: str, more: dict[str, object], told: str
) -> None:
    done = listening(tmp_path, broker, topic, **more).place.run("listen", code=1)

    assert told in done.stderr
    assert done.stdout == ""
