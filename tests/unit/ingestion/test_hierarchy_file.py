"""The tree of series from a CSV file, and what is said about a file that holds none."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gridcast.domain.errors import UsageError
from gridcast.domain.membership import Membership
from gridcast.domain.series import Hierarchy, Level, Series
from gridcast.ingestion.hierarchy_file import read_hierarchy

HEADER = "series_id,level,parent_id,time_zone,since,until,name"
TREE = (
    HEADER,
    "grid,system,,Europe/London,,,",
    "north,zone,grid,Europe/London,,,Nördlich",
    "s1,substation,north,Europe/London,,,",
    "s2,substation,north,Europe/London,,,",
    "f1,feeder,s1,Europe/London,,2024-03-31T06:00+01:00,",
    "f1,feeder,s2,Europe/London,2024-03-31T06:00+01:00,,",
    "m1,METER,f1,Europe/London,2024-04-01,2024-11-01,",
)


def written(directory: Path, *lines: str, end: str = "\n", encoding: str = "utf-8") -> Path:
    path = directory / "tree.csv"
    path.write_bytes((end.join(lines) + end).encode(encoding))
    return path


def problems(path: Path, *, time_zone: str | None = None) -> list[str]:
    """What is said about a file, line by line."""
    with pytest.raises(UsageError) as refused:
        read_hierarchy(path, time_zone=time_zone)
    return [line.removeprefix(f"{path}:") for line in str(refused.value).splitlines()]


def problem(directory: Path, *rows: str) -> str:
    """The one thing that is said about a system, a zone and some more rows."""
    base = (HEADER, "grid,system,,UTC,,,", "north,zone,grid,UTC,,,")
    (found,) = problems(written(directory, *base, *rows))
    return found


def test_rows_are_series_and_their_parents_over_time(tmp_path: Path) -> None:
    tree = read_hierarchy(written(tmp_path, *TREE))
    switch = datetime(2024, 3, 31, 5, tzinfo=UTC)
    assert tree.ids == ("grid", "north", "s1", "s2", "f1", "m1")
    assert tree.root == "grid"
    assert tree.select(["f1"])[0] == Series(
        "f1", Level.FEEDER, "Europe/London", (Membership("s1", None, switch), Membership("s2", switch))
    )


def test_the_tree_of_the_user_guide_is_one(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[3] / "docs/user_guide.md").read_text()
    lines = guide.split("## Hierarchy")[1].split("```text\n")[1].split("```")[0].splitlines()
    tree = read_hierarchy(written(tmp_path, *lines))
    assert tree.parents_at(datetime(2024, 3, 31, 5, tzinfo=UTC))["f1"] == "s2"


def test_a_day_begins_at_midnight_of_the_series(tmp_path: Path) -> None:
    (meter,) = read_hierarchy(written(tmp_path, *TREE)).select(["m1"])
    since, until = datetime(2024, 3, 31, 23, tzinfo=UTC), datetime(2024, 11, 1, tzinfo=UTC)
    assert meter.memberships == (Membership("f1", since, until),)


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        pytest.param("Africa/Cairo", "2024-04-26", datetime(2024, 4, 25, 22, tzinfo=UTC), id="midnight is skipped"),
        pytest.param("America/Havana", "2024-11-03", datetime(2024, 11, 3, 4, tzinfo=UTC), id="midnight comes twice"),
    ],
)
def test_a_day_begins_with_its_first_moment(tmp_path: Path, zone: str, day: str, expected: datetime) -> None:
    path = written(tmp_path, HEADER, f"grid,system,,{zone},,,", f"m,meter,grid,{zone},{day},,")
    assert read_hierarchy(path).select(["m"])[0].memberships[0].since == expected


@pytest.mark.parametrize(
    ("separator", "end", "encoding"),
    [
        pytest.param(",", "\r\n", "utf-8-sig", id="byte order mark and CRLF"),
        pytest.param(";", "\r\n", "cp1252", id="semicolons in Windows-1252"),
        pytest.param("\t", "\n", "utf-16", id="tabs in UTF-16"),
        pytest.param(",", "\r", "utf-8", id="old line ends"),
    ],
)
def test_the_same_tree_is_read_however_it_was_saved(tmp_path: Path, separator: str, end: str, encoding: str) -> None:
    expected = read_hierarchy(written(tmp_path, *TREE))
    lines = [line.replace(",", separator) for line in TREE]
    assert read_hierarchy(written(tmp_path, *lines, end=end, encoding=encoding)) == expected


def test_columns_stand_in_any_order_and_empty_rows_and_spaces_do_not_matter(tmp_path: Path) -> None:
    path = written(tmp_path, " Parent_ID , SERIES_ID,level", ",grid,system", "", ",,", " grid , north , zone ")
    tree = read_hierarchy(path, time_zone="Asia/Kolkata")
    assert tree.parents_at(datetime(2024, 1, 1, tzinfo=UTC)) == {"north": "grid"}
    assert set(tree.time_zones.values()) == {"Asia/Kolkata"}


def test_a_zone_in_the_file_goes_before_that_of_the_settings(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, "grid,system,,,,,", "a,zone,grid,Europe/London,,,")
    assert read_hierarchy(path, time_zone="Europe/Paris").time_zones == {"grid": "Europe/Paris", "a": "Europe/London"}


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        pytest.param(
            ["a,meeter,north,UTC"], "4: level 'meeter'; expected meter, feeder, .*did you mean meter", id="level"
        ),
        pytest.param(
            ["a,meter,north,Mars"], "4: time_zone: 'Mars' is not an IANA time zone; expected a", id="time zone"
        ),
        pytest.param(
            ["a,meter,north,"], "4: there is no time_zone; expected an IANA zone here or as hier", id="no zone"
        ),
        pytest.param([",meter,north,UTC"], "4: there is no series_id; expected the name of the series", id="no name"),
        pytest.param(
            ["a,meter,south,UTC"], "4: series 'a' has the parent 'south', which is not a series;", id="parent"
        ),
        pytest.param(
            ["a,system,north,UTC"], "4: series 'a' has the parent 'north', a zone below a system;", id="below"
        ),
        pytest.param(
            ["a,meter,north,UTC,31.03.2024"], "4: since '31.03.2024' is no time; expected a local day", id="day"
        ),
        pytest.param(["a,meter,north,UTC,2024-02-30"], "4: since '2024-02-30' is no time; expected", id="no such day"),
        pytest.param(
            ["a,meter,north,UTC,,2024-03-31T06:00"], "4: until '2024-03-31T06:00' has no UTC offs", id="offset"
        ),
        pytest.param(
            ["a,meter,north,UTC,2024-01-02,2024-01-01"], "4: since is 2024-01-02 .* expected since be", id="order"
        ),
        pytest.param(
            ["a,meter,,UTC,2024-01-02"], "4: since or until without a parent_id; expected the", id="no parent"
        ),
        pytest.param(
            ["a,meter,north,UTC,,,A,B,C"],
            r"4: no row of a CSV file \(too_many_fields\): 'a,meter,north,UTC,,,A,B,C'; exp",
            id="too long",
        ),
        pytest.param(
            ["a,meter,north,UTC,,2024-02-01", "a,meter,grid,UTC,2024-01-01"],
            "5: series 'a' is summed into 'north' until 2024-02-01 .* and into 'grid' since 2024-01-01 .*; expec",
            id="two parents at once",
        ),
        pytest.param(
            ["a,meter,north,UTC,,2024-02-01", "a,feeder,grid,UTC,2024-03-01"],
            "5: series 'a' has the level feeder, but meter in line 4; expected one",
            id="two levels",
        ),
        pytest.param(
            ["a,meter,north,UTC,,2024-02-01", "a,meter,grid,Asia/Tokyo,2024-03-01"],
            "5: series 'a' has the time_zone Asia/Tokyo, but UTC in line 4; expected one",
            id="two zones",
        ),
        pytest.param(
            ["a,meter,north,UTC,,2024-02-01", "a,meter,,UTC"],
            "5: series 'a' has 2 rows; expected a parent_id in each of them",
            id="a row without a parent",
        ),
        pytest.param(["a,zone,a,UTC"], "4: series 'a' is above itself in the hierarchy; expected a tree", id="circle"),
    ],
)
def test_each_problem_is_told_with_its_line_its_value_and_what_was_expected(
    tmp_path: Path, rows: list[str], says: str
) -> None:
    found = problem(tmp_path, *rows)
    assert re.match(says, found), found


def test_all_problems_are_told_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    found = problems(
        written(
            tmp_path,
            HEADER,
            "grid,system,,UTC,,,",
            "other,system,,UTC,,,",
            "a,meeter,nobody,Mars,yesterday,,",
            "b,meter,a,UTC,,,",
            "c,meter,nobody,UTC,,,",
        )
    )
    assert [each.split(":")[0] for each in found] == ["2", "3", "4", "4", "4", "6"]
    assert not any("'b'" in each for each in found)


def test_of_very_many_problems_the_first_are_shown_and_the_others_counted(tmp_path: Path) -> None:
    rows = (f"m{number},meter,nobody,UTC,,," for number in range(1_234))
    found = problems(written(tmp_path, HEADER, "grid,system,,UTC,,,", *rows))
    assert len(found) == 51
    assert found[-1].endswith("1,184 more problems.")


@pytest.mark.parametrize(
    ("header", "says"),
    [
        pytest.param(
            "series_id,level,parent", "there is no column 'parent_id'; column 'parent' is unknown (did you", id="name"
        ),
        pytest.param(
            "series_id,level,parent_id,sinc", "column 'sinc' is unknown (did you mean since?); acc", id="unknown"
        ),
        pytest.param("series_id,level,parent_id,level", "column 'level' comes twice; accepted are", id="twice"),
    ],
)
def test_a_header_that_cannot_be_used_is_told_in_one_line(tmp_path: Path, header: str, says: str) -> None:
    (found,) = problems(written(tmp_path, header))
    assert found.startswith(f"1: {says}")


def test_a_file_without_rows_has_no_system(tmp_path: Path) -> None:
    assert problems(written(tmp_path, HEADER)) == ["1: there is no series without a parent; expected one, the system."]


def test_a_file_that_is_not_there_is_told_with_where_to_set_it(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match="there is no such file; expected a CSV file with the columns series_id, level, par"
    ):
        read_hierarchy(tmp_path / "nothing.csv")


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_told_with_the_columns_it_needs(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "tree.csv"
    path.write_bytes(data)
    with pytest.raises(
        UsageError, match="the file is empty; expected a CSV file with the columns series_id, level, par"
    ):
        read_hierarchy(path)


def test_lines_that_are_no_rows_are_told_beside_the_other_problems(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, "grid,system,,UTC,,,", '"open,meter,grid,UTC,,,', "a,meter,nobody,UTC,,,")
    assert [each.split(" (")[0] for each in problems(path)] == [
        "3: no row of a CSV file",
        "4: series 'a' has the parent 'nobody', which is not a series; expected the id of another one.",
    ]


def large_tree(directory: Path) -> Path:
    """Ten thousand meters on five levels; each was commissioned on a day of its own."""
    levels = [
        ("zone", 4, "grid", 1),
        ("substation", 40, "zone", 4),
        ("feeder", 400, "substation", 40),
    ]
    rows = [
        f"{level}{number},{level},{parent if parent == 'grid' else f'{parent}{number % above}'},Europe/London,,,"
        for level, count, parent, above in levels
        for number in range(count)
    ]
    meters = (
        f"m{number},meter,feeder{number % 400},Europe/London,2020-0{number % 9 + 1}-01,," for number in range(10_000)
    )
    return written(directory, HEADER, "grid,system,,Europe/London,,,", *rows, *meters)


def test_ten_thousand_meters_are_one_tree(tmp_path: Path) -> None:
    tree: Hierarchy = read_hierarchy(large_tree(tmp_path))
    assert len(tree.leaves) == 10_000
