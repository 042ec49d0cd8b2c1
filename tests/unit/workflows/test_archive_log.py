"""What landed from live sources is found in the raw folder, once."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import READINGS, SIMULATED
from gridcast.ingestion import raw
from gridcast.ingestion.source import Batch
from gridcast.store.store import Store
from gridcast.workflows.readings import archive_log as module
from gridcast.workflows.readings.archive_log import archive_log, not_archived

START = datetime(2024, 1, 31, 22, tzinfo=UTC)
END = START + timedelta(days=9)
NOW = datetime(2024, 6, 1, tzinfo=UTC)


def readings(*loads: float, first: int = 0) -> pl.DataFrame:
    rows = [
        ("m", START + timedelta(hours=hour), load, START + timedelta(hours=hour + 1))
        for hour, load in enumerate(loads, start=first)
    ]
    return pl.DataFrame(rows, schema=READINGS, orient="row")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with contextlib.closing(Store.open(tmp_path / "gridcast.db")) as store:
        yield store


def test_readings_of_live_sources_are_appended_once_and_others_never(store: Store, tmp_path: Path) -> None:
    store.land_batch(readings(1.0, 2.0, 3.0), source="scada", position="a", at=NOW)
    store.land(readings(9.0))
    store.land_batch(readings(8.0), source=SIMULATED, position="c", at=NOW)
    store.land_batch(readings(4.0, first=3), source="meters", position="b", at=NOW)

    later = not_archived(store, tmp_path, start=START + timedelta(hours=2), end=END)
    assert_frame_equal(later, pl.concat([readings(4.0, first=3), readings(3.0, first=2)]))

    assert archive_log(store, tmp_path) == 4
    assert not_archived(store, tmp_path, start=START, end=END).is_empty()
    assert archive_log(store, tmp_path) == 0
    store.land_batch(readings(2.5, first=1), source="scada", position="c", at=NOW)
    assert archive_log(store, tmp_path) == 1

    assert raw.sources(tmp_path) == {"scada", "meters"}
    kept = raw.read_readings(tmp_path)
    assert_frame_equal(
        kept,
        pl.concat([readings(1.0, 2.0, 3.0), readings(2.5, first=1), readings(4.0, first=3)]),
        check_row_order=False,
    )
    corrected = kept.filter(pl.col("valid_time") == START + timedelta(hours=1))
    assert corrected["load_mw"].to_list() == [2.0, 2.5]


def test_a_long_log_is_appended_in_pieces(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 2)
    store.land_batch(readings(*map(float, range(5))), source="scada", position="a", at=NOW)

    assert archive_log(store, tmp_path) == 5
    assert_frame_equal(raw.read_readings(tmp_path), readings(*map(float, range(5))))


def test_a_name_that_stood_for_another_kind_of_source_is_refused(store: Store, tmp_path: Path) -> None:
    raw.append_batch(tmp_path, source="scada", batch=Batch.of(position='{"taken": {}}', readings=readings(1.0)))
    store.land_batch(readings(2.0), source="scada", position="a", at=NOW)

    with pytest.raises(GridcastError, match="give the live source a new one"):
        archive_log(store, tmp_path)
