"""`python -m benchmarks.stream.runner`: the stream on a Beam runner under a steady load, Kafka in and PostgreSQL out.

Broker, runner (Prism, Beam's own portable one), database, sender and worker share this machine. For every forecast:
how long ago the message with the last reading it had been waiting for was published. The ratio is the 95th percentile
of that in seconds. `sustained` tells whether the last forecast was there as soon as any other: if not, the rate is more
than the runner takes here.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer

from benchmarks.stream.installation import GRIDCAST, build
from benchmarks.stream.process import await_that, require_alive, streaming
from gridcast.store.store import Store

sys.path.append(str(Path(__file__).parents[2] / "tests"))

TARGET_S = 5.0
FEEDERS, RATE, SECONDS = 100, 1_000, 180
QUICK = (4, 40, 15)
READING_INTERVAL = timedelta(minutes=1)
_TOPIC = "readings"
_LOOK_SECONDS = 0.02
_START_SECONDS, _DRAIN_SECONDS = 180.0, 120.0
_LIVE = """
  live:
    kind: kafka
    bootstrap_servers: {address}
    topic: {topic}
    readings_format: {{received: available_at}}
stream: {{parts: {parts}}}
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream.runner", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few feeders for some seconds: does it run?")
    parser.add_argument("--feeders", type=int, default=FEEDERS)
    parser.add_argument("--rate", type=int, default=RATE, help="readings a second")
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--parts", type=int, default=2, help="parts of the series that keep a state of their own")
    asked = parser.parse_args()
    sizes = QUICK if asked.quick else (asked.feeders, asked.rate, asked.seconds)
    with tempfile.TemporaryDirectory() as folder:
        result = _result(Path(folder), *sizes, parts=asked.parts, quick=asked.quick)
    sys.stdout.write(json.dumps(result) + "\n")


def _result(folder: Path, feeders: int, rate: int, seconds: int, *, parts: int, quick: bool) -> dict[str, Any]:
    from support.kafka import running_broker
    from support.postgres import running_postgres
    from support.prism import running_prism

    for name in ("kafka", "prism"):
        (folder / name).mkdir()
    with (
        running_broker(folder / "kafka") as broker,
        running_prism(folder / "prism") as runner,
        running_postgres() as server,
    ):
        broker.create(_TOPIC)
        live = _LIVE.format(address=broker.address, topic=_TOPIC, parts=parts)
        place = build(folder / "place", feeders=feeders, quick=quick, live=live)
        url = server.new_database()
        with contextlib.closing(Store.open(url)) as store, _streaming(place, runner=runner, url=url) as stream:
            begun = _send(place, broker.address, "--rate", "0", "--rounds", "60")
            await_that(lambda: store.newest_issue_time() is not None, stream, look=_LOOK_SECONDS, within=_START_SECONDS)
            with _published(broker.address) as published:
                sender = subprocess.Popen(
                    _simulate(
                        broker.address, "--rate", str(rate), "--for", f"PT{seconds}S", "--start", begun["next_start"]
                    ),
                    cwd=place,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                seen = _seen(store, stream, sender)
                said = json.loads(sender.communicate()[0])
                last = datetime.fromisoformat(said["next_start"]).replace(minute=0, second=0)
                seen += _seen_until(store, stream, last)
        latencies = [(at - published.complete_at(issue_time)).total_seconds() for issue_time, at in seen]
    p95 = float(np.percentile(latencies, 95))
    missed = {
        f"{p95:.2f} s > {TARGET_S} s until a forecast is visible": p95 > TARGET_S,
        f"{said['rate']:.0f} < {rate} readings/s": said["rate"] < 0.97 * rate,
    }
    return {
        "name": "stream.runner",
        "ratio": round(p95 / TARGET_S, 3),
        "target": 1.0,
        "ok": quick or not any(missed.values()),
        "missed": [] if quick else [what for what, is_missed in missed.items() if is_missed],
        "sustained": latencies[-1] <= max(p95, TARGET_S),
        "p50_s": round(float(np.percentile(latencies, 50)), 3),
        "p95_s": round(p95, 3),
        "last_s": round(latencies[-1], 3),
        "forecasts": len(latencies),
        "feeders": feeders,
        "parts": parts,
        "readings_per_s": round(said["rate"]),
        "readings": said["sent"],
        "cores": os.cpu_count(),
    }


class _Published:
    """When the messages of the topic were published, and from which interval on they hold readings."""

    def __init__(self) -> None:
        self._messages: list[tuple[datetime, datetime]] = []

    def add(self, content: bytes, *, at: datetime) -> None:
        """Take a message, JSON lines, into account."""
        first = min(json.loads(line)["valid_time"] for line in content.splitlines())
        self._messages.append((datetime.fromisoformat(first), at))

    def complete_at(self, issue_time: datetime) -> datetime:
        """When the last message with readings from before an issue time was published."""
        return max(at for first, at in self._messages if first < issue_time)


@contextlib.contextmanager
def _published(address: str) -> Iterator[_Published]:
    consumer = Consumer({"bootstrap.servers": address, "group.id": "benchmark", "auto.offset.reset": "earliest"})
    consumer.subscribe([_TOPIC])
    found, is_over = _Published(), threading.Event()

    def read() -> None:
        while not is_over.is_set():
            message = consumer.poll(0.1)
            if message is None or message.error():
                continue
            kind, milliseconds = message.timestamp()
            if kind != TIMESTAMP_NOT_AVAILABLE:
                found.add(message.value(), at=datetime.fromtimestamp(milliseconds / 1000, UTC))

    thread = threading.Thread(target=read, name="published")
    thread.start()
    try:
        yield found
    finally:
        is_over.set()
        thread.join()
        consumer.close()


def _seen(
    store: Store, stream: subprocess.Popen[Any], sender: subprocess.Popen[str]
) -> list[tuple[datetime, datetime]]:
    """Issue times and when each was the newest, until the sender has ended."""
    found, before = [], store.newest_issue_time()
    while sender.poll() is None:
        newest, now = store.newest_issue_time(), datetime.now(UTC)
        if newest is not None and newest != before:
            found.append((newest, now))
            before = newest
        require_alive(stream)
        time.sleep(_LOOK_SECONDS)
    return found


def _seen_until(store: Store, stream: subprocess.Popen[Any], last: datetime) -> list[tuple[datetime, datetime]]:
    """When the last issue time was there, which had not been."""
    if store.newest_issue_time() == last:
        return []
    await_that(lambda: store.newest_issue_time() == last, stream, look=_LOOK_SECONDS, within=_DRAIN_SECONDS)
    return [(last, datetime.now(UTC))]


def _simulate(address: str, *more: str) -> list[str]:
    to = f"kafka://{address}/{_TOPIC}"
    length = f"PT{READING_INTERVAL // timedelta(minutes=1)}M"
    return [str(GRIDCAST), "simulate", "--to", to, "--reading-interval", length, *more, "--format", "json"]


def _send(place: Path, address: str, *more: str) -> dict[str, Any]:
    done = subprocess.run(_simulate(address, *more), cwd=place, check=True, stdout=subprocess.PIPE, text=True)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def _streaming(place: Path, *, runner: str, url: str) -> contextlib.AbstractContextManager[subprocess.Popen[Any]]:
    options = ("--runner", "PortableRunner", "--job_endpoint", runner, "--environment_type", "LOOPBACK")
    return streaming(place, *options, environment={"GRIDCAST_STORE_URL": url})


if __name__ == "__main__":
    main()
