"""What one worker of the service serves: the latest forecast of many series, asked by wrk over loopback.

`gridcast serve` runs as it does in life, on SQLite and on PostgreSQL, with authentication, audit and limits. While it
is asked, forecasts of all series are written every five seconds, so that what it serves has to change. The ratio is the
requests a second of the slower store to those that are wanted; it counts only if the slowest hundredth is quick enough
and memory is small.
"""

import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.roles import Role
from gridcast.domain.series import zones_to_system
from gridcast.domain.tables import FORECASTS, Layer
from gridcast.store import keys
from gridcast.store.store import Store
from gridcast.workflows.readings.processed import Processed

sys.path.append(str(Path(__file__).parents[1] / "tests"))

WANTED_PER_S = 2_000
LARGEST_P99_MS = 10.0
LARGEST_RSS_MB = 250
SERIES, LEADS, SECONDS, CONNECTIONS = 100, 48, 20, 8
START, HOUR = datetime(2024, 1, 1, tzinfo=UTC), timedelta(hours=1)
GRIDCAST = Path(sys.executable).with_name("gridcast")
_WRITE_EVERY_S = 5.0
_HEAVY = ("tensorflow", "mlflow", "apache_beam")
_WRK = """
local names = {{{names}}}
local next = 1
request = function()
  local path = "/v1/forecasts/" .. names[next]
  next = next % #names + 1
  return wrk.format("GET", path, {{["Authorization"] = "Bearer {key}"}})
end
done = function(summary, latency, requests)
  io.write(string.format("FIGURES %d %d %f %f %f\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), latency.max))
  io.write(string.format("ERRORS %d %d\\n", summary.errors.status, summary.errors.read + summary.errors.timeout))
end
"""


def main() -> None:
    """Measure and print."""
    from support.postgres import running_postgres

    parser = argparse.ArgumentParser(prog="python -m benchmarks.api", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one second each: does it run?")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="how long each store is asked")
    asked = parser.parse_args()
    seconds = 1 if asked.quick else asked.seconds
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed; expected it. On Debian: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder, running_postgres() as server:
        stores = {
            "sqlite": _measured(Path(folder) / "sqlite", None, seconds=seconds),
            "postgresql": _measured(Path(folder) / "postgresql", server.new_database(), seconds=seconds),
        }
    sys.stdout.write(json.dumps(_result(stores, quick=asked.quick)) + "\n")


def _result(stores: dict[str, dict[str, Any]], *, quick: bool) -> dict[str, Any]:
    missed = [
        f"{name}: {what}"
        for name, each in stores.items()
        for what, is_missed in {
            f"{each['requests_per_s']:,} < {WANTED_PER_S:,} requests/s": each["requests_per_s"] < WANTED_PER_S,
            f"p99 of {each['p99_ms']} ms > {LARGEST_P99_MS} ms": each["p99_ms"] > LARGEST_P99_MS,
            f"{each['rss_mb']} MB > {LARGEST_RSS_MB} MB": each["rss_mb"] > LARGEST_RSS_MB,
            f"{each['failed']} answers were errors": each["failed"] > 0,
            f"loaded {each['heavy']}": bool(each["heavy"]),
        }.items()
        if is_missed and not (quick and "error" not in what and "loaded" not in what)
    ]
    slower = min(each["requests_per_s"] for each in stores.values())
    return {
        "name": "api",
        "ratio": round(slower / WANTED_PER_S, 3),
        "target": 1.0,
        "ok": not missed,
        "missed": missed,
        "series": SERIES,
        "connections": CONNECTIONS,
        **stores,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("fastapi", "uvicorn")},
    }


