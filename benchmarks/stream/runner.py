"""`python -m benchmarks.stream.runner`: the stream on a Beam runner under a steady load, Kafka in and PostgreSQL out.

Broker, runner, database, sender and workers share this machine. The runner is Flink, with one worker for each task
manager, or Prism, Beam's own portable one, with one worker. For each number of workers a backlog is caught up with
first, then a steady load is kept up with: for every forecast, how long ago the message with the last reading it had
been waiting for was published. The ratio is the 95th percentile of that, in seconds, with the first number of workers.
`sustained` tells whether the last forecast was there as soon as any other: if not, the rate is more than the runner
takes here.
"""

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
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
FEEDERS, RATE, SECONDS, BACKLOG = 100, 1_000, 120, timedelta(days=2)
QUICK = (4, 40, 15, timedelta(hours=2))
READING_INTERVAL = timedelta(minutes=1)
Row = dict[str, Any]
_TOPIC = "readings"
_LOOK_SECONDS = 0.02
_START_SECONDS, _CATCH_UP_SECONDS, _DRAIN_SECONDS = 180.0, 600.0, 120.0
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
    parser.add_argument("--runner", choices=["flink", "prism"], default="flink")
    parser.add_argument(
        "--workers", type=int, nargs="+", help="numbers of workers, one after the other [1 2; Prism: 1]"
    )
    parser.add_argument("--quick", action="store_true", help="a few feeders for some seconds, one worker: does it run?")
    parser.add_argument("--feeders", type=int, default=FEEDERS)
    parser.add_argument("--rate", type=int, default=RATE, help="readings a second")
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--parts", type=int, default=2, help="parts of the series that keep a state of their own")
    asked = parser.parse_args()
    feeders, rate, seconds, backlog = QUICK if asked.quick else (asked.feeders, asked.rate, asked.seconds, BACKLOG)
    workers = asked.workers or ([1] if asked.quick or asked.runner == "prism" else [1, 2])
    with tempfile.TemporaryDirectory() as folder:
        load = _Load(Path(folder), asked.runner, rate, seconds, backlog)
        rows = _rows(load, workers, feeders=feeders, parts=asked.parts, quick=asked.quick)
    p95 = rows[0]["p95_s"]
    missed = {
        f"{p95:.2f} s > {TARGET_S} s until a forecast is visible": p95 > TARGET_S,
        f"{rows[0]['readings_per_s']} < {rate} readings/s": rows[0]["readings_per_s"] < 0.97 * rate,
    }
    result = {
        "name": "stream.runner",
        "ratio": round(p95 / TARGET_S, 3),
        "target": 1.0,
        "ok": asked.quick or not any(missed.values()),
        "missed": [] if asked.quick else [what for what, is_missed in missed.items() if is_missed],
        "runner": asked.runner,
        "by_workers": rows,
        "feeders": feeders,
        "parts": asked.parts,
        "cores": os.cpu_count(),
    }
    sys.stdout.write(json.dumps(result) + "\n")


@dataclass(frozen=True)
class _Load:
    folder: Path
    runner: str
    rate: int
    seconds: int
    backlog: timedelta


def _rows(load: _Load, workers: list[int], *, feeders: int, parts: int, quick: bool) -> list[Row]:
    from support.kafka import running_broker
    from support.postgres import running_postgres

    (load.folder / "kafka").mkdir()
    with running_broker(load.folder / "kafka") as broker, running_postgres() as server:
        live = _LIVE.format(address=broker.address, topic=_TOPIC, parts=parts)
        place = build(load.folder / "place", feeders=feeders, quick=quick, live=live)
        rows = []
        for count in workers:
            broker.create(f"{_TOPIC}_{count}")
            config = place / "config" / "pipeline_config.yaml"
            config.write_text(re.sub(r"topic: \w+", f"topic: {_TOPIC}_{count}", config.read_text()))
            kafka = f"{broker.address}/{_TOPIC}_{count}"
            rows.append({"workers": count, **_row(load, place, kafka, url=server.new_database(), workers=count)})
            sys.stderr.write(f"{rows[-1]}\n")
    return rows


