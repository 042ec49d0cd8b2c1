"""What is expected of series that have not sent anything."""

from datetime import UTC, datetime, timedelta

import polars as pl

from gridcast.domain.membership import Membership
from gridcast.domain.series import Hierarchy, Level, Series
from gridcast.domain.tables import READINGS
from gridcast.quality.aggregate import combine_sums, partial_sums
from gridcast.quality.limits import Limits
from gridcast.workflows.readings.block_name import BlockName
from gridcast.workflows.readings.rules import CleaningRules, since_when_expected

HOUR = timedelta(hours=1)
START = datetime(2024, 5, 1, tzinfo=UTC)
JOINS = START + timedelta(hours=6)
END = START + timedelta(hours=12)


def tree() -> Hierarchy:
    """Two meters below a system; the second joins after six hours."""
    return Hierarchy(
        (
            Series("system", Level.SYSTEM, "UTC"),
            Series("m1", Level.METER, "UTC", (Membership("system"),)),
            Series("m2", Level.METER, "UTC", (Membership("system", since=JOINS),)),
        )
    )


def test_a_meter_that_never_sent_is_expected_from_its_membership_on() -> None:
    assert since_when_expected({"m1": START}, hierarchy=tree()) == {"m1": START, "m2": JOINS}
    late = {"m1": START, "m2": JOINS + HOUR}
    assert since_when_expected(late, hierarchy=tree()) == late
    assert since_when_expected({"m1": END}, hierarchy=tree())["m2"] == END
    assert since_when_expected({}, hierarchy=tree()) == {}


def test_a_meter_that_never_sent_leaves_its_parent_incomplete_not_silently_low() -> None:
    time = pl.datetime_range(START, END, HOUR, closed="left", time_unit="us", eager=True)
    readings = pl.DataFrame(
        {"series_id": "m1", "valid_time": time, "load_mw": 5.0, "available_at": time + HOUR}, schema=READINGS
    )
    since = since_when_expected({"m1": START}, hierarchy=tree())
    rules = CleaningRules(HOUR, Limits(flatline=None), tree(), since)

    cleaned = rules.clean(rules.place(readings), BlockName(START, END))
    system = combine_sums(partial_sums(cleaned.readings, hierarchy=tree()))

    assert system["load_mw"].to_list() == [5.0] * 6 + [None] * 6
    assert set(system["rule"]) == {"sum_of_children", "sum_of_children+incomplete"}
