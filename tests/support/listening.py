"""`gridcast listen` as a process of its own, beside the store it lands in."""

import contextlib
import io
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fastavro
import polars as pl
import pyarrow as pa
import yaml
from support.installation import GRIDCAST, Place

from gridcast.domain.tables import READINGS
from gridcast.store.store import Store

START = datetime(2024, 1, 1, tzinfo=UTC)
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Reading",
    "fields": [
        {"name": "series_id", "type": "string"},
        {"name": "valid_time", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "load_mw", "type": "double"},
    ],
}
_PATIENCE_SECONDS = 90


def readings(count: int, *, first: int = 0, series: int = 20) -> pl.DataFrame:
    """READINGS numbered from `first`, each of its own series and hour; the number is the load in kW."""
    numbers = range(first, first + count)
    times = [START + timedelta(hours=number // series) for number in numbers]
    columns = {
        "series_id": [f"m{number % series:02d}" for number in numbers],
        "valid_time": times,
        "load_mw": [number / 1000 for number in numbers],
        "available_at": [time + timedelta(hours=1) for time in times],
    }
    return pl.DataFrame(columns, schema=READINGS)


def as_json(row: Mapping[str, Any]) -> bytes:
    return json.dumps({**row, "valid_time": row["valid_time"].isoformat()}, default=str).encode()


def as_avro(row: Mapping[str, Any]) -> bytes:
    """Behind a Confluent header."""
    out = io.BytesIO(b"\x00\x00\x00\x00\x07")
    out.seek(5)
    fastavro.schemaless_writer(out, fastavro.parse_schema(SCHEMA), dict(row))
    return out.getvalue()


def as_arrow(row: Mapping[str, Any]) -> bytes:
    table = pa.Table.from_pylist([dict(row)])
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


ENCODERS: dict[str, Callable[[Mapping[str, Any]], bytes]] = {"json": as_json, "avro": as_avro, "arrow": as_arrow}


@dataclass
class Listener:
    """A running `gridcast listen`."""

    process: subprocess.Popen[str]

    def stop(self) -> dict[str, Any]:
        """Ask it to stop; what it says it heard of its only source."""
        self.process.terminate()
        return self.heard()

    def heard(self) -> dict[str, Any]:
        """What it says it heard of its only source, once it has ended."""
        out, told = self.process.communicate(timeout=_PATIENCE_SECONDS)
        assert self.process.returncode == 0, told
        assert "Traceback" not in told
        only: dict[str, Any] = json.loads(out)["sources"][0]
        return only

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=_PATIENCE_SECONDS)


@dataclass(frozen=True)
class Listening:
    """A place whose only source is a live one."""

    place: Place

    @classmethod
    def at(cls, folder: Path, **source: object) -> "Listening":
        config = folder / "config"
        config.mkdir(parents=True)
        settings = {"hierarchy": {"time_zone": "Europe/London"}, "sources": {"meters": source}}
        (config / "pipeline_config.yaml").write_text(yaml.safe_dump(settings))
        (folder / "reading.avsc").write_text(json.dumps(SCHEMA))
        return cls(Place(folder))

    @contextlib.contextmanager
    def listener(self, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Listener]:
        """Killed at the end, if it still runs."""
        process = subprocess.Popen(
            [GRIDCAST, "listen", "--format", "json", *arguments],
            cwd=self.place.directory,
            env=self.place.environment(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        listener = Listener(process)
        try:
            yield listener
        finally:
            if process.poll() is None:
                listener.kill()

    def hear(self, *, until: int, env: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Listen until the log has so many rows; what was heard."""
        with self.listener(env=env) as listener:
            self.wait_for(until, listener)
            return listener.stop()

    def connect(self, env: Mapping[str, str] | None = None) -> None:
        """Listen for the first time, until the store knows where the source begins."""
        with self.listener(env=env) as listener:
            self.wait_until_known(listener)
            assert listener.stop()["landed"] == 0

    @contextlib.contextmanager
    def store(self) -> Iterator[Store]:
        with contextlib.closing(Store.open(self.place.directory / "data" / "gridcast.db")) as store:
            yield store

    def landed(self) -> pl.DataFrame:
        """The whole log, in order of arrival."""
        with self.store() as store:
            ever = {"start": datetime(1990, 1, 1, tzinfo=UTC), "end": datetime(2090, 1, 1, tzinfo=UTC)}
            return store.landed(**ever, up_to_offset=store.log_head())

    def wait_for(self, rows: int, listener: Listener) -> None:
        """Until so many rows have landed."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        with self.store() as store:
            while store.log_head() < rows:
                assert listener.process.poll() is None, listener.process.communicate()
                assert time.monotonic() < deadline, f"{store.log_head()} of {rows} rows after {_PATIENCE_SECONDS} s"
                time.sleep(0.02)

    def wait_until_known(self, listener: Listener) -> None:
        """Until the listener has told the store where it begins."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        with self.store() as store:
            while store.sources().is_empty():
                assert listener.process.poll() is None, listener.process.communicate()
                assert time.monotonic() < deadline, "the listener does not get through to the broker"
                time.sleep(0.02)

    def dead_letters(self) -> pl.DataFrame:
        folder = self.place.directory / "data" / "raw" / "dead_letter"
        return pl.concat([pl.read_csv(path, infer_schema=False) for path in sorted(folder.glob("meters*.csv"))])


def in_order(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort("series_id", "valid_time")
