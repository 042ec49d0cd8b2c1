"""A store in a database of a server: what people are told about it, and what happens when the server goes away."""

import contextlib
import sys
import traceback

import pytest
import sqlalchemy as sa
from support.postgres import PASSWORD, Server
from support.services import free_ports
from support.store_ticks import after, clean, commit, forecast, received, ticks_seen

from gridcast.store.errors import StoreError
from gridcast.store.store import Store

SECRET = "s3cret-pass"  # noqa: S105 - of nobody


def refusal(url: str) -> str:
    """What is said when a URL cannot be opened; no part of it is the secret."""
    with pytest.raises(StoreError) as error:
        Store.open(url)
    assert SECRET not in "".join(traceback.format_exception(error.value))
    return str(error.value)


def test_a_wrong_password_is_refused_without_repeating_it(postgres: Server) -> None:
    told = refusal(postgres.url("tables", password=SECRET))
    assert told.startswith(f"store postgresql://gridcast@127.0.0.1:{postgres.port}/tables: ")
    assert "password authentication failed" in told
    assert "expected a PostgreSQL 14 or later that answers" in told


def test_a_database_that_is_not_there_is_named(postgres: Server) -> None:
    with pytest.raises(StoreError, match=r'store postgresql://.*/nowhere: .*database "nowhere" does not exist'):
        Store.open(postgres.url("nowhere"))


def test_a_server_that_does_not_answer_is_named() -> None:
    (port,) = free_ports(1)
    told = refusal(f"postgresql://gridcast:{SECRET}@127.0.0.1:{port}/gridcast?application_name=mine")
    assert told.startswith(f"store postgresql://gridcast@127.0.0.1:{port}/gridcast: ")
    assert "Connection refused" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(f"mysql://gridcast:{SECRET}@host/gridcast", "begins with 'mysql://'", id="another database"),
        pytest.param(f"postgres://gridcast:{SECRET}@host/gridcast", "begins with 'postgres://'", id="short name"),
        pytest.param(f"postgresql://gridcast:{SECRET}@host:port/gridcast", "is not a URL", id="port in letters"),
        pytest.param(f"gridcast:{SECRET}", "is not a URL", id="no URL"),
        pytest.param("", "is not a URL", id="nothing"),
    ],
)
def test_any_other_text_is_told_what_was_expected(text: str, told: str) -> None:
    said = refusal(text)
    assert told in said
    assert "expected postgresql://user:password@host:5432/database, or the path of a SQLite file" in said


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "installed with its extra 'postgres'" in refusal(f"postgresql://gridcast:{SECRET}@host/gridcast")


@pytest.fixture
def database(postgres: Server) -> str:
    return postgres.new_database(like="tables")


def end_connections(postgres: Server, database: str) -> None:
    name = database.rpartition("/")[2]
    postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")  # noqa: S608


def test_a_connection_that_the_server_closed_is_replaced(postgres: Server, database: str) -> None:
    with contextlib.closing(Store.open(database)) as store:
        store.land(received(2))
        end_connections(postgres, database)
        store.land(received(1))
        assert store.log_head() == 3


def test_a_connection_lost_in_a_tick_leaves_the_tick_before(postgres: Server, database: str) -> None:
    with contextlib.closing(Store.open(database)) as store:
        commit(store, 1, readings=clean(1), forecasts=forecast(1))
        sa.event.listen(sa.Engine, "commit", lambda _: end_connections(postgres, database), once=True)
        with pytest.raises(StoreError, match="Nothing of this step was written"):
            commit(store, 2, readings=clean(2), forecasts=forecast(2))
        assert ticks_seen(store) == after(1)
        commit(store, 2, readings=clean(2), forecasts=forecast(2))
        assert ticks_seen(store) == after(2)


def test_no_error_repeats_the_password_of_an_open_store(database: str) -> None:
    with contextlib.closing(Store.open(database)) as store, pytest.raises(StoreError) as error:
        store.add_event(at=clean(1)["valid_time"][0], kind="a text with a \0", message="")
    assert f":{PASSWORD}@" not in "".join(traceback.format_exception(error.value))
