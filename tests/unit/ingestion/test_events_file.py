"""The file of one-off events."""

from datetime import date
from pathlib import Path

import pytest

from gridcast.domain.errors import UsageError
from gridcast.domain.tables import EVENTS
from gridcast.ingestion.events import read_events

SERIES = ("north_1", "north_2", "south")


def written(folder: Path, content: str) -> Path:
    path = folder / "events.csv"
    path.write_text(content)
    return path


def test_a_file_becomes_events_by_their_first_day(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "series,name,end,start,who\n"
        'north_*,"Strike, day by day",2024-07-03,2024-07-01,kim\n'
        ",,,,\n"
        ",Final,, 2024-06-30 ,kim\n",
    )
    events = read_events(path, known_series=SERIES)
    assert events.schema == EVENTS
    assert events.rows() == [
        (date(2024, 6, 30), date(2024, 6, 30), "Final", "*"),
        (date(2024, 7, 1), date(2024, 7, 3), "Strike, day by day", "north_*"),
    ]


def test_start_and_name_are_enough(tmp_path: Path) -> None:
    assert read_events(written(tmp_path, "start,name\n2024-06-30,Final\n")).rows() == [
        (date(2024, 6, 30), date(2024, 6, 30), "Final", "*")
    ]
    assert read_events(written(tmp_path, "start,name\n")).is_empty()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param("", "events.csv: the file is empty; expected a CSV file with the columns start, name", id="empty"),
        pytest.param(
            "date,name\n", r"events.csv:1: there is no column 'start'; .* as needed, end, series", id="column"
        ),
        pytest.param(
            "start,name\n2024-06-30,Final,x\n", r"events.csv:2: no row of a CSV file \(too_many_fields\)", id="ragged"
        ),
        pytest.param(
            "start,name\n2024-06-30,Final\n30.6.2024,Final\n",
            r"events.csv:3: start is '30\.6\.2024'; expected a local day, such as '2024-11-05'",
            id="day",
        ),
        pytest.param("start,name\n2024-06-31,Final\n", r"events.csv:2: start is '2024-06-31'", id="no such day"),
        pytest.param("start,end,name\n2024-06-30,2024-06-29,Final\n", r"events.csv:2: end is '2024-06-29'", id="end"),
        pytest.param("start,end,name\n2024-06-30,2042-06-30,Final\n", r"events.csv:2: end is '2042-06-30'", id="years"),
        pytest.param("start,name\n2024-06-30, \n", r"events.csv:2: name is empty; expected what happens", id="name"),
        pytest.param(
            "start,name,series\n2024-06-30,Final,nroth_*\n",
            r"events.csv:2: series is 'nroth_\*'; expected a pattern that fits the id of a series",
            id="series",
        ),
        pytest.param("start,name\n" + "soon,Final\n" * 7, r"(?s):6: start is 'soon'.*2 more rows are wrong", id="many"),
    ],
)
def test_a_wrong_file_is_refused_as_a_whole(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        read_events(written(tmp_path, content), known_series=SERIES)


def test_a_file_that_is_not_there_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere.csv: there is no such file; .* Set calendar.events in config"):
        read_events(tmp_path / "nowhere.csv")
