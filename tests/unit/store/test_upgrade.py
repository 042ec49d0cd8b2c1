"""A store that an earlier version made becomes one of today with all its rows; one of a later version is left alone."""

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
import sqlalchemy as sa
from support.store_ticks import ALWAYS, START, child, clean, forecast, received

from gridcast.domain.tables import FORECASTS, Layer
from gridcast.store import condition
from gridcast.store.dialect import database as opened
from gridcast.store.errors import StoreError
from gridcast.store.migrations import migrate
from gridcast.store.moments import microseconds
from gridcast.store.schema import METADATA
from gridcast.store.store import Store
from gridcast.store.upgrade import REVISION

SCHEMAS = Path(__file__).parent / "schemas"
VERSIONS = ("before-0.1.0", "0.1.0")
ISSUED = [START + timedelta(days=days) for days in (0, 1, 40, 400)]


@contextlib.contextmanager
def connected(place: Path | str) -> Iterator[sqlite3.Connection | psycopg.Connection]:
    """A plain connection to a database, committed at the end."""
    if isinstance(place, Path):
        place.parent.mkdir(exist_ok=True, parents=True)
        connection: Any = sqlite3.connect(place)
    else:
        connection = psycopg.connect(place)
    with contextlib.closing(connection):
        yield connection
        connection.commit()


def make_earlier(place: Path | str, version: str) -> None:
    """A store as a version made it, with a reading in the log, a clean one, an event and four runs of forecasts."""
    kind = "sqlite" if isinstance(place, Path) else "postgresql"
    with connected(place) as connection:
        for statement in (SCHEMAS / f"{version}-{kind}.sql").read_text().split(";\n"):
            if statement.strip():
                connection.execute(statement)
        start = microseconds(START)
        log = "INSERT INTO reading_log (series_id, valid_time, load_mw, available_at) VALUES"
        connection.execute(f"{log} ('a', 0, 1.5, 1)")
        connection.execute(f"INSERT INTO readings VALUES ('a', {start}, 7.5, 7.5, 'good', '', {start})")  # noqa: S608
        connection.execute("INSERT INTO events (at, kind, message) VALUES (1, 'promoted', 'model 1')")
        for issue in ISSUED:
            time = microseconds(issue)
            key = f"'a', {time}, {time}, 'model', '{issue:%j}'"
            connection.execute(f"INSERT INTO forecasts VALUES ({key}, 1, 2, 3, 4, 5, 6, 7, '')")  # noqa: S608


def shape(place: Path | str) -> dict[str, Any]:
    """All that a database says of its tables, views, indexes and triggers."""
    engine = opened(place).engine
    try:
        with engine.connect() as connection:
            found = sa.inspect(connection)
            tables: dict[str, Any] = {
                table: {
                    "columns": {each["name"]: {**each, "type": str(each["type"])} for each in found.get_columns(table)},
                    "key": found.get_pk_constraint(table)["constrained_columns"],
                    "indexes": sorted(found.get_indexes(table), key=lambda each: str(each["name"])),
                    "options": found.get_table_options(table),
                }
                for table in found.get_table_names()
                if not table.startswith("forecasts_y")
            }
            views = {name: words(found.get_view_definition(name) or "") for name in found.get_view_names()}
            return {"tables": tables, "views": views, "other": other(connection)}
    finally:
        engine.dispose()


def other(connection: sa.Connection) -> list[str]:
    if connection.dialect.name == "sqlite":
        query = "SELECT sql FROM sqlite_master WHERE type = 'trigger'"
    else:
        query = """
        SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT pg_get_partkeydef(oid) FROM pg_class WHERE relkind = 'p'
        UNION ALL SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint
        WHERE contype <> 'n' AND connamespace = 'public'::regnamespace AND conrelid::regclass::text !~ 'forecasts_y'
        UNION ALL SELECT sequencename || data_type FROM pg_sequences
        """
    return sorted(words(each) for (each,) in connection.exec_driver_sql(query))


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture(params=VERSIONS)
def earlier(unused_place: Path | str, request: pytest.FixtureRequest) -> Path | str:
    make_earlier(unused_place, request.param)
    return unused_place


