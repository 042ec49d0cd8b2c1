"""The user's own CSV and Parquet files: what is read, what is refused, what goes to the dead letters."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.domain.tables import READINGS, UTC_TIME, WEATHER
from gridcast.ingestion.connectors.files import read_holidays, read_readings, read_weather
from gridcast.ingestion.tabular.columns import DEAD_ROWS, Parsed
from gridcast.ingestion.tabular.formats import FileFormat, TextFormat, WeatherFormat
from gridcast.ingestion.tabular.timestamps import to_utc

HEADER = "series_id,valid_time,load_mw"
HALF_HOUR = timedelta(minutes=30)


def written(folder: Path, *lines: str, name: str = "meter.csv", header: str = HEADER, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n", encoding=encoding)
    return path


def read(path: Path, file_format: FileFormat | None = None) -> Parsed:
    return read_readings(path, file_format=file_format or FileFormat())


def reasons(parsed: Parsed) -> list[tuple[int, str]]:
    return parsed.dead.select("row", "reason").rows()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2024-01-01T01:00:00+01:00", id="offset"),
        pytest.param("2024-01-01 00:00:00Z", id="zulu"),
        pytest.param("2024-01-01T05:30+0530", id="offset without colon"),
        pytest.param("2023-12-31T19:00:00.000-05", id="offset in hours"),
        pytest.param(" 2024-01-01T00:00:00 +00:00 ", id="spaces"),
    ],
)
def test_timestamps_with_an_offset_become_utc(tmp_path: Path, text: str) -> None:
    rows = read(written(tmp_path, f"a,{text},1.5")).rows
    assert rows.schema == READINGS
    start = datetime(2024, 1, 1, tzinfo=UTC)
    assert rows.rows() == [("a", start, 1.5, start + timedelta(hours=1))]


def test_naive_timestamps_without_a_zone_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(GridcastError, match=r"2024-01-01 00:00 has no UTC offset and no time zone is set.*time_zone"):
        read(written(tmp_path, "a,2024-01-01 00:00,1"))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param("a,yesterday,1", "unparsable_time", id="time"),
        pytest.param("a,2024-02-30T00:00:00Z,1", "unparsable_time", id="no such day"),
        pytest.param("a,2024-01-01T00:00:00,1", "time_without_offset", id="one without offset among others"),
        pytest.param("a,2024-01-01T00:00:00Z,much", "load_not_a_number", id="text"),
        pytest.param("a,2024-01-01T00:00:00Z,", "missing_load", id="empty"),
        pytest.param("a,2024-01-01T00:00:00Z,inf", "load_not_finite", id="infinite"),
        pytest.param("a,2024-01-01T00:00:00Z,NaN", "load_not_finite", id="not a number"),
        pytest.param(",2024-01-01T00:00:00Z,1", "missing_series_id", id="series"),
        pytest.param("a,2024-01-01T00:00:00Z,1,234", "too_many_fields", id="thousands separator"),
    ],
)
def test_a_bad_row_is_kept_aside_with_its_reason_and_the_good_ones_are_read(
    tmp_path: Path, line: str, reason: str
) -> None:
    parsed = read(written(tmp_path, "a,2024-01-01T00:00:00Z,1", line, "a,2024-01-01T02:00:00Z,-3"))
    assert parsed.rows["load_mw"].to_list() == [1.0, -3.0]
    assert parsed.dead.schema == DEAD_ROWS
    assert parsed.dead.rows() == [("meter.csv", 2, reason, line)]


@settings(max_examples=25, deadline=None)
@given(bad=st.lists(st.booleans(), min_size=1, max_size=12))
def test_every_row_is_either_read_or_dead(tmp_path_factory: pytest.TempPathFactory, bad: list[bool]) -> None:
    lines = [f"a,2024-01-01T{hour:02d}:00:00Z,{'x' if is_bad else hour}" for hour, is_bad in enumerate(bad)]
    parsed = read(written(tmp_path_factory.mktemp("rows"), *lines))
    assert parsed.rows.height == bad.count(False)
    assert [row for row, _ in reasons(parsed)] == [row for row, is_bad in enumerate(bad, start=1) if is_bad]


def test_local_times_of_an_autumn_night_are_told_apart_by_their_order(tmp_path: Path) -> None:
    stamps = ["00:30", "01:00", "01:30", "01:00", "01:30", "02:00"]
    lines = [f"{name},2024-10-27 {stamp},1" for stamp in stamps for name in ("a", "b")]
    file_format = FileFormat(text=TextFormat(interval=HALF_HOUR, time_zone="Europe/London"))
    rows = read(written(tmp_path, *lines), file_format).rows
    first = datetime(2024, 10, 26, 23, 30, tzinfo=UTC)
    expected = [first + HALF_HOUR * step for step in range(6)]
    for name in ("a", "b"):
        assert rows.filter(series_id=name)["valid_time"].to_list() == expected


def test_an_autumn_night_written_newest_first_is_read_backwards(tmp_path: Path) -> None:
    lines = [f"a,2024-10-27 {stamp},1" for stamp in ("02:00", "01:30", "01:00", "01:30", "01:00", "00:30")]
    file_format = FileFormat(text=TextFormat(interval=HALF_HOUR, time_zone="Europe/London"))
    times = read(written(tmp_path, *lines), file_format).rows["valid_time"]
    assert times.to_list() == [datetime(2024, 10, 27, 2, tzinfo=UTC) - HALF_HOUR * step for step in range(6)]


def test_a_local_hour_that_does_not_exist_is_dead(tmp_path: Path) -> None:
    lines = ["a,2024-03-10 01:00,1", "a,2024-03-10 02:00,1", "a,2024-03-10 03:00,1"]
    parsed = read(written(tmp_path, *lines), FileFormat(text=TextFormat(time_zone="America/New_York")))
    assert parsed.rows["valid_time"].dt.hour().to_list() == [6, 7]
    assert reasons(parsed) == [(2, "nonexistent_local_time")]


@settings(max_examples=20, deadline=None)
@given(
    zone=st.sampled_from(["Europe/London", "America/New_York", "Australia/Melbourne", "Asia/Kolkata"]),
    day=st.dates(date(2023, 1, 1), date(2025, 1, 1)),
)
def test_local_times_in_order_come_back_to_the_instants_they_were_written_from(zone: str, day: date) -> None:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    utc = pl.datetime_range(noon, noon + timedelta(days=240), HALF_HOUR, eager=True).cast(UTC_TIME)
    local = utc.dt.convert_time_zone(zone).dt.strftime("%Y-%m-%d %H:%M")
    parsed = to_utc(local, series=pl.repeat("a", len(utc), eager=True), text=TextFormat(time_zone=zone), where="test")
    assert (parsed["time"] == utc).all()


@pytest.mark.parametrize(
    ("unit", "minutes", "load_mw"),
    [("MW", 60, 2.0), ("kW", 60, 0.002), ("MWh", 30, 4.0), ("kWh", 15, 0.008), ("kWh", 60, 0.002)],
)
def test_power_and_energy_become_megawatts(tmp_path: Path, unit: str, minutes: int, load_mw: float) -> None:
    file_format = FileFormat(unit=unit, text=TextFormat(interval=timedelta(minutes=minutes)))
    rows = read(written(tmp_path, "a,2024-01-01T00:00:00Z,2"), file_format).rows
    assert rows["load_mw"].item() == pytest.approx(load_mw)
    assert (rows["available_at"] - rows["valid_time"]).item() == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda: FileFormat(unit="GW"), r"unit 'GW'.*expected one of \['MW', 'kW'", id="power"),
        pytest.param(lambda: WeatherFormat(unit="K"), "unit 'K'.*'C', 'F'", id="temperature"),
        pytest.param(lambda: TextFormat(time_zone="London"), "'London' is not an IANA time zone", id="zone"),
        pytest.param(lambda: TextFormat(interval=timedelta(0)), "not positive", id="interval"),
        pytest.param(lambda: TextFormat(decimal_comma=True), "separator ','", id="decimal comma"),
    ],
)
def test_an_impossible_format_is_refused(make: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


def test_columns_separator_and_numbers_can_be_the_users_own(tmp_path: Path) -> None:
    path = written(tmp_path, "Nord;31.01.2024 13:00;1,5;31.01.2024 14:30", header="Ort;Zeit;Last;Empfang")
    text = TextFormat(time_zone="Europe/Berlin", time_format="%d.%m.%Y %H:%M", separator=";", decimal_comma=True)
    file_format = FileFormat(series_id="Ort", valid_time="Zeit", load="Last", received="Empfang", text=text)
    noon = datetime(2024, 1, 31, 12, tzinfo=UTC)
    assert read(path, file_format).rows.rows() == [("Nord", noon, 1.5, noon + timedelta(minutes=90))]


def test_an_unreadable_receipt_is_dead_and_an_empty_one_counts_as_the_intervals_end(tmp_path: Path) -> None:
    lines = ["a,2024-01-01T00:00:00Z,1,soon", "a,2024-01-01T01:00:00Z,2,"]
    parsed = read(written(tmp_path, *lines, header=f"{HEADER},got"), FileFormat(received="got"))
    assert reasons(parsed) == [(1, "unparsable_received_time")]
    assert parsed.rows["available_at"].to_list() == [datetime(2024, 1, 1, 2, tzinfo=UTC)]


def test_a_file_without_a_series_column_is_named_by_its_file(tmp_path: Path) -> None:
    path = written(tmp_path, "2024-01-01T00:00:00Z,1", header="valid_time,load_mw", name="feeder_7.csv")
    assert read(path, FileFormat(series_id=None)).rows["series_id"].to_list() == ["feeder_7"]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    assert read(written(tmp_path, "a,2024-01-01T00:00:00Z,1", encoding="utf-8-sig")).rows.height == 1


def test_folders_and_patterns_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    written(tmp_path, "b,2024-01-01T00:00:00Z,2", name="b.csv")
    written(tmp_path / "deep", "c,2024-01-01T00:00:00Z,3", name="c.csv")
    parquet = read(written(tmp_path, "a,2024-01-01T00:00:00Z,1", name="a.csv")).rows.drop("available_at")
    parquet.write_parquet(tmp_path / "z.parquet")
    assert read(tmp_path).rows["series_id"].to_list() == ["a", "b", "c", "a"]
    assert read(tmp_path / "?.csv").rows["series_id"].to_list() == ["a", "b"]


def test_parquet_with_local_times_is_localised(tmp_path: Path) -> None:
    rows = pl.DataFrame({"series_id": ["a"], "valid_time": ["2024-07-01 12:00"], "load_mw": [3]})
    rows.with_columns(pl.col("valid_time").str.to_datetime()).write_parquet(tmp_path / "a.parquet")
    parsed = read(tmp_path / "a.parquet", FileFormat(text=TextFormat(time_zone="Europe/London")))
    assert parsed.rows["valid_time"].to_list() == [datetime(2024, 7, 1, 11, tzinfo=UTC)]


def test_a_misspelt_column_is_named_with_its_likely_spelling(tmp_path: Path) -> None:
    path = written(tmp_path, "a,2024-01-01T00:00:00Z,1", header="series_id,valid_time,Load_MW")
    with pytest.raises(GridcastError, match=r"no column 'load_mw'.*Did you mean 'Load_MW'\?"):
        read(path)


def test_a_missing_file_is_named_with_its_likely_spelling(tmp_path: Path) -> None:
    written(tmp_path, "a,2024-01-01T00:00:00Z,1", name="meters.csv")
    with pytest.raises(GridcastError, match=r"no such file.*Did you mean 'meters\.csv'\?"):
        read(tmp_path / "meter.csv")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("a.csv", b"", "the file is empty", id="no bytes"),
        pytest.param("a.csv", HEADER.encode(), "the file is empty", id="header only"),
        pytest.param("a.csv", b"\xff\xd8\xff\xe0\0\x10JFIF\n\x89", "there is no column 'series_id'", id="a picture"),
        pytest.param("a.parquet", b"PAR1 cut off", "not a whole Parquet file", id="cut Parquet"),
    ],
)
def test_a_damaged_file_is_refused_with_one_message(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(GridcastError, match=message):
        read(tmp_path / name)


def test_a_column_that_holds_no_times_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"series_id": ["a"], "valid_time": [17], "load_mw": [1.0]}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(GridcastError, match="holds Int64; expected timestamps"):
        read(tmp_path / "a.parquet")


def test_weather_in_fahrenheit_becomes_celsius(tmp_path: Path) -> None:
    path = written(tmp_path, "s,2024-01-01T00:00:00Z,50", "s,2024-01-01T01:00:00Z,cold", header="station,time,f")
    weather = WeatherFormat(station_id="station", valid_time="time", temperature="f", unit="F")
    parsed = read_weather(path, weather_format=weather)
    assert parsed.rows.schema == WEATHER
    assert parsed.rows["temperature_c"].item() == pytest.approx(10)
    assert reasons(parsed) == [(2, "temperature_not_a_number")]


def test_holidays_are_read_once_each_and_bad_dates_are_dead(tmp_path: Path) -> None:
    lines = ["2024-12-25,Christmas Day", "2024-12-25,Christmas Day", "25/12/2024,Christmas Day", "2024-01-01,New Year"]
    parsed = read_holidays(written(tmp_path, *lines, header="date,name"))
    assert parsed.rows.rows() == [(date(2024, 1, 1), "New Year"), (date(2024, 12, 25), "Christmas Day")]
    assert reasons(parsed) == [(3, "unparsable_date")]
