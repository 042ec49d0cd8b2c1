"""Several processes at one raw folder: they take turns in writing, and one at a time reads a source."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.drop_folders import drop_reading, source

from gridcast.domain.errors import GridcastError
from gridcast.ingestion import raw, raw_layout
from gridcast.ingestion.locks import SourceInUseError, reading_alone
from gridcast.workflows.readings.ingest import append

NOW = datetime(2024, 6, 1, tzinfo=UTC)
BATCHES = 20

APPENDING = """
import sys
from datetime import UTC, datetime
from pathlib import Path
import polars as pl
from gridcast.domain.tables import READINGS
from gridcast.ingestion import raw
from gridcast.ingestion.source import Batch

directory, source, whole = Path(sys.argv[1]), sys.argv[2], sys.argv[2] == "whole"
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    at = datetime(2024, 1, 1 + number, tzinfo=UTC)
    rows = pl.DataFrame([(source, at, float(number), at)], schema=READINGS, orient="row")
    if whole:
        raw.write_source(directory, source=source, readings=rows)
    else:
        raw.append_batch(directory, source=source, batch=Batch.of(position=str(number), readings=rows))
"""


def test_batches_of_several_processes_are_all_kept_under_numbers_of_their_own(tmp_path: Path) -> None:
    names = ["a", "a", "b", "whole"]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", APPENDING, tmp_path, name, str(BATCHES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    for each in processes:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in processes:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    for each in processes:
        each.communicate()
    assert [each.returncode for each in processes] == [0] * len(names)
    assert raw.reading_counts(tmp_path) == {"a": 2 * BATCHES, "b": BATCHES, "whole": 1}
    numbers = {path.stem.partition("-")[2] for name in "ab" for path in raw_layout.files_of(tmp_path, source=name)}
    assert numbers == {f"{number:08d}" for number in range(1, 3 * BATCHES + 1)}


LISTENING = """
import sys, threading
from datetime import UTC, datetime
from pathlib import Path
from gridcast.ingestion.connectors.drop_folder import DropFolder
from gridcast.ingestion.tabular.formats import FileFormat
from gridcast.workflows.readings.listen import Live, RawKeeper, listen

stop = threading.Event()
dropped = DropFolder(folder=Path(sys.argv[2]), file_format=FileFormat(), is_watched=True, stop=stop)
threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
listen(
    [Live("meters", dropped, RawKeeper(Path(sys.argv[1]), "meters"), says_hello=False)],
    stop=stop,
    clock=lambda: datetime(2024, 6, 1, tzinfo=UTC),
    on_heard=lambda heard: print(heard["meters"].landed, flush=True),
)
"""


def test_a_drop_folder_that_is_listened_to_is_not_worked_off_by_another_process(tmp_path: Path) -> None:
    folder, data = tmp_path / "drop", tmp_path / "raw"
    folder.mkdir()
    drop_reading(folder, "first.csv")
    with subprocess.Popen(
        [sys.executable, "-c", LISTENING, data, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as listener:
        assert listener.stdout is not None
        assert next(line for line in listener.stdout if line == "1\n")
        for hour in range(1, 10):
            drop_reading(folder, f"{hour}.csv", hour)
            with pytest.raises(SourceInUseError, match="source 'meters': another process reads it"):
                append(data, source=source(folder), name="meters", now=NOW)
        assert next(line for line in listener.stdout if line == "10\n")
        listener.communicate("stop\n")
    assert listener.returncode == 0
    drop_reading(folder, "last.csv", 10)
    assert append(data, source=source(folder), name="meters", now=NOW).readings == 1
    assert raw.read_readings(data)["load_mw"].sort().to_list() == [float(hour) for hour in range(11)]


def test_locks_that_cannot_be_made_are_one_clear_message(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("a file")
    with pytest.raises(GridcastError, match="cannot be written"), reading_alone(tmp_path, source="meters"):
        pytest.fail("there is no lock")
