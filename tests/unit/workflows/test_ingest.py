from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.domain.tables import READINGS
from gridcast.ingestion.raw import position_of, read_holidays, read_readings, read_weather
from gridcast.ingestion.source import Batch
from gridcast.ingestion.tabular.formats import FileFormat, WeatherFormat
from gridcast.workflows.readings.ingest import FileSource, Ingested, append, ingest

NOW = datetime(2024, 6, 1, tzinfo=UTC)


@dataclass
class Given:
    """A source of prepared batches; notes what was kept when it was told so."""

    prepared: list[Batch]
    directory: Path | None = None
    fails_before: int | None = None
    kept_when_told: list[tuple[str, str | None]] = field(default_factory=list)

    def batches(self, position: str | None) -> Iterator[Batch]:
        for number, each in enumerate(self.prepared):
            if number == self.fails_before:
                raise GridcastError("gone.")
            if position is None or int(each.position) > int(position):
                yield each

    def done(self, position: str) -> None:
        if self.directory is not None:
            self.kept_when_told.append((position, position_of(self.directory, "iso")))


def batch(number: int, *, at: datetime = datetime(2024, 5, 1, tzinfo=UTC)) -> Batch:
    rows = [("a", at, float(number), at + timedelta(hours=1))]
    return Batch.of(position=str(number), readings=pl.DataFrame(rows, schema=READINGS, orient="row"))


def ingest_csv(folder: Path, rows: str) -> Ingested:
    file = folder / "readings.csv"
    file.write_text("series_id,valid_time,load_mw\n" + rows)
    source = FileSource(str(file), None, None, FileFormat(), WeatherFormat())
    return ingest(folder / "raw", source=source, now=NOW)


def test_readings_from_an_impossible_time_are_rejected_and_kept(tmp_path: Path) -> None:
    done = ingest_csv(
        tmp_path,
        "a,2024-06-01T01:00:01Z,1\na,1970-01-01T00:00:00Z,2\na,2024-06-01T01:00:00Z,3\na,2024-05-01T00:00:00Z,4\n",
    )

    assert done.rejected == {"time_out_of_range": 2}
    assert read_readings(tmp_path / "raw")["load_mw"].sort().to_list() == [3.0, 4.0]
    assert done.dead_letter is not None
    assert "a,2024-06-01 01:00:01" in done.dead_letter.read_text()


def ingest_weather(folder: Path, rows: str, *, holidays: str | None = None) -> Ingested:
    (folder / "weather.csv").write_text("station_id,valid_time,temperature_c\n" + rows)
    (folder / "holidays.csv").write_text(f"date,name\n{holidays}")
    days = None if holidays is None else str(folder / "holidays.csv")
    source = FileSource(None, str(folder / "weather.csv"), days, FileFormat(), WeatherFormat())
    return ingest(folder / "raw", source=source, now=NOW, name="met")


def test_weather_from_an_impossible_time_is_rejected_and_a_forecast_is_not(tmp_path: Path) -> None:
    times = ["1989-12-31T23:00:00Z", "1990-01-01T00:00:00Z", "2025-06-02T00:00:00Z", "2025-06-02T00:00:01Z"]
    done = ingest_weather(tmp_path, "".join(f"s,{time},{number}\n" for number, time in enumerate(times)))
    assert done.rejected == {"time_out_of_range": 2}
    assert read_weather(tmp_path / "raw")["temperature_c"].to_list() == [1.0, 2.0]
    assert done.dead_letter is not None
    assert "s,1989-12-31 23:00:00" in done.dead_letter.read_text()


@pytest.mark.parametrize(
    ("rows", "holidays", "told"),
    [
        ("s,2024-05-01T00:00:00Z,cold\n", None, r"weather\.csv: none of 1 rows could be used .*expected weather like"),
        ("s,2099-01-01T00:00:00Z,1\n", None, r"weather\.csv: none of 1 rows could be used \(time_out_of_range: 1\)"),
        ("s,2024-05-01T00:00:00Z,1\n", "soon,May Day\n", r"holidays\.csv: none of 1 rows .*expected holidays like"),
    ],
)
def test_a_file_without_a_usable_row_changes_nothing(
    tmp_path: Path, rows: str, holidays: str | None, told: str
) -> None:
    ingest_weather(tmp_path, "s,2024-05-01T00:00:00Z,11.5\n", holidays="2024-05-01,May Day\n")
    with pytest.raises(GridcastError, match=told):
        ingest_weather(tmp_path, rows, holidays=holidays)
    assert read_weather(tmp_path / "raw")["temperature_c"].to_list() == [11.5]
    assert read_holidays(tmp_path / "raw").height == 1


