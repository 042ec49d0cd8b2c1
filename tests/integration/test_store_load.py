"""Ten processes write to a store while ten read it: nobody fails, nothing is lost, nobody sees half a tick."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.postgres import running_postgres
from support.store_load import CLEANED, LANDED, LEADS
from support.store_ticks import START

from gridcast.store import condition
from gridcast.store.store import Store

SECONDS, EACH = 60, 10
TESTS = Path(__file__).parents[1]


@pytest.fixture(params=["sqlite", "postgresql"])
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path | str]:
    if request.param == "sqlite":
        yield tmp_path / "gridcast.db"
    else:
        with running_postgres() as server:
            yield server.new_database()


def started(kind: str, place: Path | str, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "support.store_load", kind, str(place), name, str(SECONDS)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=TESTS, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def tell(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        print(word, file=process.stdin, flush=True)


def said(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What a process said it had done; its standard error if it failed."""
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    result: dict[str, Any] = json.loads(out)
    return result


def test_ten_writers_and_ten_readers_work_for_a_minute_without_an_error_or_a_lost_row(place: Path | str) -> None:
    writers = [started("writer", place, f"writer_{number}") for number in range(EACH)]
    readers = [started("reader", place, f"reader_{number}") for number in range(EACH)]
    try:
        for process in (*writers, *readers):
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", said(process)
        for process in (*writers, *readers):
            tell(process, "go")
        written = [said(each) for each in writers]
        for process in readers:
            tell(process, "end")
        seen = [said(each) for each in readers]
    finally:
        for process in (*writers, *readers):
            process.kill()
    ticks = sum(each["ticks"] for each in written)
    with contextlib.closing(Store.open(place)) as store:
        counts = store.counts()
        assert counts["forecasts"] == LEADS * ticks
        assert counts["reading_log"] == LANDED * ticks
        assert counts["readings"] == CLEANED * EACH
        assert counts["readings_superseded"] == CLEANED * (ticks - EACH)
        for each in written:
            assert store.position(each["name"]).log_offset == each["ticks"]
            newest = store.latest_forecast(each["name"])
            assert (newest["issue_time"][0] - START).total_seconds() == 3600 * each["ticks"]
        with store.transaction() as connection:
            assert list(condition.faults(connection)) == []
    assert min(each["ticks"] for each in written) > 0
    assert min(each["looks"] for each in seen) > 0
    assert {each["log_rows"] for each in seen} == {LANDED * ticks}
