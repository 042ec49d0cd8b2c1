"""Readings sent to a Kafka topic."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from gridcast.domain.errors import GridcastError
from gridcast.ingestion.connectors.message_writing import json_messages

_ANSWER_SECONDS: Final = 10.0
_DELIVERY_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class KafkaAddress:
    """Servers (`host:port`, separated by commas) and the topic to write to."""

    servers: str
    topic: str

    def __str__(self) -> str:
        return f"kafka {self.servers}, topic {self.topic!r}"


class KafkaSender:
    """Sends messages of `per_message` readings each; a message of one reading has its series as key.

    Raises:
        GridcastError: no broker answers, or the topic is not there.
    """

    def __init__(self, address: KafkaAddress, *, per_message: int) -> None:
        self._address = address
        self._per_message = per_message
        self._failure: KafkaError | None = None
        self._producer = Producer(
            {
                "bootstrap.servers": address.servers,
                "client.id": "gridcast-simulate",
                "enable.idempotence": True,
                "delivery.timeout.ms": _DELIVERY_SECONDS * 1_000,
                "linger.ms": 5,
                "log_level": 0,
            }
        )
        self.brokers = self._look()

    def send(self, readings: pl.DataFrame, poison: Sequence[bytes]) -> None:
        """Hand messages over to the broker; waits while it has too many in hand.

        Raises:
            GridcastError: one of those before was not taken.
        """
        keys = readings["series_id"] if self._per_message == 1 else None
        for number, message in enumerate(json_messages(readings, size=self._per_message)):
            self._produce(message, key=None if keys is None else keys[number])
        for message in poison:
            self._produce(message, key=None)
        self._producer.poll(0)
        self._require_taken()

    def finish(self) -> None:
        """Wait until the broker has taken everything.

        Raises:
            GridcastError: it did not.
        """
        left = self._producer.flush(_DELIVERY_SECONDS + 1)
        self._require_taken()
        if left:
            raise GridcastError(f"{self._address}: {left:,} messages were not taken; expected a broker that answers.")

    def close(self) -> None:
        """Forget what was not taken."""
        self._producer.purge()

    def _look(self) -> tuple[str, ...]:
        """Hosts of the brokers that messages will go to."""
        try:
            found = self._producer.list_topics(self._address.topic, timeout=_ANSWER_SECONDS)
        except KafkaException as error:
            raise GridcastError(
                f"{self._address}: no broker answered ({error.args[0].str()}); expected one. Start it, or mend --to."
            ) from error
        told = found.topics[self._address.topic].error
        if told is not None:
            raise GridcastError(
                f"{self._address}: refused ({told.str()}); expected a topic that may be written to. "
                "Create it, or mend --to."
            )
        return tuple(sorted(broker.host for broker in found.brokers.values()))

    def _produce(self, content: bytes, *, key: str | None) -> None:
        while True:
            try:
                self._producer.produce(self._address.topic, content, key=key, on_delivery=self._note)
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def _note(self, error: KafkaError | None, _: Message) -> None:
        self._failure = self._failure or error

    def _require_taken(self) -> None:
        if self._failure is not None:
            raise GridcastError(
                f"{self._address}: a message was not taken ({self._failure.str()}); expected a broker that takes it. "
                "Mend the broker and run the command again."
            )
