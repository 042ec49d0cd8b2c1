from datetime import UTC, datetime
from pathlib import Path

import pytest

from gridcast.domain.errors import UsageError
from gridcast.ingestion.formats import FileFormat, WeatherFormat
from gridcast.ingestion.raw import read_readings
from gridcast.workflows.ingest import FileSource, Ingested, ingest

NOW = datetime(2024, 6, 1, tzinfo=UTC)


def ingest_csv(folder: Path, rows: str) -> Ingested:
    file = folder / "readings.csv"
    file.write_text("series_id,valid_time,load_mw\n" + rows)
    source = FileSource(str(file), None, None, FileFormat(), WeatherFormat())
    return ingest(folder / "raw", source=source, now=NOW)


def test_readings_from_an_impossible_time_are_rejected_and_kept(tmp_path: Path) -> None:
    done = ingest_csv(
        tmp_path,
        "a,2099-01-01T00:00:00Z,1\na,1970-01-01T00:00:00Z,2\na,2024-06-01T20:00:00Z,3\na,2024-05-01T00:00:00Z,4\n",
    )

    assert done.rejected == {"time_out_of_range": 2}
    assert read_readings(tmp_path / "raw")["load_mw"].sort().to_list() == [3.0, 4.0]
    assert done.dead_letter is not None
    assert "2099-01-01" in done.dead_letter.read_text()


def test_a_data_folder_holds_one_source(tmp_path: Path) -> None:
    ingest(tmp_path / "raw", source=None, now=NOW)
    before = read_readings(tmp_path / "raw")

    with pytest.raises(UsageError, match="holds the readings of gefcom2012, and these are of files"):
        ingest_csv(tmp_path, "a,2024-05-01T00:00:00Z,4\n")

    assert read_readings(tmp_path / "raw").equals(before)