def _row(load: _Load, place: Path, kafka: str, *, url: str, workers: int) -> Row:
    """What one cluster with so many workers comes to."""
    with (
        contextlib.closing(Store.open(url)) as store,
        _running(load, url=url, workers=workers) as options,
        streaming(place, *options, environment={"GRIDCAST_STORE_URL": url}) as stream,
    ):
        begun = _send(place, kafka, "--rate", "0", "--rounds", "60")
        await_that(lambda: store.newest_issue_time() is not None, stream, look=_LOOK_SECONDS, within=_START_SECONDS)
        rounds = str(load.backlog // READING_INTERVAL)
        sent_from = time.monotonic()
        behind = _send(place, kafka, "--rate", "0", "--rounds", rounds, "--start", begun["next_start"])
        until = _last_issue_time(behind)
        await_that(lambda: store.newest_issue_time() == until, stream, look=_LOOK_SECONDS, within=_CATCH_UP_SECONDS)
        caught_up = time.monotonic() - sent_from
        steady = ("--rate", str(load.rate), "--for", f"PT{load.seconds}S", "--start", behind["next_start"])
        with _published(kafka) as published:
            sender = subprocess.Popen(_simulate(kafka, *steady), cwd=place, stdout=subprocess.PIPE, text=True)
            seen = _seen(store, stream, sender)
            said = json.loads(sender.communicate()[0])
            seen += _seen_until(store, stream, _last_issue_time(said))
        latencies = [(at - published.complete_at(issue_time)).total_seconds() for issue_time, at in seen]
    p95 = float(np.percentile(latencies, 95))
    return {
        "caught_up_readings_per_s": round(behind["sent"] / caught_up),
        "backlog": behind["sent"],
        "readings_per_s": round(said["rate"]),
        "sustained": latencies[-1] <= max(p95, TARGET_S),
        "p50_s": round(float(np.percentile(latencies, 50)), 3),
        "p95_s": round(p95, 3),
        "last_s": round(latencies[-1], 3),
        "forecasts": len(latencies),
    }


@contextlib.contextmanager
def _running(load: _Load, *, url: str, workers: int) -> Iterator[list[str]]:
    """A runner, and Beam's options that lead to it."""
    from support.flink import running_flink
    from support.prism import running_prism

    folder = load.folder / f"runner_{workers}"
    folder.mkdir()
    if load.runner == "prism":
        with running_prism(folder) as address:
            yield ["--runner", "PortableRunner", "--job_endpoint", address, "--environment_type", "LOOPBACK"]
        return
    environment = {"GRIDCAST_STORE_URL": url}
    with running_flink(folder, environment=environment, task_managers=workers, slots=1) as cluster:
        yield [*cluster.options, "--parallelism", str(workers)]


def _last_issue_time(said: Row) -> datetime:
    """Of the last whole hour that was sent."""
    return datetime.fromisoformat(said["next_start"]).replace(minute=0, second=0)


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
def _published(kafka: str) -> Iterator[_Published]:
    address, _, topic = kafka.partition("/")
    consumer = Consumer({"bootstrap.servers": address, "group.id": "benchmark", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
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


def _simulate(kafka: str, *more: str) -> list[str]:
    length = f"PT{READING_INTERVAL // timedelta(minutes=1)}M"
    command = [str(GRIDCAST), "simulate", "--to", f"kafka://{kafka}", "--reading-interval", length]
    return [*command, *more, "--format", "json"]


def _send(place: Path, kafka: str, *more: str) -> Row:
    done = subprocess.run(_simulate(kafka, *more), cwd=place, check=True, stdout=subprocess.PIPE, text=True)
    said: Row = json.loads(done.stdout)
    return said


if __name__ == "__main__":
    main()
