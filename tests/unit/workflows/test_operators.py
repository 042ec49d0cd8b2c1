"""Standing overrides follow every forecast that is kept, in the stream and by hand, on either kind of store."""

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from support.processed_history import HOUR, write_history
from support.streams import EVER, Running, a_forecast

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import CLEAN_READINGS, OVERRIDES
from gridcast.store.store import Store
from gridcast.workflows.forecasts.operators import overrule, with_operators, withdraw
from gridcast.workflows.streaming.tick_job import Ticked, TickJob


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with contextlib.closing(Store.open(tmp_path / "gridcast.db")) as store:
        yield Running(store, write_history(tmp_path / "processed", days=30))


def standing(running: Running, **more: object) -> pl.DataFrame:
    """An override of the system's load over two days from the end of the history."""
    start = running.processed.observed_until
    facts = {
        "override_id": "o",
        "series_id": "system",
        "start": start,
        "end": start + timedelta(days=2),
        "operation": "add",
        "value": 7.0,
        "author": "me",
        "reason": "a match",
        "created_at": start,
        "expires_at": start + timedelta(days=2),
    }
    row = {**dict.fromkeys(OVERRIDES.names()), **facts, **more}
    return pl.DataFrame([row], schema=OVERRIDES)


def layers(running: Running) -> dict[str, list[float]]:
    rows = running.store.forecasts(**EVER)
    return {name: rows.filter(layer=name)["p50"].to_list() for name in ("model", "operator")}


def test_a_tick_keeps_what_operators_make_of_its_forecast_with_it(running: Running) -> None:
    overrule(running.store, standing(running))
    here, issue_time = running.stream.here, running.processed.observed_until
    counts = pl.DataFrame(schema={"kind": pl.String, "name": pl.String, "rows": pl.Int64, "energy_mwh": pl.Float64})
    nothing_left_out = pl.DataFrame(schema={"series_id": pl.String, "why": pl.String})
    made = Ticked(CLEAN_READINGS.to_frame(), a_forecast(issue_time), counts, nothing_left_out)
    here.commit(TickJob(0, (issue_time - HOUR, issue_time), None), made)
    model = a_forecast(issue_time)["p50"].item()
    assert layers(running) == {"model": [model], "operator": [model + 7]}


def test_an_override_that_expired_before_a_forecast_was_issued_leaves_it_alone(running: Running) -> None:
    issue_time = running.processed.observed_until
    overrule(running.store, standing(running, expires_at=issue_time))
    running.store.save_forecasts(with_operators(running.store, a_forecast(issue_time)))
    assert layers(running)["operator"] == []


def test_a_withdrawn_override_leaves_the_newest_forecast_and_stays_with_older_ones(running: Running) -> None:
    store, issue_time = running.store, running.processed.observed_until
    overrule(store, standing(running))
    for hours in (0, 1):
        store.save_forecasts(with_operators(store, a_forecast(issue_time + hours * HOUR)))
    gone = withdraw(store, "o", at=issue_time + 2 * HOUR, by="somebody else")
    assert gone.item(0, "withdrawn_by") == "somebody else"
    kept = store.forecasts(**EVER).filter(layer="operator")
    assert kept["issue_time"].to_list() == [issue_time]
    with pytest.raises(GridcastError, match="not there or withdrawn before"):
        withdraw(store, "o", at=issue_time, by="me")
