"""`gridcast calendar` as it is typed, and what it says of files and days that cannot be."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from gridcast.cli import main

PIPELINE = """
sources: {meters: {kind: files, readings: loads.csv}}
hierarchy: {file: tree.csv, time_zone: Australia/Melbourne}
calendar:
  country: AU
  subdivision: VIC
  series: {"n_*": {subdivision: NSW}}
  events: events.csv
"""
Type = Callable[..., tuple[str, str]]


@pytest.fixture
def type_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Type:
    """Commands typed in a folder of a utility that serves two states."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config/pipeline_config.yaml").write_text(PIPELINE)
    (tmp_path / "tree.csv").write_text("series_id,level,parent_id\nall,system,\nn_1,zone,all\nv_1,zone,all\n")
    (tmp_path / "events.csv").write_text("start,end,name,series\n2024-09-28,,Grand Final,\n2024-11-05,,Regatta,v_1\n")
    monkeypatch.chdir(tmp_path)

    def typed(*words: str, code: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["gridcast", "calendar", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert (ended.value.code or 0) == code, said.err
        return said.out, said.err

    return typed


def test_a_year_is_listed_with_the_series_of_each_day(type_: Type) -> None:
    *printed, last = type_("--from", "2024-11-01", "--until", "2024-12-31")[0].splitlines()
    assert last == "2024-11-01 to 2024-12-31, days of 3 series: holidays: 3, bridges: 2, events: 1."
    assert [line.split() for line in printed] == [
        ["date", "weekday", "kind", "name", "series"],
        ["2024-11-04", "Monday", "bridge", "bridge", "day", "all,", "v_1"],
        ["2024-11-05", "Tuesday", "event", "Regatta", "v_1"],
        ["2024-11-05", "Tuesday", "holiday", "Melbourne", "Cup", "Day", "all,", "v_1"],
        ["2024-12-25", "Wednesday", "holiday", "Christmas", "Day", "all"],
        ["2024-12-26", "Thursday", "holiday", "Boxing", "Day", "all"],
        ["2024-12-27", "Friday", "bridge", "bridge", "day", "all"],
    ]


def test_the_days_of_one_series_go_to_a_file_and_to_a_program(type_: Type) -> None:
    told = json.loads(
        type_("--from", "2024-09-20", "--until", "2024-10-10", "--series", "n_1", "--to", "d.csv", "--format", "json")[
            0
        ]
    )
    assert told["days"] == [
        {"date": "2024-09-28", "weekday": "Saturday", "kind": "event", "name": "Grand Final", "series": None},
        {"date": "2024-10-07", "weekday": "Monday", "kind": "holiday", "name": "Labor Day", "series": None},
    ]
    assert pl.read_csv("d.csv").rows() == [
        ("2024-09-28", "Grand Final", "event", None),
        ("2024-10-07", "Labor Day", "holiday", "n_1"),
    ]


def test_without_a_country_nobody_has_holidays_and_the_remedy_is_told(
    type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDCAST_PIPELINE__CALENDAR", "{events: events.csv}")
    printed, said = type_("--from", "2024-10-01", "--until", "2024-12-31")
    assert printed.endswith("2024-12-31, days of 3 series: holidays: 0, bridges: 0, events: 1.\n")
    assert "no holidays are known from 2024-10-01 to 2024-12-31: set calendar.country" in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(
            ("--from", "2024-02-30"), "'2024-02-30' is not a day; expected one such as 2024-12-25", id="no day"
        ),
        pytest.param(
            ("--from", "2024-02-02", "--until", "2024-02-01"), "--until 2024-02-01: expected a day on or", id="order"
        ),
        pytest.param(("--series", "n_9"), "unknown series ['n_9']; expected any of ['all', 'n_1', 'v_1']", id="series"),
        pytest.param(("--to", "days.txt"), "--to days.txt: expected a name ending in .csv or .parquet", id="name"),
    ],
)
def test_options_that_cannot_be_are_refused(type_: Type, words: tuple[str, ...], told: str) -> None:
    assert told in type_(*words, code=2)[1]


def test_a_wrong_file_of_events_is_refused_with_its_line(type_: Type) -> None:
    Path("events.csv").write_text("start,name,series\n2024-11-05,Regatta,w_*\n")
    assert "events.csv:2: series is 'w_*'; expected a pattern that fits" in type_(code=2)[1]


def test_before_anything_was_ingested_events_of_series_to_come_are_no_error(type_: Type) -> None:
    Path("tree.csv").unlink()
    Path("config/pipeline_config.yaml").write_text(PIPELINE.replace("file: tree.csv, ", ""))
    printed, _ = type_("--from", "2024-09-28", "--until", "2024-11-05")
    assert [line.split()[3] for line in printed.splitlines() if " event " in line] == ["Grand"]
