"""What a local day is to a series: holiday, bridge day, event; alike for all that live by the same calendar."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from gridcast.domain.tables import HOLIDAYS, SPECIAL_DAYS, DayKind
from gridcast.features.day_calendar import DAY_TERMS, LocalCalendar, day_calendar, day_terms, local_calendars

HOUR = timedelta(hours=1)


def hours(start: str, days: int) -> np.ndarray:
    return np.datetime64(start, "us") + np.arange(days * 24) * np.timedelta64(HOUR)


def special(*rows: tuple[date, str, DayKind, str | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SPECIAL_DAYS, orient="row")


def test_the_terms_of_a_local_day_follow_its_holidays_and_events() -> None:
    ascension = LocalCalendar("Europe/Berlin", (date(2024, 5, 9),), (date(2024, 5, 11),))
    days = np.arange("2024-05-07", "2024-05-13", dtype="datetime64[D]")
    terms = dict(zip(DAY_TERMS, day_terms(days, calendar=ascension).T.tolist(), strict=True))
    nearness = terms.pop("nearness")
    assert nearness == pytest.approx([np.exp(-2 / 3), np.exp(-1 / 3), 0, np.exp(-1 / 3), np.exp(-2 / 3), np.exp(-1)])
    assert terms == {
        "holiday": [0, 0, 1, 0, 0, 0],
        "day_before": [0, 0, 0, 1, 0, 0],
        "day_after": [0, 1, 0, 0, 0, 0],
        "bridge": [0, 0, 0, 1, 0, 0],
        "event": [0, 0, 0, 0, 1, 0],
    }


def test_a_day_of_23_or_25_hours_is_special_for_all_of_them() -> None:
    changes = (date(2024, 3, 31), date(2024, 10, 27))
    calendar = LocalCalendar("Europe/Berlin", changes, changes)
    for start, width in (("2024-03-30", 23), ("2024-10-26", 25)):
        made = day_calendar(hours(start, 3), calendars=[calendar], interval=HOUR)
        assert made.holiday[0, :, [DAY_TERMS.index("holiday"), DAY_TERMS.index("event")]].sum(axis=1).tolist() == [
            width,
            width,
        ]
        flagged = np.flatnonzero(made.holiday[0, :, 0])
        assert made.hour_of_day[0, flagged[[0, -1]]].tolist() == [0, 23]


def test_series_share_a_calendar_if_clock_and_days_are_the_same() -> None:
    days = special(
        (date(2024, 1, 26), "Australia Day", DayKind.HOLIDAY, None),
        (date(2024, 3, 11), "Labour Day", DayKind.HOLIDAY, "v_1"),
        (date(2024, 3, 11), "Labour Day", DayKind.HOLIDAY, "v_2"),
        (date(2024, 2, 1), "a strike", DayKind.EVENT, "n_2"),
        (date(2024, 2, 2), "elsewhere", DayKind.EVENT, "another"),
    )
    clocks = dict.fromkeys(("v_1", "v_2", "n_1", "n_2"), "Australia/Melbourne") | {"b_1": "Australia/Brisbane"}
    found = local_calendars(clocks, special_days=days, time=hours("2024-01-01", 90))
    common = (date(2024, 1, 26),)
    assert found["v_1"] == found["v_2"] == LocalCalendar("Australia/Melbourne", (*common, date(2024, 3, 11)))
    assert found["n_1"] == LocalCalendar("Australia/Melbourne", common)
    assert found["n_2"] == LocalCalendar("Australia/Melbourne", common, (date(2024, 2, 1),))
    assert found["b_1"] == LocalCalendar("Australia/Brisbane", common)


def test_days_out_of_reach_keep_no_two_series_apart() -> None:
    days = special(
        (date(2023, 12, 16), "long ago", DayKind.HOLIDAY, "a"), (date(2024, 1, 17), "to come", DayKind.HOLIDAY, "b")
    )
    found = local_calendars({"a": "UTC", "b": "UTC"}, special_days=days, time=hours("2024-01-01", 1))
    assert found["a"] == found["b"] == LocalCalendar("UTC")


def test_plain_holidays_are_those_of_every_series() -> None:
    holidays = pl.DataFrame([(date(2024, 1, 1), "New Year")], schema=HOLIDAYS, orient="row")
    found = local_calendars({"a": "UTC", "b": "UTC"}, special_days=holidays, time=hours("2024-01-01", 1))
    assert found == dict.fromkeys("ab", LocalCalendar("UTC", (date(2024, 1, 1),)))
    assert local_calendars({"a": "UTC"}, special_days=None, time=hours("2024-01-01", 1)) == {"a": LocalCalendar("UTC")}
