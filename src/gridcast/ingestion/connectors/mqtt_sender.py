"""Readings sent to an MQTT topic."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
from paho.mqtt.client import Client, ConnectFlags
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gridcast.domain.errors import GridcastError
from gridcast.ingestion.connectors.message_writing import json_messages

_ANSWER_SECONDS: Final = 10.0
_OUTAGE_SECONDS: Final = 60.0
_IN_HAND: Final = 1_000
"""Messages that the broker may have without having acknowledged them."""


@dataclass(frozen=True, slots=True)
class MqttAddress:
    """A broker and the topic to publish to."""

    host: str
    port: int
    topic: str

    def __str__(self) -> str:
        return f"mqtt {self.host}:{self.port}, topic {self.topic!r}"


class MqttSender:
    """Publishes messages of `per_message` readings each, at least once.

    Raises:
        GridcastError: no broker answers, or it refuses.
    """

    def __init__(self, address: MqttAddress, *, per_message: int) -> None:
        self._address = address
        self._per_message = per_message
        self._in_hand = 0
        self._changed = threading.Condition()
        self._answer: ReasonCode | None = None
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.max_inflight_messages_set(_IN_HAND)
        self._client.reconnect_delay_set(min_delay=1, max_delay=8)
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish
        self._connect()

    def send(self, readings: pl.DataFrame, poison: Sequence[bytes]) -> None:
        """Publish messages; waits while the broker has too many in hand.

        Raises:
            GridcastError: it acknowledges nothing any more.
        """
        for message in (*json_messages(readings, size=self._per_message), *poison):
            self._wait_for_at_most(_IN_HAND - 1)
            with self._changed:
                self._in_hand += 1
            self._client.publish(self._address.topic, message, qos=1)

    def finish(self) -> None:
        """Wait until the broker has acknowledged everything.

        Raises:
            GridcastError: it did not.
        """
        self._wait_for_at_most(0)

    def close(self) -> None:
        """End the connection."""
        self._client.disconnect()
        self._client.loop_stop()

    def _connect(self) -> None:
        try:
            self._client.connect(self._address.host, self._address.port)
        except OSError as error:
            raise GridcastError(
                f"{self._address}: no broker answered ({error}); expected one. Start it, or mend --to."
            ) from error
        self._client.loop_start()
        with self._changed:
            self._changed.wait_for(lambda: self._answer is not None, timeout=_ANSWER_SECONDS)
        if self._answer is None or self._answer.is_failure:
            self.close()
            raise GridcastError(
                f"{self._address}: refused ({self._answer or 'no answer'}); expected a broker that anybody may publish "
                "to. Open a listener for the simulation, or mend --to."
            )

    def _wait_for_at_most(self, count: int) -> None:
        with self._changed:
            while self._in_hand > count:
                before = self._in_hand
                if not self._changed.wait(_OUTAGE_SECONDS) and self._in_hand >= before:
                    raise GridcastError(
                        f"{self._address}: nothing was acknowledged for {_OUTAGE_SECONDS:.0f} s, {before:,} messages "
                        "are in hand; expected a broker that answers. Mend the broker and run the command again."
                    )

    def _on_connect(self, _: Client, __: Any, ___: ConnectFlags, reason: ReasonCode, ____: Properties | None) -> None:
        with self._changed:
            self._answer = reason
            self._changed.notify_all()

    def _on_publish(self, _: Client, __: Any, ___: int, ____: ReasonCode, _____: Properties) -> None:
        with self._changed:
            self._in_hand -= 1
            self._changed.notify_all()
