"""What `gridcast quality` tells: completeness, rules, worst series, energy."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from gridcast.domain.tables import CLEAN_READINGS
from gridcast.quality.received import REMOVED
from gridcast.quality.summary import add_counts, energy_balance, quality_counts, rule_totals, worst_offenders

HOUR = timedelta(hours=1)
START = datetime(2024, 1, 1, tzinfo=UTC)
Row = tuple[str, float | None, float | None, str, str]


def clean(*rows: Row) -> pl.DataFrame:
    """Rows of (series, load, raw load, quality, rule), an hour apart."""
    times = [START + HOUR * k for k in range(len(rows))]
    columns = {
        "series_id": [row[0] for row in rows],
        "valid_time": times,
        "load_mw": [row[1] for row in rows],
        "raw_load_mw": [row[2] for row in rows],
        "quality": [row[3] for row in rows],
        "rule": [row[4] for row in rows],
        "available_at": times,
    }
    return pl.DataFrame(columns, schema=CLEAN_READINGS)


ROWS = clean(
    ("a", 10.0, 10.0, "good", ""),
    ("a", 12.0, 90.0, "estimated", "spike+interpolated"),
    ("a", 13.0, None, "estimated", "gap+interpolated"),
    ("a", None, -4.0, "bad", "negative"),
    ("b", 7.0, 7.0, "good", ""),
    ("b", None, None, "missing", "gap"),
    ("c", 5.0, 5.0, "good", "resampled"),
)
DEAD = pl.DataFrame(
    [("a", START, 3.0, START, "duplicate"), ("b", START, float("nan"), START, "not_finite")],
    schema=REMOVED,
    orient="row",
)


@pytest.mark.parametrize(("interval", "factor"), [(HOUR, 1.0), (timedelta(minutes=15), 0.25)])
def test_energy_is_balanced_by_cause(interval: timedelta, factor: float) -> None:
    balance = energy_balance(quality_counts(ROWS, DEAD, interval=interval))
    assert balance.columns == ["series_id", "received", "removed", "gap", "negative", "spike", "processed"]
    rows = [[value / factor for value in row[1:]] for row in balance.iter_rows()]
    assert rows == [[99, 3, 13, 4, -78, 35], [7, 0, 0, 0, 0, 7], [5, 0, 0, 0, 0, 5]]


def test_energy_of_a_cause_is_counted_once_and_that_of_its_remedy_not_at_all() -> None:
    totals = rule_totals(quality_counts(ROWS, DEAD, interval=HOUR))
    assert totals.rows() == [
        ("rule", "gap", 2, 2, 13.0),
        ("rule", "interpolated", 1, 2, 0.0),
        ("removed", "duplicate", 1, 1, 3.0),
        ("rule", "negative", 1, 1, 4.0),
        ("removed", "not_finite", 1, 1, 0.0),
        ("rule", "resampled", 1, 1, 0.0),
        ("rule", "spike", 1, 1, -78.0),
    ]


def test_the_worst_series_come_first_with_the_cause_behind_them() -> None:
    worst = worst_offenders(quality_counts(ROWS, DEAD, interval=HOUR))
    assert worst.rows() == [
        ("a", 0.25, 0.0, 0.5, 0.75, "gap"),
        ("b", 0.0, 0.5, 0.0, 0.5, "gap"),
    ]
    assert worst_offenders(quality_counts(ROWS, DEAD, interval=HOUR), most=1)["series_id"].to_list() == ["a"]


def test_without_trouble_there_is_no_worst_series() -> None:
    fine = quality_counts(clean(("a", 1.0, 1.0, "good", "")), REMOVED.to_frame(), interval=HOUR)
    assert worst_offenders(fine).is_empty()
    assert energy_balance(fine).to_dicts() == [{"series_id": "a", "received": 1.0, "removed": 0.0, "processed": 1.0}]


def test_counts_can_be_added_in_any_order() -> None:
    parts = [quality_counts(ROWS[:3], DEAD, interval=HOUR), quality_counts(ROWS[3:], DEAD.clear(), interval=HOUR)]
    whole = quality_counts(ROWS, DEAD, interval=HOUR)
    assert add_counts(pl.concat(parts)).equals(whole)
    assert add_counts(pl.concat(parts[::-1])).equals(whole)
