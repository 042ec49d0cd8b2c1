"""The stream on one machine under a steady load, and how fast it catches up with a backlog.

`gridcast simulate` sends readings of many feeders, one every six seconds each, into the log of an installation, and
`gridcast stream --live` works them off; time runs so much faster than life that the rate comes out. Looked at from a
third process: for every forecast, how long ago the reading that it had been waiting for was received. The ratio is the
95th percentile of that in seconds.
"""

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.stream.installation import GRIDCAST, build, command
from benchmarks.stream.process import await_that, require_alive, streaming
from gridcast.domain.tables import CONSUMER
from gridcast.store.store import Store

TARGET_S = 1.0
LARGEST_GROWTH = 0.05
LEAST_CATCH_UP = 50_000
FEEDERS, RATE, SECONDS, BACKLOG = 100, 5_000, 600, 3_000_000
QUICK = (4, 400, 20, 20_000)
READING_INTERVAL = "PT6S"
_LIVE = ("--live", "--last", "PT1H", "--format", "json")
_LOOK_SECONDS, _START_SECONDS = 0.01, 600.0
_WARM_SHARE = 0.2
"""Of the time, in which memory is still being filled."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few feeders for some seconds: does it run?")
    parser.add_argument("--feeders", type=int, default=FEEDERS)
    parser.add_argument("--rate", type=int, default=RATE, help="readings a second")
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--backlog", type=int, default=BACKLOG, help="readings to catch up with")
    asked = parser.parse_args()
    sizes = QUICK if asked.quick else (asked.feeders, asked.rate, asked.seconds, asked.backlog)
    with tempfile.TemporaryDirectory() as folder:
        result = _result(Path(folder), *sizes, quick=asked.quick)
    sys.stdout.write(json.dumps(result) + "\n")


def _result(folder: Path, feeders: int, rate: int, seconds: int, backlog: int, *, quick: bool) -> dict[str, Any]:
    place = build(folder / "place", feeders=feeders, quick=quick)
    with contextlib.closing(Store.open(place / "data" / "gridcast.db")) as store:
        live = _under_load(place, store, rate=rate, seconds=seconds)
        catching_up = _caught_up(place, store, rounds=max(backlog // feeders, 1), next_start=live["next_start"])
    p95 = float(np.percentile(live["latencies_s"], 95))
    limits = {
        f"{p95:.2f} s > {TARGET_S} s until a forecast is visible": p95 > TARGET_S,
        f"memory grew by {live['growth']:.1%} > {LARGEST_GROWTH:.0%}": live["growth"] > LARGEST_GROWTH,
        f"{live['sent_per_s']:.0f} < {rate} readings/s": live["sent_per_s"] < 0.97 * rate,
        f"{catching_up['rows_per_s']:.0f} < {LEAST_CATCH_UP} readings/s to catch up": catching_up["rows_per_s"]
        < LEAST_CATCH_UP,
    }
    missed = [] if quick else [what for what, is_missed in limits.items() if is_missed]
    return {
        "name": "stream",
        "ratio": round(p95 / TARGET_S, 3),
        "target": 1.0,
        "ok": not missed,
        "missed": missed,
        "p50_s": round(float(np.percentile(live["latencies_s"], 50)), 3),
        "p95_s": round(p95, 3),
        "largest_s": round(float(np.max(live["latencies_s"])), 3),
        "forecasts": len(live["latencies_s"]),
        "feeders": feeders,
        "readings_per_s": round(live["sent_per_s"]),
        "readings": live["sent"],
        "rss_mb": live["rss_mb"],
        "rss_growth": round(live["growth"], 4),
        "rss_by_tenth_mb": live["rss_by_tenth_mb"],
        "catch_up": catching_up,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }


def _under_load(place: Path, store: Store, *, rate: int, seconds: int) -> dict[str, Any]:
    with streaming(place, *_LIVE) as stream:
        await_that(
            lambda: store.position(CONSUMER).issue_time is not None, stream, look=_LOOK_SECONDS, within=_START_SECONDS
        )
        sender = subprocess.Popen(
            _simulate("--rate", str(rate), "--for", f"PT{seconds}S"), cwd=place, stdout=subprocess.PIPE, text=True
        )
        latencies, memory = _watched(store, stream, sender)
        said = json.loads(sender.communicate()[0])
    warm = memory[int(_WARM_SHARE * len(memory)) :]
    quarter = max(1, len(warm) // 4)
    before, after = float(np.median(warm[:quarter])), float(np.median(warm[-quarter:]))
    return {
        "latencies_s": latencies,
        "growth": after / before - 1,
        "rss_by_tenth_mb": [round(float(np.median(each))) for each in np.array_split(memory, 10) if len(each)],
        "rss_mb": round(max(memory)),
        "sent": said["sent"],
        "sent_per_s": said["rate"],
        "next_start": said["next_start"],
    }


def _watched(
    store: Store, stream: subprocess.Popen[str], sender: subprocess.Popen[str]
) -> tuple[list[float], list[float]]:
    """Seconds until each forecast was visible, and memory of the stream in MB, until the sender has ended."""
    latencies, memory = [], []
    issued, offset, looked = store.newest_issue_time(), store.log_head(), 0.0
    while sender.poll() is None:
        newest = store.newest_issue_time()
        now = datetime.now(UTC)
        if newest is not None and newest != issued:
            head = store.log_head()
            last = store.newest_offset_before(end=newest, after_offset=offset, up_to_offset=head)
            landing = None if last is None else store.landing_of(last)
            if last is not None and landing is not None:
                latencies.append((now - landing.received_at).total_seconds())
                offset = last
            issued = newest
        if time.monotonic() - looked > 1:
            looked = time.monotonic()
            memory.append(_rss_mb(stream.pid))
        require_alive(stream)
        time.sleep(_LOOK_SECONDS)
    return latencies, memory


def _caught_up(place: Path, store: Store, *, rounds: int, next_start: str) -> dict[str, float]:
    """Readings a second from the first tick to the last; with a single one, from the start of the process on."""
    command(place, *_simulate("--rate", "0", "--rounds", str(rounds), "--start", next_start)[1:-2])
    head, first = store.log_head(), store.position(CONSUMER)
    marks, memory = [(time.monotonic(), first.log_offset)], [0.0]
    with streaming(place, *_LIVE) as stream:
        while marks[-1][1] < head:
            offset = store.position(CONSUMER).log_offset
            if offset != marks[-1][1]:
                marks.append((time.monotonic(), offset))
            memory.append(_rss_mb(stream.pid))
            require_alive(stream)
            time.sleep(_LOOK_SECONDS)
    (begun, at), (ended, _) = marks[1] if len(marks) > 2 else marks[0], marks[-1]
    rate = (head - at) / (ended - begun)
    return {"rows": head - first.log_offset, "rows_per_s": round(rate), "rss_mb": round(max(memory))}


def _simulate(*more: str) -> list[str]:
    return [str(GRIDCAST), "simulate", "--to", "log", "--reading-interval", READING_INTERVAL, *more, "--format", "json"]


def _rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main()
