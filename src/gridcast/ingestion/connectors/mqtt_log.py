"""Readings from an MQTT broker: a message is acknowledged only once the store has it."""

import contextlib
import hashlib
import json
import logging
import queue
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal

import tenacity
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.ingestion.connectors.payload import Message, PayloadFormat, read_messages
from gridcast.ingestion.source import Batch

_LOG: Final = logging.getLogger(__name__)
_PAUSE_SECONDS: Final = 0.2
_TEMPORARY: Final = frozenset({"Server unavailable", "Server busy", "Connection rate exceeded", "Quota exceeded"})
_TAKEN_OVER: Final = "Session taken over"
_REMEMBERED: Final = 20_000
"""How many acknowledged messages are known again when the broker sends them anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttTopic:
    """A topic filter, how to reach its broker, and how much is read at a time.

    The broker keeps messages for `client_id` while nobody listens, for `session_expiry` (MQTT 5) or as long as it likes
    (3.1.1). `max_outage`: how long it may be away. `max_unacknowledged`: how many it may send ahead (MQTT 5).
    """

    host: str
    port: int
    topic: str
    client_id: str
    payload: PayloadFormat
    version: Literal["5", "3.1.1"] = "5"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: str | None = None
    session_expiry: timedelta = timedelta(days=7)
    max_outage: timedelta = timedelta(minutes=5)
    max_unacknowledged: int = 1_000
    keepalive: timedelta = timedelta(seconds=30)


class MqttSource:
    """A live source with one persistent session.

    The broker sends again what it has no acknowledgement for. Such messages are known by their number and content:
    while they wait to be kept they are skipped, and once they are kept they are acknowledged again. A number means
    nothing beyond its connection: what came before the present one is acknowledged only when it was sent again.
    """

    def __init__(self, topic: MqttTopic, *, stop: threading.Event) -> None:
        self._topic = topic
        self._stop = stop
        self._arrived: queue.Queue[MQTTMessage] = queue.Queue(maxsize=2 * topic.max_unacknowledged)
        self._waiting: dict[str, int] = {}
        self._connections = 0
        self._kept: dict[str, None] = {}
        self._handed_over: deque[str] = deque(maxlen=2 * topic.max_unacknowledged)
        self._is_subscribed = threading.Event()
        self._refusal: str | None = None
        self._away_since: float | None = time.monotonic()
        self._client = _client(topic)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    def batches(self, position: str | None) -> Iterator[Batch]:
        """Blocks of messages; a block's position names its messages and those before it that may come again.

        The first block, without rows, says that the subscription is there.

        Raises:
            GridcastError: the broker stays away or refuses.
        """
        before, last = _marks(position)
        self._remember(before + last)
        self._handed_over.clear()
        self._handed_over.extend(before + last)
        self._connect()
        self._client.loop_start()
        try:
            is_told = False
            while not self._stop.is_set():
                self._require_connection()
                if self._is_subscribed.is_set() and not is_told:
                    is_told = True
                    yield Batch.of(position=self._position([]))
                messages = self._arrivals()
                if messages:
                    rows, dead = read_messages([self._message(each) for each in messages], payload=self._topic.payload)
                    marks = [_mark(each) for each in messages if each.qos]
                    yield Batch.of(position=self._position(marks), readings=rows, dead=dead)
        finally:
            self._client.disconnect()
            self._client.loop_stop()

    def done(self, position: str) -> None:
        """Acknowledge the messages of the batch."""
        _, marks = _marks(position)
        self._remember(marks)
        for mark in marks:
            if self._waiting.pop(mark, None) == self._connections:
                self._client.ack(_number(mark), 1)

    def _arrivals(self) -> list[MQTTMessage]:
        """What has arrived; waits a moment for the first message, not for more."""
        messages: list[MQTTMessage] = []
        try:
            messages.append(self._arrived.get(timeout=_PAUSE_SECONDS))
            while len(messages) < self._topic.max_unacknowledged:
                messages.append(self._arrived.get_nowait())
        except queue.Empty:
            pass
        return messages

    def _message(self, message: MQTTMessage) -> Message:
        return Message(bytes(message.payload), _series_name(message.topic, pattern=self._topic.topic), message.topic)

    def _position(self, marks: list[str]) -> str:
        """Names the messages of a block, and as many before them as the broker may not know to be kept."""
        position = json.dumps({"before": list(self._handed_over), "last": marks})
        self._handed_over.extend(marks)
        return position

    def _remember(self, marks: list[str]) -> None:
        for mark in marks:
            self._kept.pop(mark, None)
        self._kept |= dict.fromkeys(marks)
        for mark in list(self._kept)[: max(0, len(self._kept) - _REMEMBERED)]:
            del self._kept[mark]

    def _on_message(self, client: Client, _: Any, message: MQTTMessage) -> None:
        mark = _mark(message)
        if message.dup and mark in self._kept:
            client.ack(message.mid, message.qos)
            return
        if message.qos:
            is_in_hand = mark in self._waiting
            self._waiting[mark] = self._connections
            if is_in_hand:
                return
        is_in = False
        while not is_in and not self._stop.is_set():
            with contextlib.suppress(queue.Full):
                self._arrived.put(message, timeout=_PAUSE_SECONDS)
                is_in = True

    def _on_connect(
        self, client: Client, _: Any, flags: ConnectFlags, reason: ReasonCode, __: Properties | None
    ) -> None:
        if not reason.is_failure:
            self._away_since = None
            self._connections += 1
            if not flags.session_present:
                self._waiting.clear()
            client.subscribe(self._topic.topic, qos=1)
        elif reason.getName() not in _TEMPORARY:
            self._refusal = reason.getName()

    def _on_subscribe(self, _: Client, __: Any, ___: int, reasons: list[ReasonCode], ____: Properties | None) -> None:
        refused = [reason.getName() for reason in reasons if reason.is_failure]
        self._is_subscribed.set()
        self._refusal = f"subscription: {refused[0]}" if refused else self._refusal

    def _on_disconnect(self, _: Client, __: Any, ___: Any, reason: ReasonCode, ____: Properties | None) -> None:
        self._away_since = self._away_since or time.monotonic()
        if reason.getName() == _TAKEN_OVER:
            self._refusal = f"{_TAKEN_OVER}: another client uses client_id {self._topic.client_id!r}"

    def _connect(self) -> None:
        topic = self._topic
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_pass),
            wait=tenacity.wait_exponential_jitter(multiplier=0.2, max=5, jitter=0.2),
            stop=tenacity.stop_any(
                tenacity.stop_after_delay(topic.max_outage), tenacity.stop_when_event_set(self._stop)
            ),
            sleep=tenacity.sleep_using_event(self._stop),
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            retrying(
                self._client.connect,
                topic.host,
                topic.port,
                int(topic.keepalive.total_seconds()),
                **_session(topic),
            )
        except OSError as error:
            if self._stop.is_set():
                return
            if _may_pass(error):
                raise self._away(str(error)) from error
            raise self._refused(str(error)) from error

    def _tell(self, state: tenacity.RetryCallState) -> None:
        if state.attempt_number == 1:
            _LOG.warning("%s: no answer, waiting up to %s", self._where, self._topic.max_outage)

    def _require_connection(self) -> None:
        if self._refusal is not None:
            raise self._refused(self._refusal)
        if (
            self._away_since is not None
            and time.monotonic() - self._away_since > self._topic.max_outage.total_seconds()
        ):
            raise self._away("connection lost")

    def _away(self, told: str) -> GridcastError:
        return GridcastError(
            f"{self._where}: no broker answered for {self._topic.max_outage} ({told}); expected one. Start it, or mend "
            "host and port of the source, and run the command again: it goes on where it ended."
        )

    def _refused(self, told: str) -> GridcastError:
        return GridcastError(
            f"{self._where}: refused ({told}); expected a topic that may be read. Mend the topic, client_id, the "
            "credentials or the certificates of the source."
        )

    @property
    def _where(self) -> str:
        return f"mqtt {self._topic.host}:{self._topic.port}, topic {self._topic.topic!r}"


def _client(topic: MqttTopic) -> Client:
    version = MQTTProtocolVersion.MQTTv5 if topic.version == "5" else MQTTProtocolVersion.MQTTv311
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=topic.client_id,
        clean_session=None if topic.version == "5" else False,
        protocol=version,
        manual_ack=True,
    )
    client.reconnect_delay_set(min_delay=1, max_delay=8)
    client.username_pw_set(topic.username, topic.password)
    if topic.tls:
        try:
            client.tls_set(ca_certs=topic.ca_file)
        except OSError as error:
            raise UsageError(f"mqtt {topic.host}: ca_file {topic.ca_file}: {error}; expected certificates.") from error
    return client


def _session(topic: MqttTopic) -> dict[str, Any]:
    """What asks the broker to keep the session, in words of the protocol's version."""
    if topic.version != "5":
        return {}
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = int(topic.session_expiry.total_seconds())
    properties.ReceiveMaximum = topic.max_unacknowledged
    return {"clean_start": False, "properties": properties}


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, OSError) and not isinstance(error, ssl.SSLError)


def _mark(message: MQTTMessage) -> str:
    """Number and content of a message: what the broker sends again has the same."""
    content = hashlib.blake2b(message.topic.encode() + b"\0" + message.payload, digest_size=8)
    return f"{message.mid}:{content.hexdigest()}"


def _marks(position: str | None) -> tuple[list[str], list[str]]:
    """Marks of the messages before the last block, and of its own."""
    read = [] if position is None else json.loads(position)
    return ([], read) if isinstance(read, list) else (read["before"], read["last"])


def _number(mark: str) -> int:
    return int(mark.partition(":")[0])


def _series_name(topic: str, *, pattern: str) -> str:
    """The level of the topic that the pattern's first + stands for, else the last one.

    >>> _series_name("meters/m7/load", pattern="meters/+/load")
    'm7'
    >>> _series_name("meters/north/m7", pattern="meters/#")
    'm7'
    """
    wanted = pattern.split("/")
    wanted = wanted[2:] if wanted[0] == "$share" else wanted
    levels = topic.split("/")
    return levels[wanted.index("+")] if "+" in wanted else levels[-1]