@pytest.fixture
def new(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Path | str:
    """A store that was made today."""
    place = tmp_path / "made new.db" if database == "sqlite" else request.getfixturevalue("postgres").new_database()
    Store.open(place).close()
    return place


def test_what_is_there_stays(earlier: Path | str) -> None:
    for _ in range(2):
        with contextlib.closing(Store.open(earlier)) as store:
            assert store.landed_from("replay", after_offset=0)["load_mw"].to_list() == [1.5]
            assert store.readings(**ALWAYS)["load_mw"].to_list() == [7.5]
            assert store.readings_as_of(datetime(1980, 1, 1, tzinfo=UTC), **ALWAYS)["load_mw"].to_list() == [7.5]
            assert store.events()["message"].to_list() == ["model 1"]
            rows = store.forecasts(**ALWAYS)
            assert rows.schema == FORECASTS
            assert rows["issue_time"].to_list() == ISSUED
            assert rows["p95"].to_list() == [7.0] * 4
            assert store.latest_runs().rows() == [("a", Layer.MODEL, ISSUED[-1], f"{ISSUED[-1]:%j}")]
            with store.transaction() as connection:
                assert list(condition.faults(connection)) == []


def test_a_migrated_store_takes_what_a_new_one_takes(earlier: Path | str) -> None:
    with contextlib.closing(Store.open(earlier)) as store:
        assert store.land_batch(received(1), source="scada", position="p", at=START) == 1
        assert store.landing_of(2) is not None
        store.save_clean(clean(2, count=1), known_from=START)
        assert store.readings_as_of(START - timedelta(days=1), **ALWAYS)["load_mw"].to_list() == [7.5]
        store.save_forecasts(forecast(500))
        assert store.latest_forecast("a")["p50"].to_list() == [500.0] * 3


def test_a_migrated_store_is_made_like_a_new_one(earlier: Path | str, new: Path | str) -> None:
    Store.open(earlier).close()
    migrated, made = shape(earlier), shape(new)
    assert "\n".join(migrated["other"]) == "\n".join(made["other"])
    assert migrated["views"] == made["views"]
    for table in made["tables"]:
        assert migrated["tables"][table] == made["tables"][table]
    assert set(made["tables"]) == {*METADATA.tables, "store_revision"}
    assert set(made["views"]) == {"forecast_latest"}


def test_a_new_store_has_the_newest_migration_behind_it(new: Path | str) -> None:
    assert migrate.head() == REVISION
    with connected(new) as connection:
        assert connection.execute("SELECT version_num FROM store_revision").fetchall() == [(REVISION,)]


def test_a_store_of_a_later_gridcast_is_refused_and_left_alone(new: Path | str) -> None:
    with connected(new) as connection:
        connection.execute("UPDATE store_revision SET version_num = '9999'")
    before = shape(new)
    with pytest.raises(StoreError, match=f"of revision 9999; this gridcast knows them up to revision {REVISION}"):
        Store.open(new)
    assert shape(new) == before


OPENS = """
import sys
from pathlib import Path
from gridcast.store.store import Store

place = sys.argv[1]
print("ready", flush=True)
sys.stdin.readline()
store = Store.open(place if "://" in place else Path(place))
print(store.counts()["forecasts"])
"""


def test_processes_that_open_an_earlier_store_together_migrate_it_once(earlier: Path | str) -> None:
    children = [child(OPENS, earlier) for _ in range(4)]
    for each in children:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    told = [each.communicate("go\n", timeout=60) for each in children]
    assert [out for out, _ in told] == ["4\n"] * 4, told


def test_a_migration_that_fails_leaves_the_earlier_store(earlier: Path | str) -> None:
    with connected(earlier) as connection:
        connection.execute("CREATE TABLE overrides (mine TEXT)")
    before = shape(earlier)
    with pytest.raises(StoreError, match="already exists"):
        Store.open(earlier)
    assert shape(earlier) == before
    with connected(earlier) as connection:
        connection.execute("DROP TABLE overrides")
    with contextlib.closing(Store.open(earlier)) as store:
        assert store.forecasts(**ALWAYS).height == 4


def test_opening_a_store_of_today_does_not_load_alembic(new: Path | str) -> None:
    script = OPENS.replace("print(store", "assert 'alembic' not in sys.modules; print(store")
    opening = child(script, new)
    assert opening.communicate("go\n", timeout=60) == ("ready\n0\n", "")


def test_an_empty_frame_needs_no_partition(new: Path | str) -> None:
    with contextlib.closing(Store.open(new)) as store:
        store.save_forecasts(FORECASTS.to_frame())
        store.save_forecasts(pl.concat([forecast(0), forecast(100)]))
        assert store.forecasts(**ALWAYS)["issue_time"].unique().sort().to_list() == [
            START + timedelta(days=days) for days in (0, 100)
        ]
