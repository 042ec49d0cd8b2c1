"""A stream tells of each tick once it is done: its number, what it took in, and how long its stages took."""

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.collector import attributes, collecting
from support.processed_history import HOUR, write_history
from support.streams import Running

from gridcast.monitoring.log_context import context
from gridcast.monitoring.logs import Form, Level, begin_logs
from gridcast.monitoring.traces import begin_traces, end_traces
from gridcast.store.errors import StoreError
from gridcast.store.store import Store
from gridcast.workflows.streaming.told_ticks import told_tick


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Running]:
    """Warm-started at the end of the history."""
    with contextlib.closing(Store.open(tmp_path / "gridcast.db")) as store:
        running = Running(store, write_history(tmp_path / "processed", days=90))
        running.begin(before_end=timedelta(0))
        begin_logs(Form.JSON, level=Level.INFO)
        try:
            yield running
        finally:
            begin_logs(Form.TEXT, level=Level.WARNING)


def ticks(told: str) -> list[dict[str, Any]]:
    lines = [json.loads(each) for each in told.splitlines()]
    return [each for each in lines if each["event"] == "tick"]


def test_every_tick_is_told_with_its_number_and_what_it_took_in(
    begun: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    at = begun.issue_time
    for hour in range(2):
        begun.land(("zone_n", at + hour * HOUR, 80.0), ("zone_s", at + hour * HOUR, 80.0))
        assert begun.stream.tick() == at + (hour + 1) * HOUR
    assert begun.stream.tick() is None
    first, second = ticks(capsys.readouterr().err)
    assert (first["tick"], second["tick"]) == (1, 2)
    assert (second["rows"], second["series"], second["model_version"]) == (2, 3, "1")
    assert second["issue_time"] == f"{at + 2 * HOUR:%Y-%m-%dT%H:%M:%SZ}"
    assert not context()


def test_a_tick_that_fails_is_not_told_as_done_and_its_span_failed(
    begun: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    begun.troubles.append(StoreError("the disk is full"))
    begun.land(("zone_n", begun.issue_time, 80.0), ("zone_s", begun.issue_time, 80.0))
    with collecting() as collector:
        begin_traces(collector.url, sampled_share=1.0, service="gridcast")
        with pytest.raises(StoreError, match="disk is full"):
            begun.stream.tick()
        begun.stream.tick()
        end_traces()
    failed, done = collector.named("tick")
    assert failed.status.message == "StoreError: the disk is full"
    assert done.status.code == 0
    assert attributes(done)["gridcast.rows"] == 2
    (line,) = ticks(capsys.readouterr().err)
    assert line["tick"] == 2
    assert line["trace_id"] == done.trace_id.hex()


def test_stages_follow_each_other(begun: Running, capsys: pytest.CaptureFixture[str]) -> None:
    here, at = begun.stream.here, begun.issue_time
    begun.land(("zone_n", at, 80.0), ("zone_s", at, 80.0))
    begun.stream.tick()
    with told_tick(here, begun.jobs[-1], number=9, rows=2):
        here.aggregated_at = datetime.now(UTC) + timedelta(seconds=2)
        here.forecast_at = here.aggregated_at + timedelta(seconds=3)
    line = ticks(capsys.readouterr().err)[-1]
    assert line["clean_s"] == pytest.approx(2.0, abs=0.5)
    assert line["forecast_s"] == 3.0
    assert line["commit_s"] == 0.0
