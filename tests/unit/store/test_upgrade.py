"""A store that an earlier version made gets what it lacks."""

import contextlib
import sqlite3
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from support.store_ticks import START, received

from gridcast.store.schema import METADATA
from gridcast.store.store import Store

NUMBERED = {"sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT", "postgresql": "BIGSERIAL PRIMARY KEY"}
EARLIER = """
CREATE TABLE reading_log (
  log_offset {numbered}, series_id TEXT NOT NULL, valid_time BIGINT NOT NULL, load_mw DOUBLE PRECISION,
  available_at BIGINT NOT NULL
)
"""
LANDED = "INSERT INTO reading_log (series_id, valid_time, load_mw, available_at) VALUES ('a', 0, 1.5, 1)"


@pytest.fixture
def earlier(unused_place: Path | str, database: str) -> Path | str:
    """A log of one reading, in a database that has nothing else."""
    if isinstance(unused_place, Path):
        unused_place.parent.mkdir()
        opened = contextlib.closing(sqlite3.connect(unused_place))
    else:
        opened = contextlib.closing(psycopg.connect(unused_place))
    with opened as connection:
        connection.execute(EARLIER.format(numbered=NUMBERED[database]))
        connection.execute(LANDED)
        connection.commit()
    return unused_place


def test_what_is_there_stays_and_is_read_with_the_new_columns(earlier: Path | str) -> None:
    for _ in range(2):
        with contextlib.closing(Store.open(earlier)) as store:
            assert store.landed_from("replay", after_offset=0)["load_mw"].to_list() == [1.5]
    with contextlib.closing(Store.open(earlier)) as store:
        assert store.land_batch(received(1), source="scada", position="p", at=START) == 1
        assert store.landing_of(2) is not None


def test_all_tables_and_indexes_are_there(earlier: Path | str) -> None:
    with contextlib.closing(Store.open(earlier)):
        pass
    url = f"sqlite:///{earlier}" if isinstance(earlier, Path) else earlier.replace("://", "+psycopg://")
    engine = sa.create_engine(url)
    try:
        present = sa.inspect(engine)
        assert set(present.get_table_names()) == set(METADATA.tables)
        indexes = {index["name"] for index in present.get_indexes("reading_log")}
    finally:
        engine.dispose()
    assert indexes == {"reading_log_by_valid_time", "reading_log_by_series"}
