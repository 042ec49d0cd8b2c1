"""`gridcast external` as it is typed: a file of somebody else's forecasts, scored beside ours."""

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from support.processed_history import HOUR, write_history

from gridcast.cli import main
from gridcast.domain.tables import CLEAN_READINGS
from gridcast.store.store import Store
from gridcast.workflows.readings.workspace import Workspace


class Terminal:
    """Commands typed in a folder, in this process."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._monkeypatch, self._capsys = folder, monkeypatch, capsys
        self.workspace = Workspace(folder / "data")
        self.processed = write_history(self.workspace.processed, days=30)

    def type(self, *words: str, code: int = 0) -> tuple[str, str]:
        self._monkeypatch.setattr(sys, "argv", ["gridcast", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        output, errors = self._capsys.readouterr()
        assert (ended.value.code or 0) == code, f"{words}\n{output}\n{errors}"
        return output, errors

    def write(self, name: str) -> Path:
        """A forecast issued twelve hours before the end of the history, with a row that cannot be read."""
        issued = self.processed.observed_until - 12 * HOUR
        rows = self.processed.readings(series_ids=["zone_n"], start=issued).select("series_id", "valid_time", "load_mw")
        rows = rows.with_columns(issue_time=pl.lit(issued), load_mw=pl.col("load_mw") + 1.0)
        file = self.folder / name
        if file.suffix == ".parquet":
            rows.write_parquet(file)
        else:
            text = rows.with_columns(pl.col("issue_time", "valid_time").dt.strftime("%Y-%m-%dT%H:%M:%SZ")).write_csv()
            file.write_text(text + "zone_n,2024-01-30T00:00:00Z,a lot,2024-01-29T00:00:00Z\n")
        return file


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    monkeypatch.chdir(tmp_path)
    return Terminal(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("name", ["tso.csv", "tso.parquet"])
def test_a_file_is_taken_over_and_scored(terminal: Terminal, name: str) -> None:
    with Store.open(terminal.workspace.store).transaction():
        pass
    store = Store.open(terminal.workspace.store)
    end = terminal.processed.observed_until
    clean = terminal.processed.readings(start=end - timedelta(days=20)).select(CLEAN_READINGS.names())
    store.save_clean(clean)
    output, errors = terminal.type(
        "external", "--file", str(terminal.write(name)), "--source", "TSO", "--format", "json"
    )
    told: dict[str, Any] = json.loads(output)
    scores = store.scores()
    store.close()
    assert (told["rows"], told["issues"], told["scored"], told["left_out"]) == (12, 1, 1, 0)
    assert ("1 rows cannot be read" in errors) == (told["dead"] == 1) == (name == "tso.csv")
    assert scores["model_version"].unique().to_list() == ["TSO"]
    assert scores["mae_mw"].to_list() == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        pytest.param(("--file", "tso.csv"), 2, "--source is missing; expected who forecast", id="nobody named"),
        pytest.param(("--source", "tso"), 2, "--source tso: not in config", id="no such source"),
        pytest.param(
            ("--source", "sample"), 2, "kind sample has no forecasts; expected", id="source without forecasts"
        ),
        pytest.param(("--file", "nowhere.csv", "--source", "TSO"), 1, "there is no such file", id="no such file"),
    ],
)
def test_what_cannot_be_done_is_told_with_what_to_do(
    terminal: Terminal, words: tuple[str, ...], code: int, told: str
) -> None:
    terminal.write("tso.csv")
    _, errors = terminal.type("external", *words, code=code)
    assert told in errors
    assert errors.count("\n") == 1