def test_a_data_folder_holds_one_source(tmp_path: Path) -> None:
    ingest(tmp_path / "raw", source=None, now=NOW)
    before = read_readings(tmp_path / "raw")

    with pytest.raises(UsageError, match="holds the readings of gefcom2012, and these are of files"):
        ingest_csv(tmp_path, "a,2024-05-01T00:00:00Z,4\n")
    with pytest.raises(UsageError, match="holds the readings of gefcom2012, and these are of iso"):
        append(tmp_path / "raw", source=Given([batch(0)]), name="iso", now=NOW)

    assert read_readings(tmp_path / "raw").equals(before)


def test_the_sample_is_not_put_beside_other_readings(tmp_path: Path) -> None:
    append(tmp_path / "raw", source=Given([batch(0)]), name="iso", now=NOW)
    with pytest.raises(UsageError, match="holds the readings of iso, and these are of gefcom2012"):
        ingest(tmp_path / "raw", source=None, now=NOW)


def test_sources_of_ones_own_stand_side_by_side(tmp_path: Path) -> None:
    append(tmp_path / "raw", source=Given([batch(0)]), name="iso", now=NOW)
    ingest_csv(tmp_path, "b,2024-05-01T00:00:00Z,4\n")
    assert read_readings(tmp_path / "raw")["series_id"].to_list() == ["b", "a"]


def test_files_may_bring_weather_alone(tmp_path: Path) -> None:
    file = tmp_path / "weather.csv"
    file.write_text("station_id,valid_time,temperature_c\ns,2024-05-01T00:00:00Z,11.5\n")
    done = ingest(
        tmp_path / "raw", source=FileSource(None, str(file), None, FileFormat(), WeatherFormat()), name="met", now=NOW
    )
    assert (done.readings, done.weather) == (0, 1)
    assert read_weather(tmp_path / "raw")["temperature_c"].to_list() == [11.5]


def test_each_batch_is_kept_before_the_source_hears_of_it_and_the_next_run_goes_on_behind_it(tmp_path: Path) -> None:
    source = Given([batch(0), batch(1)], directory=tmp_path / "raw")
    done = append(tmp_path / "raw", source=source, name="iso", now=NOW)
    assert (done.readings, done.series) == (2, frozenset({"a"}))
    assert source.kept_when_told == [("0", "0"), ("1", "1")]
    assert append(tmp_path / "raw", source=Given([batch(0), batch(1), batch(2)]), name="iso", now=NOW).readings == 1


def test_readings_of_impossible_times_are_rejected_batch_by_batch(tmp_path: Path) -> None:
    source = Given([batch(0), batch(1, at=NOW + timedelta(hours=2)), batch(2, at=datetime(1900, 1, 1, tzinfo=UTC))])
    done = append(tmp_path / "raw", source=source, name="iso", now=NOW)
    assert (done.readings, done.rejected) == (1, {"time_out_of_range": 2})
    assert done.dead_letter == tmp_path / "raw" / "dead_letter" / "iso-*.csv"
    assert len(list(done.dead_letter.parent.glob("iso-*.csv"))) == 2


def test_a_dry_run_keeps_nothing_and_tells_the_source_nothing(tmp_path: Path) -> None:
    source = Given([batch(0)], directory=tmp_path / "raw")
    assert append(tmp_path / "raw", source=source, name="iso", now=NOW, dry_run=True).readings == 1
    assert source.kept_when_told == []
    assert not (tmp_path / "raw").exists()


def test_a_source_that_fails_half_way_says_what_is_kept(tmp_path: Path) -> None:
    source = Given([batch(0), batch(1)], fails_before=1)
    with pytest.raises(GridcastError, match=r"gone\. 1 rows that came before are kept\."):
        append(tmp_path / "raw", source=source, name="iso", now=NOW)
    assert position_of(tmp_path / "raw", "iso") == "0"
