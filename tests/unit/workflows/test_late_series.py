"""A series is late when its newest load is older than allowed, and never when it is no longer part of any sum."""

from datetime import UTC, datetime, timedelta

from gridcast.domain.series import Hierarchy, Level, Membership, Series
from gridcast.workflows.watching.late_series import late_series

NOW = datetime(2024, 3, 31, 1, tzinfo=UTC)
AN_HOUR = timedelta(hours=1)
MOMENT = timedelta(microseconds=1)
UNTIL_NOW = Membership("system", None, NOW)
HIERARCHY = Hierarchy(
    (
        *(Series(each, Level.METER, "Europe/London", (Membership("system"),)) for each in ("fresh", "old", "silent")),
        Series("retired", Level.METER, "Europe/London", (UNTIL_NOW,)),
        Series("system", Level.SYSTEM, "Europe/London"),
    )
)


def test_only_what_is_older_than_allowed_or_not_there_is_late() -> None:
    newest = {"fresh": NOW - AN_HOUR, "old": NOW - AN_HOUR - MOMENT, "system": NOW}
    assert late_series(HIERARCHY, newest, at=NOW, max_age=AN_HOUR) == ("old", "silent")


def test_a_series_that_is_retired_was_late_until_then() -> None:
    newest = dict.fromkeys(("fresh", "old", "silent", "system"), NOW)
    assert late_series(HIERARCHY, newest, at=NOW - MOMENT, max_age=AN_HOUR) == ("retired",)
    assert late_series(HIERARCHY, newest, at=NOW, max_age=AN_HOUR) == ()
