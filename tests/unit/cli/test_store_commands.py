"""`gridcast store` as it is typed."""

import contextlib
import json
import sqlite3
import stat
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from support.postgres import running_postgres
from support.store_ticks import START, clean, commit, forecast, received

from gridcast.cli import main
from gridcast.store.store import Store
from gridcast.store.upgrade import REVISION

STORE = Path("data/gridcast.db")


class Terminal:
    """Commands typed in a folder, in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def type(self, *words: str, code: int = 0) -> str:
        """What a call of gridcast that ends with `code` prints."""
        self._monkeypatch.setattr(sys, "argv", ["gridcast", "store", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        output, errors = self._capsys.readouterr()
        assert (ended.value.code or 0) == code, f"{words} gave {ended.value.code}\n{output}\n{errors}"
        return output if code == 0 else output + errors

    def json(self, *words: str, code: int = 0) -> dict[str, Any]:
        result: dict[str, Any] = json.loads(self.type(*words, "--format", "json", code=code).splitlines()[0])
        return result


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRIDCAST_STORE_URL", raising=False)
    return Terminal(monkeypatch, capsys)


@pytest.fixture
def filled(terminal: Terminal) -> Terminal:
    """An installation whose store has 500 readings in the log and forecasts of four days, one of them old."""
    with contextlib.closing(Store.open(STORE)) as store:
        for day in (0, 400):
            moved = received(250).with_columns(pl.col("valid_time") + timedelta(days=day))
            store.land_batch(moved, source="simulate", position="", at=START)
        for tick in (1, 398, 399, 400):
            commit(store, tick, readings=clean(tick), forecasts=forecast(tick))
    return terminal


def test_the_store_is_backed_up_verified_and_restored(filled: Terminal) -> None:
    said = filled.json("backup", "--to", "saved")
    rows = {each["table"]: each["rows"] for each in said["tables"]}
    assert (rows["reading_log"], rows["forecasts"]) == (500, 12)
    assert filled.json("verify", "saved") == {"checked": "saved", "faults": [], "summary": "saved: sound."}
    filled.json("restore", "saved", "--to", "again/gridcast.db")
    with (
        contextlib.closing(Store.open(Path("again/gridcast.db"))) as again,
        contextlib.closing(Store.open(STORE)) as was,
    ):
        assert again.counts() == was.counts()
    assert "expected an empty store" in filled.type("restore", "saved", code=1)
    STORE.unlink()
    filled.type("restore", "saved")
    assert filled.json("verify")["faults"] == []


def test_a_store_is_looked_at_without_counting_its_rows(filled: Terminal) -> None:
    said = f"{STORE}: tables of revision {REVISION}."
    assert filled.json("status", "--no-rows") == {**filled.json("status"), "rows": None, "summary": said}
    assert filled.type("status", "--no-rows") == f"{said}\n"


def test_a_store_moves_to_postgresql_and_is_kept_there(filled: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    before = filled.json("status")["rows"]
    filled.type("backup", "--to", "saved")
    with running_postgres() as server:
        monkeypatch.setenv("GRIDCAST_STORE_URL", server.new_database())
        said = filled.type("restore", "saved")
        assert "into postgresql://gridcast@127.0.0.1" in said
        assert filled.json("status")["rows"] == before
        assert filled.json("verify")["faults"] == []
        assert filled.json("prune", "--forecasts", "P100D")["pruned"][0]["rows"] == 3
        assert filled.json("verify")["faults"] == []


def test_a_damaged_backup_and_a_damaged_store_are_told_with_exit_code_1(filled: Terminal) -> None:
    filled.type("backup", "--to", "saved")
    (Path("saved") / "events.parquet").unlink()
    assert filled.json("verify", "saved", code=1)["faults"][0].startswith("events.parquet cannot be read")
    with contextlib.closing(sqlite3.connect(STORE, isolation_level=None)) as connection:
        connection.execute("DELETE FROM latest_runs")
    assert "latest_runs says none" in filled.type("verify", code=1)


def test_what_would_go_is_what_goes(filled: Terminal) -> None:
    ages = ("--forecasts", "P100D", "--readings-log", "P120D", "--landings", "P1D")
    would = filled.json("prune", *ages, "--dry-run")
    assert {each["table"]: each["rows"] for each in would["pruned"]} == {
        "forecasts": 3,
        "reading_log": 250,
        "landings": 0,
    }
    assert filled.json("status")["rows"]["forecasts"] == 12
    assert filled.json("prune", *ages)["pruned"] == would["pruned"]
    rows = filled.json("status")["rows"]
    assert (rows["forecasts"], rows["reading_log"]) == (9, 250)
    assert filled.json("prune", *ages)["pruned"][0]["rows"] == 0
    assert filled.json("verify")["faults"] == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param((), "expected --forecasts, --readings-log or --landings", id="no age"),
        pytest.param(("--forecasts", "a year"), "'a year' is not a duration", id="no duration"),
        pytest.param(("--readings-log", "P30D"), "expected at least P120D, which a stream reads", id="too short"),
    ],
)
def test_what_cannot_be_pruned_is_told(filled: Terminal, words: tuple[str, ...], told: str) -> None:
    assert told in filled.type("prune", *words, code=2)


def test_a_backup_is_not_written_over_another(filled: Terminal) -> None:
    filled.type("backup", "--to", "saved")
    assert "there is something already" in filled.type("backup", "--to", "saved", code=1)


def test_a_backup_can_be_read_by_its_owner_only(filled: Terminal) -> None:
    filled.type("backup", "--to", "saved")
    assert stat.S_IMODE(Path("saved").stat().st_mode) == 0o700


@pytest.mark.parametrize("command", ["status", "prune", "backup", "restore", "verify"])
def test_each_command_shows_how_it_is_used(terminal: Terminal, command: str) -> None:
    assert f"gridcast store {command}" in terminal.type(command, "--help")
