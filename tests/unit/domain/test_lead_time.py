"""Lead times, their buckets and how many intervals a horizon holds."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridcast.domain.lead_time import LEAD_BUCKETS, bucket_of_lead, lead_count

WEEK = timedelta(weeks=1)
INTERVALS = [timedelta(minutes=minutes) for minutes in (5, 15, 30, 60)]


def test_buckets_follow_each_other_from_zero_to_a_week() -> None:
    assert LEAD_BUCKETS[0].start == timedelta(0)
    assert LEAD_BUCKETS[-1].end == WEEK
    assert all(before.end == after.start for before, after in pairwise(LEAD_BUCKETS))


def test_buckets_are_labelled_in_hours() -> None:
    assert [each.label for each in LEAD_BUCKETS] == ["0–6 h", "6–12 h", "12–24 h", "24–48 h", "48–96 h", "96–168 h"]


@given(lead=st.timedeltas(min_value=timedelta(0), max_value=WEEK - timedelta(microseconds=1)))
def test_every_lead_under_a_week_is_in_one_bucket(lead: timedelta) -> None:
    found = bucket_of_lead(lead)
    assert [each for each in LEAD_BUCKETS if each.start <= lead < each.end] == [found]


@pytest.mark.parametrize(
    ("lead", "label"),
    [
        (timedelta(0), "0–6 h"),
        (timedelta(hours=6) - timedelta(microseconds=1), "0–6 h"),
        (timedelta(hours=6), "6–12 h"),
        (timedelta(hours=47, minutes=45), "24–48 h"),
        (timedelta(hours=48), "48–96 h"),
    ],
)
def test_a_bucket_holds_its_start_and_not_its_end(lead: timedelta, label: str) -> None:
    assert bucket_of_lead(lead).label == label


@pytest.mark.parametrize("lead", [-timedelta(microseconds=1), WEEK, timedelta.max])
def test_a_lead_outside_a_week_is_refused(lead: timedelta) -> None:
    with pytest.raises(ValueError, match="is outside 0 ≤ lead < 7 days"):
        bucket_of_lead(lead)


@given(count=st.integers(1, 5_000), interval=st.sampled_from(INTERVALS))
def test_a_horizon_holds_as_many_intervals_as_it_was_made_of(count: int, interval: timedelta) -> None:
    assert lead_count(count * interval, interval) == count


@given(
    count=st.integers(0, 5_000),
    interval=st.sampled_from(INTERVALS),
    rest=st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(minutes=4)),
)
def test_a_horizon_that_ends_inside_an_interval_is_refused(count: int, interval: timedelta, rest: timedelta) -> None:
    with pytest.raises(ValueError, match="is not a whole, positive number of intervals of"):
        lead_count(count * interval + rest, interval)


@pytest.mark.parametrize("horizon", [timedelta(0), -timedelta(hours=1)])
def test_a_horizon_must_hold_one_interval_at_least(horizon: timedelta) -> None:
    with pytest.raises(ValueError, match="is not a whole, positive number of intervals of 1:00:00"):
        lead_count(horizon, timedelta(hours=1))
