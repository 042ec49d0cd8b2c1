"""Readings that landed from Kafka and MQTT join the raw folder, so that the batch run cleans them too."""

import json
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import READINGS, SIMULATED
from gridcast.ingestion import raw
from gridcast.ingestion.locks import archiving
from gridcast.ingestion.source import Batch
from gridcast.store.store import Store

_AT_ONCE: Final = 1_000_000


def archive_log(store: Store, raw_dir: Path) -> int:
    """Append to `raw_dir` what landed from live sources since the last time; how many readings. Again, nothing more.

    Each source keeps its name; its position in the raw folder is the log's offset behind the newest reading taken.

    Raises:
        GridcastError: the disk is full, or a source was of another kind before; what was appended until then stays.
    """
    return sum(_archive(store, raw_dir, source=source) for source in _real_sources(store))


def not_archived(store: Store, raw_dir: Path, *, start: datetime, end: datetime) -> pl.DataFrame:
    """`READINGS` of start ≤ valid time < end that `archive_log` would append to `raw_dir` next, in that order.

    Raises:
        GridcastError: a source was of another kind before.
    """
    parts = [
        store.landed_between(
            source, after_offset=_offset(raw.position_of(raw_dir, source), source=source), start=start, end=end
        )
        for source in _real_sources(store)
    ]
    return pl.concat([READINGS.to_frame(), *parts])


def archived(store: Store, raw_dir: Path) -> dict[str, int]:
    """The last log offset of each live source that is in `raw_dir`; 0 if none is.

    Raises:
        GridcastError: a source was of another kind before.
    """
    return {each: _offset(raw.position_of(raw_dir, each), source=each) for each in _real_sources(store)}


def _real_sources(store: Store) -> list[str]:
    return [each for each in store.sources()["source"] if each != SIMULATED]


def _archive(store: Store, raw_dir: Path, *, source: str) -> int:
    total = 0
    with archiving(raw_dir, source=source):
        offset = _offset(raw.position_of(raw_dir, source), source=source)
        while (rows := store.landed_from(source, after_offset=offset, limit=_AT_ONCE)).height:
            offset = rows.item(-1, "log_offset")
            batch = Batch.of(position=json.dumps({"log_offset": offset}), readings=rows.drop("log_offset"))
            raw.append_batch(raw_dir, source=source, batch=batch)
            total += rows.height
    return total


def _offset(position: str | None, *, source: str) -> int:
    try:
        return 0 if position is None else int(json.loads(position)["log_offset"])
    except (ValueError, KeyError, TypeError) as error:
        raise GridcastError(
            f"source {source!r}: its readings in the raw folder end at {position}; expected an offset of the store's "
            "log. The name stood for another kind of source before: give the live source a new one."
        ) from error