def _measured(folder: Path, url: str | None, *, seconds: int) -> dict[str, Any]:
    place = url or folder / "data" / "gridcast.db"
    names = _installation(folder)
    with contextlib.closing(Store.open(place)) as store:
        key = keys.create(
            store, name="wrk", role=Role.VIEWER, by=keys.Author("benchmark", "local"), at=datetime.now(UTC)
        ).key
        store.save_forecasts(_run(names, 0))
        with _serving(folder, url) as (process, address), _writing(store, names):
            first = _asked_once(address, key, names[0])
            script = folder / "ask.lua"
            script.write_text(_WRK.format(names=", ".join(f'"{each}"' for each in names), key=key), encoding="utf-8")
            _wrk(script, address, seconds=1)
            figures = _wrk(script, address, seconds=seconds)
            again = _asked_once(address, key, names[0])
            return {
                **figures,
                "rss_mb": _rss_mb(process.pid),
                "heavy": [each for each in _HEAVY if each in Path(f"/proc/{process.pid}/maps").read_text()],
                "bytes_of_an_answer": first["bytes"],
                "runs_seen_apart": again["issue_time"] != first["issue_time"],
            }


def _installation(folder: Path) -> list[str]:
    """A folder with settings and a hierarchy of zones; their ids."""
    names = [f"zone_{number:03d}" for number in range(1, SERIES)]
    tree = zones_to_system(names, time_zone="UTC")
    processed = folder / "data" / "processed"
    processed.mkdir(parents=True)
    Processed(processed, "benchmark", HOUR, tree, START).write_manifest(processed)
    (folder / "config").mkdir()
    (folder / "config" / "app_config.yaml").write_text("service: {limits: {requests_per_minute: 1000000000}}\n")
    return list(tree.ids)


def _run(names: list[str], number: int) -> pl.DataFrame:
    issue_time = START + number * HOUR
    leads = pl.DataFrame({"valid_time": [issue_time + lead * HOUR for lead in range(LEADS)]})
    loads = np.sort(np.random.default_rng(number).uniform(10, 90, (len(names) * LEADS, len(QUANTILE_COLUMNS))), axis=1)
    texts = {"layer": pl.lit(Layer.MODEL.value), "model_version": pl.lit("12"), "degraded_because": pl.lit("")}
    frame = pl.DataFrame({"series_id": names}).join(leads, how="cross").with_columns(
        issue_time=pl.lit(issue_time), **texts
    )  # fmt: skip
    frame = frame.with_columns(pl.Series(name, loads[:, place]) for place, name in enumerate(QUANTILE_COLUMNS))
    return frame.select(FORECASTS.names()).cast(dict(FORECASTS))


@contextlib.contextmanager
def _serving(folder: Path, url: str | None) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`gridcast serve` on a free port, once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, **({} if url is None else {"GRIDCAST_STORE_URL": url})}
    process = subprocess.Popen([GRIDCAST, "serve", "--port", str(port)], cwd=folder, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"gridcast serve did not come up ({process.returncode})")
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{address}/v1/ready").is_success:
                    break
            time.sleep(0.05)
        yield process, address
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextlib.contextmanager
def _writing(store: Store, names: list[str]) -> Iterator[None]:
    """A new run of every series now and then, as long as the block lasts."""
    ended = threading.Event()

    def write() -> None:
        number = 1
        while not ended.wait(_WRITE_EVERY_S):
            store.save_forecasts(_run(names, number))
            number += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _asked_once(address: str, key: str, name: str) -> dict[str, Any]:
    answer = httpx.get(f"{address}/v1/forecasts/{name}", headers={"Authorization": f"Bearer {key}"})
    answer.raise_for_status()
    return {"bytes": len(answer.content), "issue_time": answer.json()["issue_time"]}


def _wrk(script: Path, address: str, *, seconds: int) -> dict[str, Any]:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script), address]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"FIGURES (\d+) (\d+) ([\d.]+) ([\d.]+) ([\d.]+)\nERRORS (\d+) (\d+)", said)
    if found is None:
        raise SystemExit(f"wrk said nothing that could be read:\n{said}")
    requests, duration_us, p50, p99, largest = (float(each) for each in found.groups()[:5])
    return {
        "requests_per_s": round(requests / duration_us * 1e6),
        "p50_ms": round(p50 / 1000, 2),
        "p99_ms": round(p99 / 1000, 2),
        "largest_ms": round(largest / 1000, 2),
        "failed": int(found[6]) + int(found[7]),
    }


def _rss_mb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return 0 if found is None else int(found[1]) // 1024


if __name__ == "__main__":
    main()
