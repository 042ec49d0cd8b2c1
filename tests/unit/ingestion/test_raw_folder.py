"""The raw folder: monthly files, each of them whole, that replace a source's own."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.domain.tables import HOLIDAYS, READINGS, WEATHER
from gridcast.ingestion import raw

START = datetime(2024, 1, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def readings(hours: int = 96, *, series_id: str = "a", start: datetime = START, load_mw: float = 1.0) -> pl.DataFrame:
    times = [start + HOUR * hour for hour in range(hours)]
    rows = [(series_id, time, load_mw + hour, time + HOUR) for hour, time in enumerate(times)]
    return pl.DataFrame(rows, schema=READINGS, orient="row")


def tree(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.parent.name != "locks"
    }


def test_readings_come_back_month_by_month(tmp_path: Path) -> None:
    raw.write_source(tmp_path, source="scada", readings=readings())
    assert sorted(tree(tmp_path)) == [f"readings/month=2024-0{month}/scada.parquet" for month in (1, 2)]
    assert raw.read_readings(tmp_path).equals(readings())


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        (None, START + HOUR, 1),
        (START + 95 * HOUR, None, 1),
        (START + 47 * HOUR, START + 49 * HOUR, 2),
        (START, START, 0),
    ],
)
def test_only_the_asked_span_is_read(tmp_path: Path, start: datetime | None, end: datetime | None, hours: int) -> None:
    raw.write_source(tmp_path, source="scada", readings=readings())
    assert raw.read_readings(tmp_path, start=start, end=end).height == hours


def test_writing_a_source_again_replaces_its_own_months_only(tmp_path: Path) -> None:
    raw.write_source(tmp_path, source="scada", readings=readings())
    raw.write_source(tmp_path, source="other", readings=readings(series_id="b"))
    raw.write_source(tmp_path, source="scada", readings=readings(24, load_mw=7))
    assert sorted(tree(tmp_path)) == [
        "readings/month=2024-01/other.parquet",
        "readings/month=2024-01/scada.parquet",
        "readings/month=2024-02/other.parquet",
    ]
    assert raw.read_readings(tmp_path).group_by("series_id").len().sort("series_id").rows() == [("a", 24), ("b", 96)]


def test_the_same_data_has_the_same_bytes_and_hash(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for directory in (first, second, second):
        holidays = pl.DataFrame([(date(2024, 1, 1), "New Year")], schema=HOLIDAYS, orient="row")
        raw.write_source(directory, source="scada", readings=readings(), holidays=holidays)
    assert tree(first) == tree(second)
    assert raw.data_hash(first) == raw.data_hash(second)
    raw.write_source(second, source="scada", readings=readings(load_mw=2))
    assert raw.data_hash(first) != raw.data_hash(second)


def test_rows_of_one_time_keep_their_order(tmp_path: Path) -> None:
    twice = pl.concat([readings(1, load_mw=5), readings(1, load_mw=4)])
    raw.write_source(tmp_path, source="scada", readings=twice)
    assert raw.read_readings(tmp_path)["load_mw"].to_list() == [5.0, 4.0]


def test_weather_and_holidays_come_back(tmp_path: Path) -> None:
    weather = pl.DataFrame([("s", START, 3.5, START + HOUR)], schema=WEATHER, orient="row")
    holidays = pl.DataFrame(
        [(date(2024, 12, 25), "Christmas"), (date(2024, 1, 1), "New Year")], schema=HOLIDAYS, orient="row"
    )
    raw.write_source(tmp_path, source="met", weather=weather, holidays=holidays)
    assert raw.read_weather(tmp_path).equals(weather)
    assert raw.read_holidays(tmp_path).equals(holidays.sort("date"))


def test_an_empty_folder_has_no_rows(tmp_path: Path) -> None:
    assert raw.read_readings(tmp_path).schema == READINGS
    assert raw.read_weather(tmp_path).is_empty()
    assert raw.read_holidays(tmp_path).is_empty()
    assert raw.first_readings(tmp_path) == {}
    assert raw.last_reading(tmp_path) is None


def test_the_first_and_the_last_reading_are_known(tmp_path: Path) -> None:
    later = readings(series_id="b", start=START + timedelta(days=40))
    raw.write_source(tmp_path, source="scada", readings=pl.concat([readings(), later]))
    assert raw.first_readings(tmp_path) == {"a": START, "b": START + timedelta(days=40)}
    assert raw.last_reading(tmp_path) == START + timedelta(days=40, hours=95)


def test_dead_rows_are_replaced_and_vanish_when_there_are_none(tmp_path: Path) -> None:
    dead = pl.DataFrame({"row": [1], "reason": ["unparsable_time"]})
    path = raw.write_source(tmp_path, source="scada", readings=readings(), dead=dead)
    assert path is not None
    assert path.read_text() == "row,reason\n1,unparsable_time\n"
    assert raw.write_source(tmp_path, source="scada", readings=readings()) is None
    assert not path.exists()


def test_a_source_name_that_is_no_file_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"source '\.\./x'"):
        raw.write_source(tmp_path, source="../x", readings=readings())


def test_a_failed_write_leaves_the_old_files_whole_and_nothing_else(tmp_path: Path) -> None:
    raw.write_source(tmp_path, source="scada", readings=readings())
    before = tree(tmp_path)
    script = """
import resource, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
import polars as pl
from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import READINGS
from gridcast.ingestion.raw import write_source
times = pl.datetime_range(datetime(2024, 1, 30, tzinfo=UTC), datetime(2024, 3, 9, tzinfo=UTC), "1m", eager=True)
load = pl.int_range(len(times), eager=True).hash()
rows = pl.DataFrame({"series_id": "a", "valid_time": times, "load_mw": load, "available_at": times})
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
try:
    write_source(Path(sys.argv[1]), source="scada", readings=rows.cast(READINGS))
except GridcastError as error:
    sys.exit(f"refused: {error}")
"""
    ran = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert ran.stderr.startswith("refused: ")
    assert "cannot be written" in ran.stderr
    assert tree(tmp_path) == before
    assert not (tmp_path / ".writing").exists()


def test_what_an_interrupted_write_left_is_never_read_and_is_cleared(tmp_path: Path) -> None:
    left = tmp_path / ".writing" / "scada" / "000000"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"PAR1 half")
    assert raw.read_readings(tmp_path).is_empty()
    raw.write_source(tmp_path, source="scada", readings=readings())
    assert not left.exists()


def test_a_path_that_cannot_be_a_folder_is_one_clear_message(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("a file")
    with pytest.raises(GridcastError, match=r"cannot be written \(Not a directory\)"):
        raw.write_source(tmp_path / "raw", source="scada", readings=readings())
