"""Daily origins keep their hour on the local clock, whatever the clock does."""

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.evaluation.folds import daily_origins, refit_schedule

HORIZON = timedelta(hours=48)


@pytest.mark.parametrize(
    ("time_zone", "day", "expected"),
    [
        pytest.param("Europe/London", (2024, 3, 31), ("00:00", "23:00"), id="London spring: 23-hour day"),
        pytest.param("Europe/London", (2024, 10, 27), ("23:00", "00:00"), id="London autumn: 25-hour day"),
        pytest.param("America/New_York", (2024, 3, 10), ("05:00", "04:00"), id="New York spring: 23-hour day"),
        pytest.param("America/New_York", (2024, 11, 3), ("04:00", "05:00"), id="New York autumn: 25-hour day"),
        pytest.param("Australia/Melbourne", (2024, 10, 6), ("14:00", "13:00"), id="Melbourne spring: 23-hour day"),
        pytest.param("Australia/Melbourne", (2024, 4, 7), ("13:00", "14:00"), id="Melbourne autumn: 25-hour day"),
        pytest.param("Asia/Kolkata", (2024, 3, 31), ("18:30", "18:30"), id="Kolkata has no change, and half an hour"),
    ],
)
def test_origins_stay_at_local_midnight_over_a_clock_change(time_zone, day, expected) -> None:
    zone = ZoneInfo(time_zone)
    until = datetime(*day, tzinfo=zone) + timedelta(days=4)
    origins = daily_origins(until, time_zone=time_zone, days=4, horizon=HORIZON)
    assert all(origin.utcoffset() == timedelta(0) for origin in origins)
    assert [f"{origin.astimezone(zone):%H:%M}" for origin in origins] == ["00:00"] * len(origins)
    start = origins.index(datetime(*day, tzinfo=zone).astimezone(UTC))
    assert (f"{origins[start]:%H:%M}", f"{origins[start + 1]:%H:%M}") == expected


def test_an_hour_the_clock_skips_is_read_with_the_offset_before_the_change() -> None:
    until = datetime(2024, 3, 13, tzinfo=UTC)
    origins = daily_origins(until, time_zone="America/New_York", days=2, horizon=timedelta(hours=24), local_hour=2)
    assert origins[0] == datetime(2024, 3, 10, 7, tzinfo=UTC)


def test_of_an_hour_that_comes_twice_the_first_is_taken() -> None:
    until = datetime(2024, 11, 6, tzinfo=UTC)
    origins = daily_origins(until, time_zone="America/New_York", days=2, horizon=timedelta(hours=24), local_hour=1)
    assert origins[0] == datetime(2024, 11, 3, 5, tzinfo=UTC)


def test_twelve_weeks_of_two_day_horizons_have_83_origins() -> None:
    until = datetime(2008, 6, 30, 11, tzinfo=UTC)
    origins = daily_origins(until, time_zone="Etc/GMT+5", days=84, horizon=HORIZON)
    assert len(origins) == 83
    assert (origins[0], origins[-1]) == (datetime(2008, 4, 7, 5, tzinfo=UTC), datetime(2008, 6, 28, 5, tzinfo=UTC))


@settings(max_examples=30, deadline=None)
@given(
    hours=st.integers(0, 3 * 365 * 24),
    time_zone=st.sampled_from(["Europe/London", "America/New_York", "Australia/Melbourne", "Asia/Kolkata"]),
    days=st.integers(4, 20),
    local_hour=st.integers(0, 23),
)
def test_every_horizon_has_passed_and_no_day_is_left_out(hours, time_zone, days, local_hour) -> None:
    until = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    origins = daily_origins(until, time_zone=time_zone, days=days, horizon=HORIZON, local_hour=local_hour)
    dates = [origin.astimezone(ZoneInfo(time_zone)).date() for origin in origins]
    assert all(late - early == timedelta(days=1) for early, late in itertools.pairwise(dates))
    assert origins[-1] + HORIZON <= until < origins[-1] + HORIZON + timedelta(hours=26)


def test_a_period_shorter_than_the_horizon_is_refused() -> None:
    with pytest.raises(GridcastError, match="no complete horizon"):
        daily_origins(datetime(2024, 1, 9, tzinfo=UTC), time_zone="UTC", days=1, horizon=HORIZON)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"observed_until": datetime(2024, 1, 9, tzinfo=UTC).replace(tzinfo=None)}, id="time without zone"),
        pytest.param({"days": 0}, id="no day"),
        pytest.param({"horizon": timedelta(0)}, id="no horizon"),
        pytest.param({"local_hour": 24}, id="hour 24"),
    ],
)
def test_numbers_out_of_range_are_refused(wrong) -> None:
    good = {"observed_until": datetime(2024, 1, 9, tzinfo=UTC), "time_zone": "UTC", "days": 7, "horizon": HORIZON}
    with pytest.raises(ValueError, match="expected"):
        daily_origins(**(good | wrong))


@pytest.mark.parametrize(
    ("time_zone", "until"),
    [
        pytest.param("Europe/London", (2024, 4, 14), id="spring"),
        pytest.param("Europe/London", (2024, 11, 10), id="autumn"),
        pytest.param("Asia/Kolkata", (2024, 4, 14), id="no change"),
    ],
)
def test_folds_of_four_weeks_begin_on_the_same_local_day_over_a_clock_change(time_zone, until) -> None:
    end = datetime(*until, tzinfo=ZoneInfo(time_zone))
    origins = daily_origins(end, time_zone=time_zone, days=60, horizon=HORIZON)
    folds = refit_schedule(origins, every=timedelta(days=28), time_zone=time_zone)
    assert [len(fold.origins) for fold in folds] == [28, 28, 3]
    assert [fold.train_until for fold in folds] == [origins[0], origins[28], origins[56]]
    assert {f"{fold.train_until.astimezone(ZoneInfo(time_zone)):%H:%M}" for fold in folds} == {"00:00"}


@settings(max_examples=40, deadline=None)
@given(
    kept=st.lists(st.integers(0, 400), min_size=1, max_size=60, unique=True).map(sorted),
    days=st.integers(1, 90),
    time_zone=st.sampled_from(["Europe/London", "America/New_York", "Australia/Melbourne"]),
)
def test_every_origin_lies_in_one_fold_and_no_fold_is_longer_than_asked(kept, days, time_zone) -> None:
    start = datetime(2023, 6, 1, tzinfo=ZoneInfo(time_zone))
    origins = tuple((start + timedelta(days=day)).astimezone(UTC) for day in kept)
    folds = refit_schedule(origins, every=timedelta(days=days), time_zone=time_zone)
    assert tuple(origin for fold in folds for origin in fold.origins) == origins
    for fold in folds:
        assert fold.train_until == fold.origins[0]
        assert fold.origins[-1] - fold.origins[0] < timedelta(days=days)


@pytest.mark.parametrize("every", [timedelta(0), timedelta(hours=12), timedelta(days=1, hours=1)])
def test_trainings_that_are_not_whole_days_apart_are_refused(every) -> None:
    with pytest.raises(UsageError, match="expected whole days"):
        refit_schedule((datetime(2024, 1, 1, tzinfo=UTC),), every=every, time_zone="UTC")
