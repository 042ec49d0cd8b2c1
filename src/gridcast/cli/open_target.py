"""Where `gridcast simulate` sends readings, each kind of place imported only when it is opened."""

import contextlib
import ipaddress
import os
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gridcast.domain.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from gridcast.cli.installation import Installation
    from gridcast.workflows.readings.simulate import Outlet

STDOUT = "-"
LOG = "log"
_PORTS = {"kafka": 9092, "mqtt": 1883}
_BROKER = re.compile(r"(?P<kind>kafka|mqtt)://(?P<hosts>[^/@\s]+)/(?P<topic>[^+#\s]+)")
_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[^:,\[\]]+)(?::(?P<port>\d{1,5}))?")
_EXPECTED = (
    "expected kafka://localhost:9092/topic, mqtt://localhost:1883/topic, folder:path, log (the store of this "
    'installation) or "-" (standard output)'
)


@dataclass(frozen=True, slots=True)
class Target:
    """A place to send to: `hosts` (name, port) and topic of a broker, or `path` of a folder."""

    kind: str
    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""

    @classmethod
    def parse(cls, text: str, *, allow_remote: bool) -> "Target":
        """What --to says.

        Raises:
            UsageError: it says no such place, or one on another machine without --allow-remote.
        """
        if text in {STDOUT, LOG}:
            return cls(text)
        if text.startswith("folder:") and len(text) > len("folder:"):
            return cls("folder", path=text.removeprefix("folder:"))
        found = _BROKER.fullmatch(text)
        hosts = found and [_HOST.fullmatch(each) for each in found["hosts"].split(",")]
        if not found or not hosts or not all(hosts) or (found["kind"] == "mqtt" and len(hosts) > 1):
            raise UsageError(f"--to {text!r} is no place to send to; {_EXPECTED}. Login and TLS are not supported.")
        named = tuple((each["name"].strip("[]"), int(each["port"] or _PORTS[found["kind"]])) for each in hosts if each)
        if not allow_remote:
            require_loopback((name for name, _ in named), where=f"--to {text}")
        return cls(found["kind"], named, found["topic"])


def require_loopback(hosts: "Iterator[str] | Sequence[str]", *, where: str) -> None:
    """Refuse to flood another machine by mistake.

    Raises:
        UsageError: a host is not this machine.
    """
    remote = [each for each in hosts if not _is_loopback(each)]
    if remote:
        raise UsageError(
            f"{where}: {remote[0]} is not this machine; expected localhost, as made-up readings do harm where real "
            "ones are. Give --allow-remote if you mean it."
        )


@contextlib.contextmanager
def opened(
    target: Target, here: "Installation", *, per_message: int, allow_remote: bool, stop: threading.Event
) -> Iterator["Outlet"]:
    """The place, closed afterwards.

    Raises:
        GridcastError: it cannot be reached or written to.
    """
    match target.kind:
        case "kafka":
            from gridcast.ingestion.connectors.kafka_sender import KafkaAddress, KafkaSender

            servers = ",".join(f"[{name}]:{port}" if ":" in name else f"{name}:{port}" for name, port in target.hosts)
            kafka = KafkaSender(KafkaAddress(servers, target.path), per_message=per_message)
            if not allow_remote:
                require_loopback(kafka.brokers, where=f"kafka {servers} sends clients on to its brokers")
            with contextlib.closing(kafka):
                yield kafka
        case "mqtt":
            from gridcast.ingestion.connectors.mqtt_sender import MqttAddress, MqttSender

            address = MqttAddress(*target.hosts[0], target.path)
            with contextlib.closing(MqttSender(address, per_message=per_message)) as mqtt:
                yield mqtt
        case "folder":
            from gridcast.ingestion.connectors.drop_sender import DropSender

            yield DropSender(Path(target.path))
        case "log":
            with _log(here) as outlet:
                yield outlet
        case _:
            yield StandardOutput(stop)


@contextlib.contextmanager
def _log(here: "Installation") -> Iterator["Outlet"]:
    from gridcast.domain.tables import SIMULATED
    from gridcast.ingestion.locks import reading_alone
    from gridcast.workflows.readings.listen import LogKeeper
    from gridcast.workflows.readings.simulate import LogOutlet

    raw = here.workspace.raw
    with reading_alone(raw, source=SIMULATED), here.store() as store:
        yield LogOutlet(LogKeeper(store, raw, SIMULATED), clock=lambda: datetime.now(UTC))


class StandardOutput:
    """JSON lines on standard output; sets `stop` when nobody reads them any more."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def send(self, readings: "pl.DataFrame", poison: Sequence[bytes]) -> None:
        """Write a line for each."""
        with self._while_read():
            sys.stdout.buffer.write(readings.write_ndjson().encode())
            sys.stdout.buffer.writelines(line + b"\n" for line in poison)
            sys.stdout.buffer.flush()

    def finish(self) -> None:
        """Nothing: all is written."""

    @contextlib.contextmanager
    def _while_read(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            self._stop.set()
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.casefold() == "localhost"
