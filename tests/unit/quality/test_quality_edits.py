"""Loads set by people: what is accepted, and that they overrule everything."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from support.cleaned import clean_readings
from support.faulty_readings import HOUR, START, at, between, replaced, steady

from gridcast.domain.errors import UsageError
from gridcast.domain.tables import EDITS
from gridcast.quality.edits import LINE, parse_edits
from gridcast.quality.limits import Limits
from gridcast.quality.summary import corrections

DAY = START + timedelta(days=30)
GOOD = {
    "series_id": "a",
    "start": "2024-03-01T00:00+01:00",
    "end": "2024-03-01T02:00Z",
    "load_mw": "12.5",
    "author": "kim",
    "reason": "meter changed",
    "edited_at": "2024-03-04 08:30:15+00:00",
}


def table(*rows: dict[str, str]) -> pl.DataFrame:
    lines = [{**GOOD, **row, LINE: number} for number, row in enumerate(rows, start=2)]
    return pl.DataFrame(lines, schema={**dict.fromkeys(EDITS.names(), pl.String()), LINE: pl.Int64()})


def edit(
    start: datetime, hours: int, load_mw: float | None, *, at: datetime = DAY, author: str = "kim"
) -> tuple[object, ...]:
    return "a", start, start + hours * HOUR, load_mw, author, f"because of {load_mw}", at


def edits(*rows: tuple[object, ...]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=EDITS, orient="row")


def cleaned(readings: pl.DataFrame, made: pl.DataFrame, *, zones: tuple[str, ...] = ("a",)) -> pl.DataFrame:
    return clean_readings(
        readings,
        span=(START, START + timedelta(days=40)),
        interval=HOUR,
        limits=Limits(),
        time_zones=dict.fromkeys(zones, "UTC"),
        edits=made,
    ).readings


def test_rows_become_utc_times_and_numbers_the_newest_edit_last() -> None:
    parsed = parse_edits(table({}, {"load_mw": "", "edited_at": "2024-03-01T00:00Z"}), source="edits.csv")
    assert parsed.schema == EDITS
    assert parsed["load_mw"].to_list() == [None, 12.5]
    assert parsed.row(1)[1:3] == (datetime(2024, 2, 29, 23, tzinfo=UTC), datetime(2024, 3, 1, 2, tzinfo=UTC))
    assert parsed["edited_at"][1] == datetime(2024, 3, 4, 8, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"series_id": " "}, "edits.csv:2: series_id is empty; expected the id of a series."),
        ({"author": ""}, "edits.csv:2: author is empty; expected who edits."),
        ({"reason": ""}, "edits.csv:2: reason is empty; expected why."),
        (
            {"start": "2024-03-01T00:00"},
            "edits.csv:2: start is '2024-03-01T00:00'; expected a time with its UTC offset,",
        ),
        ({"end": "soon"}, "edits.csv:2: end is 'soon'; expected a time with its UTC offset,"),
        ({"end": "2024-02-29T23:00Z"}, "edits.csv:2: end is '2024-02-29T23:00Z'; expected a time after start,"),
        ({"load_mw": "12,5"}, "edits.csv:2: load_mw is '12,5'; expected a number of MW, or nothing to mark the loads"),
        ({"load_mw": "inf"}, "edits.csv:2: load_mw is 'inf'; expected a number of MW"),
        (
            {"edited_at": "0001-01-01T00:00+14:00"},
            "edits.csv:2: edited_at is '0001-01-01T00:00+14:00'; expected a time",
        ),
    ],
)
def test_a_wrong_row_is_refused_with_line_value_and_expectation(wrong: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_edits(table(wrong), source="edits.csv")
    assert str(refused.value).startswith(told)


def test_an_edit_of_a_series_nobody_knows_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"edits.csv:2: series_id is 'zone_1'.*did you mean 'zone_01'"):
        parse_edits(table({"series_id": "zone_1"}), source="edits.csv", known_series=["zone_01", "zone_02"])


def test_the_first_five_wrong_rows_are_told_and_the_others_counted() -> None:
    with pytest.raises(UsageError) as refused:
        parse_edits(table(*[{"load_mw": "x"}] * 8), source="edits.csv")
    lines = str(refused.value).splitlines()
    assert [line.split(":")[1] for line in lines[:5]] == ["2", "3", "4", "5", "6"]
    assert lines[5:] == ["edits.csv: 3 more rows are wrong."]


def test_an_edit_overrules_readings_rules_and_gaps_and_keeps_the_raw_value() -> None:
    readings = replaced(steady().filter(~at(DAY + HOUR)), at(DAY), 900.0)
    rows = cleaned(readings, edits(edit(DAY, 3, 88.5))).filter(between(DAY, 3 * HOUR))
    assert rows.select("load_mw", "quality", "rule").unique().rows() == [(88.5, "edited", "edit")]
    assert rows["raw_load_mw"].to_list()[:2] == [900.0, None]
    assert rows["available_at"].to_list() == [DAY + (k + 1) * HOUR for k in range(3)]


def test_an_edit_is_known_when_it_was_made_and_changes_nothing_else() -> None:
    readings = steady()
    made = edits(edit(DAY, 2, 5.0, at=DAY + timedelta(days=5)))
    rows, plain = cleaned(readings, made), cleaned(readings, edits())
    where = between(DAY, 2 * HOUR)
    assert rows.filter(where)["available_at"].unique().to_list() == [DAY + timedelta(days=5)]
    assert rows.filter(~where).equals(plain.filter(~where))


def test_an_empty_edit_marks_loads_as_bad() -> None:
    row = cleaned(steady(), edits(edit(DAY, 1, None))).filter(at(DAY)).row(0, named=True)
    assert (row["load_mw"], row["quality"], row["rule"]) == (None, "bad", "edit")
    assert row["raw_load_mw"] == steady().filter(at(DAY))["load_mw"].item()


def test_of_overlapping_edits_the_one_made_last_counts_whatever_their_order() -> None:
    later = edit(DAY + HOUR, 1, 2.0, at=DAY + timedelta(days=2), author="lee")
    for rows in ([edit(DAY, 3, 1.0), later], [later, edit(DAY, 3, 1.0)]):
        clean = cleaned(steady(), edits(*rows))
        assert clean.filter(between(DAY, 3 * HOUR))["load_mw"].to_list() == [1.0, 2.0, 1.0]
        audit = corrections(clean, edits=edits(*rows))
        assert audit.select("load_mw", "author", "reason").rows() == [
            (1.0, "kim", "because of 1.0"),
            (2.0, "lee", "because of 2.0"),
            (1.0, "kim", "because of 1.0"),
        ]


def test_edits_of_other_series_and_times_are_left_out() -> None:
    readings = pl.concat([steady("a"), steady("b")])
    outside = edits(edit(START - timedelta(days=9), 3, 1.0), ("b", DAY, DAY + HOUR, 3.0, "kim", "why", DAY))
    clean = cleaned(readings, outside, zones=("a", "b"))
    assert clean.filter(quality="edited").select("series_id", "valid_time").rows() == [("b", DAY)]


def test_the_audit_lists_what_is_not_as_it_was_received() -> None:
    readings = replaced(steady().filter(~at(DAY + 9 * HOUR)), at(DAY), 900.0)
    audit = corrections(cleaned(readings, edits()))
    assert audit.select("valid_time", "raw_load_mw", "rule", "author").rows() == [
        (DAY, 900.0, "spike+interpolated", None),
        (DAY + 9 * HOUR, None, "gap+interpolated", None),
    ]
    quarters = cleaned(steady(interval=timedelta(minutes=15)), edits())
    assert quarters["rule"].unique().to_list() == ["resampled"]
    assert corrections(quarters).is_empty()
