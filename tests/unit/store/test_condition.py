"""What is said of a store whose parts do not fit each other."""

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.store_ticks import START, clean, commit, forecast, received

from gridcast.store import condition
from gridcast.store.moments import microseconds
from gridcast.store.store import Store

DAY = timedelta(days=1)


def faults(store: Store) -> list[str]:
    with store.transaction() as connection:
        return list(condition.faults(connection))


@pytest.fixture
def busy(store: Store) -> Iterator[Store]:
    """A store that has read three readings and issued two forecasts."""
    for hour in range(3):
        store.land_batch(received(1, series_id=f"{hour}"), source="scada", position="p", at=START)
    for tick in (1, 2):
        commit(store, tick, readings=clean(tick), forecasts=forecast(tick))
    return store


def test_a_store_in_use_is_sound(busy: Store) -> None:
    assert faults(busy) == []


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        pytest.param(
            "DELETE FROM latest_runs",
            "series 'a', layer model: the newest run is of 2024-04-02 00:00Z, latest_runs says none",
            id="no newest run",
        ),
        pytest.param(
            f"UPDATE latest_runs SET issue_time = {microseconds(START)}",  # noqa: S608 - of a number
            "series 'a', layer model: the newest run is of 2024-04-02 00:00Z, latest_runs says 2024-03-31 00:00Z",
            id="an older newest run",
        ),
        pytest.param(
            "DELETE FROM forecasts",
            "there are 2 runs without forecasts",
            id="no forecasts",
        ),
        pytest.param(
            f"DELETE FROM runs WHERE issue_time = {microseconds(START + DAY)}",  # noqa: S608 - of a number
            "there are 1 forecasts that no run tells of",
            id="a run that is not noted",
        ),
        pytest.param(
            "UPDATE consumers SET log_offset = 1000",
            "consumer 'c' stands at 1,000, behind the end of the log at 3",
            id="ahead of the log",
        ),
        pytest.param(
            "UPDATE landings SET first_offset = 1 WHERE last_offset = 3",
            "landing of 1 to 3 overlaps the one before, which ends at 2",
            id="landings that overlap",
        ),
        pytest.param(
            "UPDATE landings SET last_offset = 9 WHERE last_offset = 3",
            "the newest landing ends at 9, behind the end of the log at 3",
            id="a landing of nothing",
        ),
    ],
)
def test_what_does_not_fit_is_told(busy: Store, harm: str, told: str) -> None:
    with busy.transaction() as connection:
        connection.execute(sa.text(harm))
    assert faults(busy) == [told]


def test_what_a_schema_lacks_is_told(unused_place: Path | str) -> None:
    with contextlib.closing(Store.open(unused_place)) as store:
        with store.transaction() as connection:
            for statement in ("DROP VIEW forecast_latest", "ALTER TABLE scores DROP COLUMN coverage_90"):
                connection.execute(sa.text(statement))
        assert faults(store) == ["table scores lacks coverage_90", "the view forecast_latest is missing"]


def test_a_damaged_page_of_a_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "gridcast.db"
    with contextlib.closing(Store.open(path)) as store:
        store.land(received(20_000))
        store.compact()
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)
    with contextlib.closing(Store.open(path)) as store, store.transaction() as connection:
        assert next(condition.faults(connection))
