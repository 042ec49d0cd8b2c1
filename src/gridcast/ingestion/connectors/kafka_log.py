"""Readings from a Kafka topic: read by offsets that the store keeps, waiting for brokers that are away."""

import functools
import json
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal, TypeAlias, TypeVar

import tenacity
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from gridcast.domain.errors import GridcastError
from gridcast.ingestion.connectors.payload import Message, PayloadFormat, read_messages
from gridcast.ingestion.source import Batch

Offsets: TypeAlias = dict[int, int]
"""Partition → the next offset to read."""

Result = TypeVar("Result")

_LOG: Final = logging.getLogger(__name__)
_ANSWER_SECONDS: Final = 3.0
_LOST: Final = frozenset({"_AUTO_OFFSET_RESET", "OFFSET_OUT_OF_RANGE"})
_REFUSED: Final = frozenset(
    {"_AUTHENTICATION", "_INVALID_ARG", "_SSL", "SASL_AUTHENTICATION_FAILED", "TOPIC_AUTHORIZATION_FAILED"}
)
_UNKNOWN_TOPIC: Final = "UNKNOWN_TOPIC_OR_PART"
"""A wrong name at first, a broker that is just starting later on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaTopic:
    """A topic, how to reach it, and how much is read at a time.

    `start`: where the first run begins. `on_lost`: what to do when messages that were not read are gone from the topic.
    `max_outage`: how long brokers may be away. A block has at most `max_messages` and waits `linger` for more.
    """

    bootstrap_servers: str
    topic: str
    payload: PayloadFormat
    start: Literal["earliest", "latest"] = "earliest"
    on_lost: Literal["stop", "continue"] = "stop"
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    max_outage: timedelta = timedelta(minutes=5)
    max_messages: int = 5_000
    linger: timedelta = timedelta(milliseconds=500)
    rediscover_after: timedelta = timedelta(seconds=30)


class KafkaSource:
    """A live source. Partitions are assigned, not subscribed to: only the store says what was read."""

    def __init__(self, topic: KafkaTopic, *, stop: threading.Event) -> None:
        self._topic = topic
        self._stop = stop
        self._trouble: KafkaError | None = None
        self._is_reading = False

    def batches(self, position: str | None) -> Iterator[Batch]:
        """Blocks of messages with the offsets behind them; the first, without rows, says that reading begins.

        Raises:
            GridcastError: brokers stay away or refuse, or messages are gone that were not read.
        """
        consumer = None
        try:
            consumer = Consumer(_settings(self._topic) | {"error_cb": self._note})
            yield from self._blocks(consumer, {} if position is None else _offsets(position))
        except KafkaException as error:
            if not self._stop.is_set():
                raise self._failure(error.args[0]) from error
        finally:
            if consumer is not None:
                consumer.close()

    def done(self, position: str) -> None:
        """Nothing: the broker keeps no account of what was read."""

    def _blocks(self, consumer: Consumer, offsets: Offsets) -> Iterator[Batch]:
        next_look = -math.inf
        while not self._stop.is_set():
            if self._trouble is not None or time.monotonic() > next_look:
                if self._assign_new(consumer, offsets) or not self._is_reading:
                    yield Batch.of(position=_text(offsets))
                self._trouble, self._is_reading = None, True
                next_look = time.monotonic() + self._topic.rediscover_after.total_seconds()
            messages = consumer.consume(self._topic.max_messages, self._topic.linger.total_seconds())
            good = [message for message in messages if self._is_good(message, consumer, offsets)]
            if good:
                offsets |= {_partition(message): _offset(message) + 1 for message in good}
                rows, dead = read_messages([_message(each) for each in good], payload=self._topic.payload)
                yield Batch.of(position=_text(offsets), readings=rows, dead=dead)

    def _assign_new(self, consumer: Consumer, offsets: Offsets) -> bool:
        """Have the consumer read every partition, those that are new from their start; whether there were any."""
        partitions = self._patiently(consumer, lambda: self._partitions(consumer))
        for gone in sorted(offsets.keys() - partitions):
            if self._topic.on_lost == "stop":
                raise self._gone(gone, offsets)
            del offsets[gone]
        start = "earliest" if offsets else self._topic.start
        new = {
            each: self._patiently(consumer, functools.partial(self._edge, consumer, each, start))
            for each in sorted(partitions - offsets.keys())
        }
        offsets |= new
        if new or not consumer.assignment():
            consumer.assign([TopicPartition(self._topic.topic, each, offset) for each, offset in offsets.items()])
        return bool(new)

    def _partitions(self, consumer: Consumer) -> set[int]:
        found = consumer.list_topics(self._topic.topic, timeout=_ANSWER_SECONDS).topics[self._topic.topic]
        if found.error is not None:
            raise KafkaException(found.error)
        return set(found.partitions)

    def _edge(self, consumer: Consumer, partition: int, start: Literal["earliest", "latest"]) -> int:
        low, high = consumer.get_watermark_offsets(
            TopicPartition(self._topic.topic, partition), timeout=_ANSWER_SECONDS
        )
        return int(low if start == "earliest" else high)

    def _is_good(self, message: KafkaMessage, consumer: Consumer, offsets: Offsets) -> bool:
        """Whether it is a message; what the consumer reports in place of one is dealt with."""
        error = message.error()
        if error is None:
            return True
        topic, partition = self._topic.topic, _partition(message)
        if error.name() in _LOST and self._topic.on_lost == "continue":
            oldest = self._patiently(consumer, lambda: self._edge(consumer, partition, "earliest"))
            _LOG.warning("kafka %s[%d]: messages from %d to %d are gone", topic, partition, offsets[partition], oldest)
            offsets[partition] = oldest
            consumer.unassign()
            self._note(error)
        elif error.name() in _LOST:
            raise self._gone(partition, offsets)
        else:
            self._note(error)
        return False

    def _note(self, error: KafkaError) -> None:
        if self._trouble is None or self._trouble.name() not in _REFUSED:
            self._trouble = error

    def _patiently(self, consumer: Consumer, ask: Callable[[], Result]) -> Result:
        """The answer of a broker, asked again while none can be reached.

        Raises:
            KafkaException: none answered in time, or one refused.
        """

        def once() -> Result:
            try:
                return ask()
            finally:
                if not consumer.assignment():
                    consumer.poll(0)

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._may_pass),
            wait=tenacity.wait_exponential_jitter(multiplier=0.2, max=5, jitter=0.2),
            stop=tenacity.stop_any(
                tenacity.stop_after_delay(self._topic.max_outage), tenacity.stop_when_event_set(self._stop)
            ),
            sleep=tenacity.sleep_using_event(self._stop),
            before_sleep=self._tell,
            reraise=True,
        )
        return retrying(once)

    def _may_pass(self, error: BaseException) -> bool:
        return isinstance(error, KafkaException) and not any(map(self._is_refusal, (error.args[0], self._trouble)))

    def _is_refusal(self, error: KafkaError | None) -> bool:
        name = None if error is None else error.name()
        return name in _REFUSED or (name == _UNKNOWN_TOPIC and not self._is_reading)

    def _tell(self, state: tenacity.RetryCallState) -> None:
        if state.attempt_number == 1:
            _LOG.warning("kafka %s: no answer, waiting up to %s", self._topic.bootstrap_servers, self._topic.max_outage)

    def _failure(self, error: KafkaError) -> GridcastError:
        refused = next((each for each in (self._trouble, error) if each and self._is_refusal(each)), None)
        where = f"kafka {self._topic.bootstrap_servers}, topic {self._topic.topic!r}"
        if refused is None:
            return GridcastError(
                f"{where}: no broker answered for {self._topic.max_outage} ({error.str()}); expected one. Start "
                "it, or mend bootstrap_servers of the source, and run the command again: it goes on where it ended."
            )
        return GridcastError(
            f"{where}: refused ({refused.str()}); expected a topic that may be read. Mend the topic, the "
            "credentials or the certificates of the source."
        )

    def _gone(self, partition: int, offsets: Offsets) -> GridcastError:
        return GridcastError(
            f"kafka topic {self._topic.topic!r}, partition {partition}: offset {offsets[partition]}, the next to be "
            "read, is not there; expected messages to be kept until they are read. Lengthen the topic's retention, and "
            "set on_lost: continue in the source to go on with the oldest that is left."
        )


def _settings(topic: KafkaTopic) -> dict[str, Any]:
    wanted = {
        "bootstrap.servers": topic.bootstrap_servers,
        "client.id": "gridcast",
        "group.id": "gridcast",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "isolation.level": "read_committed",
        "log_level": 0,
        "reconnect.backoff.max.ms": 5_000,
        "security.protocol": topic.security_protocol,
        "sasl.mechanism": topic.sasl_mechanism if topic.security_protocol.startswith("SASL") else None,
        "sasl.username": topic.username,
        "sasl.password": topic.password,
        "ssl.ca.location": topic.ca_file,
        "ssl.certificate.location": topic.certificate_file,
        "ssl.key.location": topic.key_file,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _message(message: KafkaMessage) -> Message:
    key = message.key() or b""
    place = f"{message.topic()}[{message.partition()}]@{message.offset()}"
    return Message(_bytes(message.value()), _bytes(key).decode("utf-8", errors="backslashreplace"), place)


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


def _partition(message: KafkaMessage) -> int:
    partition = message.partition()
    return -1 if partition is None else partition


def _offset(message: KafkaMessage) -> int:
    offset = message.offset()
    return -1 if offset is None else offset


def _offsets(position: str) -> Offsets:
    return {int(partition): int(offset) for partition, offset in json.loads(position).items()}


def _text(offsets: Offsets) -> str:
    return json.dumps({str(partition): offset for partition, offset in sorted(offsets.items())})
