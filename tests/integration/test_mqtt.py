"""A real MQTT broker: nothing is lost and nothing is doubled, whoever is killed."""

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from polars.testing import assert_frame_equal
from support.listening import ENCODERS, Listening, as_json, in_order, readings
from support.mosquitto import PASSWORD, USER, Mosquitto, running_mosquitto

from gridcast.ingestion.connectors.mqtt_log import MqttSource, MqttTopic
from gridcast.ingestion.connectors.payload import PayloadFormat
from gridcast.ingestion.tabular.formats import FileFormat

PACE_SECONDS = 0.002
UNSURE_SECONDS = 2.0
"""A gateway sends again what its broker took in the last moments of its life: that had no time to save them."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    with running_mosquitto(folder) as broker:
        yield broker


class Gateway:
    """Publishes readings at least once, and knows what its broker may have forgotten."""

    def __init__(self, broker: Mosquitto) -> None:
        self._sent: dict[int, tuple[str, bytes]] = {}
        self._taken_at: dict[int, float] = {}
        self._taken = threading.Condition()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="gateway", clean_session=False)
        self._client.reconnect_delay_set(min_delay=1, max_delay=1)
        self._client.on_publish = self._on_taken
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()

    def _on_taken(self, _: Client, __: Any, number: int, *___: Any) -> None:
        with self._taken:
            self._taken_at[number] = time.monotonic()
            self._taken.notify_all()

    def publish(self, topic: str, payload: bytes) -> None:
        self._sent[self._client.publish(topic, payload, qos=1).mid] = (topic, payload)

    def send(self, rows: pl.DataFrame, *, payload: str = "json", pace: float = 0.0) -> None:
        for row in rows.drop("available_at").to_dicts():
            self.publish(f"meters/{row['series_id']}/load", ENCODERS[payload](row))
            if pace:
                time.sleep(pace)

    def repeat(self, *, taken_since: float) -> None:
        with self._taken:
            unsure = [number for number, moment in self._taken_at.items() if moment >= taken_since]
        for number in unsure:
            self.publish(*self._sent[number])

    def finish(self) -> None:
        """Until the broker has taken everything."""
        with self._taken:
            assert self._taken.wait_for(lambda: self._taken_at.keys() >= self._sent.keys(), timeout=60)
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def gateway(broker: Mosquitto) -> Gateway:
    return Gateway(broker)


def listening(folder: Path, broker: Mosquitto, **more: object) -> Listening:
    source = {"kind": "mqtt", "host": "127.0.0.1", "port": broker.port, "topic": "meters/+/load", "max_outage": "PT60S"}
    return Listening.at(folder / "listening", **{**source, **more})


def source_of(broker: Mosquitto, *, stop: threading.Event, **more: Any) -> MqttSource:
    payload = PayloadFormat(readings_format=FileFormat())
    settings: Mapping[str, Any] = {"topic": "meters/+/load", "client_id": "gridcast", "payload": payload, **more}
    return MqttSource(MqttTopic(host="127.0.0.1", port=broker.port, **settings), stop=stop)


@contextlib.contextmanager
def time_limit() -> Iterator[threading.Event]:
    """An event that is set after a minute, or at the end."""
    stop = threading.Event()
    limit = threading.Timer(60, stop.set)
    limit.start()
    try:
        yield stop
    finally:
        limit.cancel()
        stop.set()


def subscribe(broker: Mosquitto, **more: Any) -> None:
    """Have the broker keep messages for the listener from now on."""
    with time_limit() as stop, contextlib.closing(source_of(broker, stop=stop, **more).batches(None)) as batches:
        next(batches)


@pytest.mark.parametrize("payload", ["json", "avro", "arrow"])
def test_readings_of_every_payload_land_as_they_were_sent(
    tmp_path: Path, broker: Mosquitto, gateway: Gateway, payload: str
) -> None:
    place = listening(tmp_path, broker, payload=payload, schema_file="reading.avsc")
    subscribe(broker)
    gateway.send(readings(300), payload=payload)
    gateway.finish()

    heard = place.hear(until=300)

    assert heard == {"source": "meters", "landed": 300, "repeated": 0, "dead": {}}
    assert_frame_equal(in_order(place.landed()), in_order(readings(300)))


def test_a_meter_can_be_named_by_its_topic_and_a_broker_can_speak_the_older_version(
    tmp_path: Path, broker: Mosquitto, gateway: Gateway
) -> None:
    form = {"series_id": None, "valid_time": "t", "load": "kw", "unit": "kW", "text": {"interval": "PT15M"}}
    place = listening(tmp_path, broker, version="3.1.1", time_unit="s", readings_format=form)
    subscribe(broker, version="3.1.1")
    gateway.publish("meters/cellar/load", b'{"t": 1704067200, "kw": 2.5}')
    gateway.finish()

    assert place.hear(until=1)["landed"] == 1
    assert place.landed().rows() == [
        ("cellar", datetime.fromisoformat("2024-01-01T00:00Z"), 0.0025, datetime.fromisoformat("2024-01-01T00:15Z"))
    ]


def test_a_broker_killed_under_load_loses_nothing_and_doubles_nothing(
    tmp_path: Path, broker: Mosquitto, gateway: Gateway
) -> None:
    place, sent = listening(tmp_path, broker), readings(3_000)
    sending = threading.Thread(target=gateway.send, args=(sent,), kwargs={"pace": PACE_SECONDS})
    with place.listener() as listener:
        place.wait_until_known(listener)
        sending.start()
        place.wait_for(500, listener)
        died = time.monotonic()
        broker.kill()
        broker.start()
        sending.join(timeout=60)
        gateway.repeat(taken_since=died - UNSURE_SECONDS)
        gateway.finish()
        place.wait_for(3_000, listener)
        heard = listener.stop()

    assert heard["landed"] == 3_000
    assert heard["repeated"] > 0
    assert_frame_equal(in_order(place.landed()), in_order(sent))


def test_a_listener_killed_under_load_loses_nothing_and_doubles_nothing(
    tmp_path: Path, broker: Mosquitto, gateway: Gateway
) -> None:
    place, sent = listening(tmp_path, broker), readings(3_000)
    subscribe(broker)
    sending = threading.Thread(target=gateway.send, args=(sent,), kwargs={"pace": PACE_SECONDS})
    sending.start()
    for reached in (300, 1_200):
        with place.listener() as listener:
            place.wait_for(reached, listener)
            listener.kill()
    with place.listener() as listener:
        sending.join(timeout=60)
        gateway.finish()
        place.wait_for(3_000, listener)
        listener.stop()

    assert_frame_equal(in_order(place.landed()), in_order(sent))


def test_a_message_that_was_kept_but_not_acknowledged_is_not_handed_over_again(
    broker: Mosquitto, gateway: Gateway
) -> None:
    with time_limit() as stop:
        first = source_of(broker, stop=stop).batches(None)
        next(first)
        there, back = (as_json({**readings(1).row(0, named=True), "load_mw": load}) for load in (1.0, 2.0))
        for payload in (there, back, there):
            gateway.publish("meters/m/load", payload)
        kept = next(first)
        first.close()
        gateway.publish("meters/m/load", as_json({**readings(1).row(0, named=True), "load_mw": 9.0}))
        gateway.finish()

        second = source_of(broker, stop=stop)
        loads = []
        for batch in second.batches(kept.position):
            second.done(batch.position)
            loads += batch.readings["load_mw"].to_list()
            if 9.0 in loads:
                break

    assert [*kept.readings["load_mw"], *loads] == [1.0, 2.0, 1.0, 9.0]


def test_several_blocks_that_were_kept_but_not_acknowledged_are_not_handed_over_again(
    broker: Mosquitto, gateway: Gateway
) -> None:
    def publish(load: float) -> None:
        gateway.publish("meters/m/load", as_json({**readings(1).row(0, named=True), "load_mw": load}))

    with time_limit() as stop:
        first = source_of(broker, stop=stop).batches(None)
        kept = [next(first)]
        for load in (1.0, 2.0, 3.0):
            publish(load)
            kept.append(next(first))
        first.close()
        again = source_of(broker, stop=stop).batches(kept[-1].position)
        kept.append(next(again))
        again.close()
        publish(9.0)
        gateway.finish()

        second = source_of(broker, stop=stop)
        loads = []
        for batch in second.batches(kept[-1].position):
            second.done(batch.position)
            loads += batch.readings["load_mw"].to_list()
            if 9.0 in loads:
                break

    assert [load for batch in kept for load in batch.readings["load_mw"]] == [1.0, 2.0, 3.0]
    assert loads == [9.0]


def test_malformed_messages_are_kept_with_a_reason_and_stop_nobody(
    tmp_path: Path, broker: Mosquitto, gateway: Gateway
) -> None:
    place = listening(tmp_path, broker)
    subscribe(broker)
    gateway.send(readings(1))
    for payload in (b"{oops", b"", b'{"series_id": "a", "valid_time": "2024-01-01T00:00Z", "load_mw": "much"}'):
        gateway.publish("meters/m/load", payload)
    gateway.send(readings(1, first=1))
    gateway.finish()

    heard = place.hear(until=2)

    assert heard["landed"] == 2
    assert heard["dead"] == {"empty_message": 1, "load_not_a_number": 1, "not_json": 1}
    assert set(place.dead_letters()["source"]) == {"meters/m/load"}


def test_a_password_is_taken_from_a_file_and_a_wrong_one_is_told(tmp_path: Path, broker: Mosquitto) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    login = {"username_env": "MQTT_USER", "password_file": str(tmp_path / "password")}
    place = listening(tmp_path, broker, port=broker.locked_port, **login)

    place.connect(env={"MQTT_USER": USER})
    (tmp_path / "password").write_text("guessed")
    told = place.place.run("listen", env={"MQTT_USER": USER}, code=1).stderr

    assert "refused (Not authorized)" in told
    assert "guessed" not in told


@pytest.mark.parametrize(
    ("more", "told"),
    [
        pytest.param({"port": 1, "max_outage": "PT2S"}, "no broker answered", id="nobody"),
        pytest.param({"tls": True, "ca_file": "no.pem"}, "ca_file no.pem", id="no certificates"),
        pytest.param({"host": "nowhere.invalid", "max_outage": "PT2S"}, "no broker answered", id="unknown host"),
    ],
)
def test_a_broker_that_cannot_be_reached_ends_the_listener_with_a_message(
    tmp_path: Path, broker: Mosquitto, more: dict[str, object], told: str
) -> None:
    done = listening(tmp_path, broker, **more).place.run("listen", code=1 if "ca_file" not in more else 2)

    assert told in done.stderr
    assert done.stdout == ""


def test_a_broker_that_does_not_come_back_ends_the_listener_with_a_message(tmp_path: Path, broker: Mosquitto) -> None:
    place = listening(tmp_path, broker, max_outage="PT2S")
    with place.listener() as listener:
        place.wait_until_known(listener)
        broker.kill()
        _, told = listener.process.communicate(timeout=60)

    assert listener.process.returncode == 1
    assert "no broker answered for 0:00:02" in told
    assert "Traceback" not in told
