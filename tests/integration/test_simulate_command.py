"""`gridcast simulate` as a process: what it writes, where it ends, and what it refuses."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from support.installation import GRIDCAST, Place
from support.processed_history import START as HISTORY_START
from support.processed_history import ZONES, write_history

from gridcast.domain.tables import UTC_TIME
from gridcast.ingestion.connectors.drop_folder import DropFolder
from gridcast.ingestion.tabular.formats import FileFormat
from gridcast.store.store import Store

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = ["series_id", "valid_time"]


def test_standard_output_gets_json_lines_and_standard_error_the_result(tmp_path: Path) -> None:
    options = ("--series", "50", "--rounds", "20", "--rate", "0", "--faults", "0.4", "--start", "2024-01-01T00:00Z")
    command = [GRIDCAST, "simulate", *options, "--format", "json"]

    done, again = (subprocess.run(command, cwd=tmp_path, capture_output=True, check=True) for _ in range(2))

    told = json.loads(done.stderr.splitlines()[-1])
    assert len(done.stdout.splitlines()) == told["sent"] + told["poison"]
    assert told["faults"]["gap"] + told["sent"] == 1_000 + told["faults"]["double"] + told["faults"]["corrected"]
    assert done.stdout == again.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_goes_away_ends_the_simulation(tmp_path: Path) -> None:
    command = [GRIDCAST, "simulate", "--series", "5", "--rate", "1000", "--for", "PT60S"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        told = process.stderr.read()
        assert process.wait(timeout=30) == 0
    assert "Traceback" not in told


def test_a_simulation_can_be_stopped(tmp_path: Path) -> None:
    options = ("--series", "5", "--rate", "200", "--for", "PT60S", "--late", "0.5", "--format", "json")
    lines = tmp_path / "lines"
    with (
        lines.open("wb") as out,
        subprocess.Popen([GRIDCAST, "simulate", *options], cwd=tmp_path, stdout=out, stderr=subprocess.PIPE) as process,
    ):
        deadline = time.monotonic() + 30
        while lines.stat().st_size == 0:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.terminate()
        _, told = process.communicate(timeout=30)
    assert process.returncode == 0
    assert json.loads(told.splitlines()[-1])["sent"] == len(lines.read_bytes().splitlines())


def test_a_dropped_simulation_is_read_whole(tmp_path: Path) -> None:
    options = ("--to", "folder:drop", "--series", "30", "--rounds", "40", "--rate", "0", "--poison", "0.02")
    told = Place(tmp_path).json("simulate", *options, "--start", "2024-01-01T00:00Z")

    drop = DropFolder(folder=tmp_path / "drop", file_format=FileFormat(received="available_at"))
    batches = list(drop.batches(None))

    rows = pl.concat([batch.readings for batch in batches])
    assert rows.height == told["sent"] == 1_200
    assert rows["valid_time"].dtype == UTC_TIME
    assert (rows["available_at"] - rows["valid_time"]).unique().to_list() == [HOUR]
    assert sum(batch.dead.height for batch in batches) == told["poison"] > 0
    assert [each.name for each in (tmp_path / "drop").iterdir() if each.is_file()] == []
    assert not (tmp_path / "drop" / ".simulated").exists()


def test_a_simulation_into_the_log_lands_once_however_often_it_is_sent(tmp_path: Path) -> None:
    place = Place(tmp_path)
    write_history(tmp_path / "data" / "processed", days=30, forecasts=False)
    options = ("simulate", "--to", "log", "--rounds", "48", "--rate", "0", "--double", "0.1")

    told, _ = place.json(*options), place.json(*options)

    end = HISTORY_START + timedelta(days=30)
    assert told["sent"] == 96 + told["faults"]["double"]
    assert told["first_valid_time"] == end.isoformat()
    assert told["next_start"] == (end + 48 * HOUR).isoformat()
    store = Store.open(tmp_path / "data" / "gridcast.db")
    rows = store.landed_from("simulate", after_offset=0)
    store.close()
    assert rows.height == 96
    assert set(rows["series_id"]) == set(ZONES)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param(("--to", "log", "--poison", "0.1"), "a store takes no messages", id="poison for a store"),
        pytest.param(("--faults", "0.1", "--late", "0.1"), "expected either", id="shares twice"),
        pytest.param((), "no clean readings here to go on from", id="no history"),
        pytest.param(("--series", "3", "--now", "--rate", "5"), "the present sets both", id="two paces"),
        pytest.param(("--series", "3", "--reading-interval", "PT7S"), "a whole part of a day", id="odd interval"),
        pytest.param(("--series", "3", "--start", "2999-01-01T00:00Z"), "an earlier --start", id="the future"),
        pytest.param(("--series", "3", "--rounds", "9999999"), "1990 or later", id="long ago"),
        pytest.param(("--series", "3", "--rate", "100001"), "", id="too fast"),
    ],
)
def test_wishes_that_do_not_go_together_are_refused(tmp_path: Path, options: tuple[str, ...], told: str) -> None:
    done = Place(tmp_path).run("simulate", *options, code=2)

    assert told in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_says_what_it_would_send_and_sends_nothing(tmp_path: Path) -> None:
    options = ("--to", "folder:drop", "--series", "10", "--rate", "5", "--for", "PT10S", "--gap", "0.1", "--dry-run")

    told = Place(tmp_path).json("simulate", *options)

    assert (told["series"], told["readings"], told["rate"], told["shares"]["gap"]) == (10, 50, 5.0, 0.1)
    assert list(tmp_path.iterdir()) == []


def test_a_simulation_needs_neither_tensorflow_nor_beam(tmp_path: Path) -> None:
    code = """
import sys
from gridcast.cli import main
sys.argv = ["gridcast", "simulate", "--series", "2", "--rounds", "1", "--to", "log"]
try:
    main()
finally:
    print("loaded:", *sorted({name.partition(".")[0] for name in sys.modules}))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)

    loaded = set(done.stdout.partition("loaded:")[2].split())
    assert "gridcast" in loaded
    assert not loaded & {"tensorflow", "keras", "apache_beam", "mlflow", "optuna", "matplotlib"}
