"""`gridcast stream` as a process, and what it reads from a topic of a Kafka broker."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import polars as pl
from support.installation import GRIDCAST, Place
from support.kafka import Broker
from support.listening import as_json

_PATIENCE_SECONDS = 240
_SOURCE = """
  scada:
    kind: kafka
    bootstrap_servers: {address}
    topic: {topic}
    readings_format: {{received: received}}
stream: {{parts: 2, deadline: P1D}}
"""


def listening(place: Place, folder: Path, broker: Broker, *, topic: str, partitions: int = 2) -> Place:
    """A copy of an installation that listens to a topic, which is made; more than one partition keeps no order."""
    copy = Place(Path(shutil.copytree(place.directory, folder)))
    config = copy.directory / "config" / "pipeline_config.yaml"
    before, after = config.read_text().split("calendar:")
    source = _SOURCE.format(address=broker.address, topic=topic)
    config.write_text(before.rstrip() + source + "calendar:" + after)
    broker.create(topic, partitions=partitions)
    return copy


def as_messages(rows: pl.DataFrame) -> list[bytes]:
    """One for each of some readings, which tells when it was received."""
    return [
        as_json({**row, "received": row["received"].isoformat()})
        for row in rows.rename({"available_at": "received"}).to_dicts()
    ]


def publish(broker: Broker, topic: str, contents: Sequence[bytes]) -> None:
    """Hand messages to the broker, and wait until it has them."""
    producer = broker.producer()
    for each in contents:
        producer.produce(topic, each)
    assert producer.flush(60) == 0


@contextlib.contextmanager
def streaming(place: Place, options: Sequence[str], *, url: str | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A stream into the data folder or a database, killed afterwards with the job server that it has started."""
    with (place.directory / "stream.log").open("ab") as log:
        process = subprocess.Popen(
            [GRIDCAST, "stream", *options],
            cwd=place.directory,
            env=place.environment({} if url is None else {"GRIDCAST_STORE_URL": url}),
            stderr=log,
            stdout=log,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until(is_so: Callable[[], bool], process: subprocess.Popen[bytes] | None, place: Place) -> None:
    """The stream, if one is given, must be alive until then."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not is_so():
        told = (place.directory / "stream.log").read_text(errors="replace")[-3000:]
        assert process is None or process.poll() is None, told
        assert time.monotonic() < deadline, told
        time.sleep(0.1)
