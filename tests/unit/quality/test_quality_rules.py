"""Single rules on small arrays, and the clock and grid under them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.domain.tables import READINGS, UTC_TIME
from gridcast.quality.estimation import estimate
from gridcast.quality.grid import NEVER, Clock, build_clock, build_grid
from gridcast.quality.limits import Limits
from gridcast.quality.received import sift
from gridcast.quality.rules import flatline_verdict, is_above, is_below
from gridcast.quality.spike import is_spike

HOUR = timedelta(hours=1)
START = datetime(2024, 1, 1, tzinfo=UTC)


def clock(days: int = 30, *, zone: str = "UTC", start: datetime = START, interval: timedelta = HOUR) -> Clock:
    return build_clock(start, start + timedelta(days=days), interval=interval, time_zone=zone)


def readings(*rows: tuple[str, datetime, float, datetime]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=READINGS, orient="row")


@pytest.mark.parametrize(
    ("zone", "minute"), [("UTC", 0), ("Asia/Kolkata", 30), ("Australia/Melbourne", 0), ("Asia/Kathmandu", 15)]
)
def test_intervals_start_at_whole_local_hours(zone: str, minute: int) -> None:
    times = pl.Series(clock(2, zone=zone).utc_us).cast(UTC_TIME)
    assert times.dt.minute().unique().to_list() == [minute]
    assert times[0] >= START
    assert times[0] < START + HOUR


@pytest.mark.parametrize("zone", ["Europe/London", "America/New_York", "Australia/Melbourne", "Asia/Kolkata"])
@pytest.mark.parametrize("interval", [timedelta(minutes=30), HOUR], ids=["30 min", "60 min"])
def test_days_before_keep_the_wall_time_all_year(zone: str, interval: timedelta) -> None:
    year = clock(366, zone=zone, interval=interval)
    times = [datetime.fromtimestamp(each / 1e6, ZoneInfo(zone)) for each in year.utc_us]
    for days in (1, 7):
        found = year.same_time_days_before(days)
        pairs = [(times[slot], times[earlier]) for slot, earlier in enumerate(found) if earlier >= 0]
        apart = {now.replace(tzinfo=None) - then.replace(tzinfo=None) for now, then in pairs}
        odd = [1 for now, then in pairs if now.replace(tzinfo=None) - then.replace(tzinfo=None) != timedelta(days=days)]
        assert apart <= {timedelta(days=days), timedelta(days=days) - HOUR}
        assert len(odd) <= HOUR // interval
        assert len(pairs) >= len(times) - (days * 24 + 1) * (HOUR // interval)


def test_a_reading_off_the_grid_is_moved_to_its_interval_and_marked() -> None:
    late = readings(("a", START + timedelta(minutes=7), 5.0, START + HOUR))
    grid = build_grid(late, series_ids=["a"], clock=clock(1))
    assert grid.load_mw[0, 0] == 5.0
    assert grid.is_resampled[0].tolist() == [True] + [False] * 23


def test_the_mean_of_an_interval_does_not_depend_on_the_order_of_its_readings() -> None:
    values = [0.1, 0.2, 0.3, 1e5]
    rows = [("a", START + timedelta(minutes=15 * k), value, START + HOUR) for k, value in enumerate(values)]
    forward = build_grid(readings(*rows), series_ids=["a"], clock=clock(1)).load_mw[0, 0]
    assert build_grid(readings(*rows[::-1]), series_ids=["a"], clock=clock(1)).load_mw[0, 0] == forward
    assert forward == pytest.approx(sum(values) / 4)


def test_readings_coarser_than_the_interval_are_refused() -> None:
    rows = [("a", START + 2 * HOUR * k, 1.0, START + 2 * HOUR * (k + 1)) for k in range(30)]
    with pytest.raises(GridcastError, match=r"'a'.*within 1:00:00.*or finer"):
        build_grid(readings(*rows), series_ids=["a"], clock=clock(3))


def test_the_reading_received_last_wins_and_among_equals_the_last_in_order() -> None:
    rows = [("a", START, value, START + HOUR * hours) for value, hours in ((1.0, 2), (2.0, 3), (3.0, 3), (4.0, 1))]
    kept, removed = sift(readings(*rows), known_series=["a"])
    assert kept["load_mw"].to_list() == [3.0]
    assert removed.select("load_mw", "reason").rows() == [(4.0, "duplicate"), (1.0, "duplicate"), (2.0, "duplicate")]


def test_readings_of_unknown_series_and_without_a_finite_load_are_removed() -> None:
    rows = [("a", START, float("nan"), START), ("b", START, 1.0, START), ("a", START + HOUR, 2.0, START)]
    kept, removed = sift(readings(*rows), known_series=["a"])
    assert kept["load_mw"].to_list() == [2.0]
    assert removed["reason"].to_list() == ["not_finite", "unknown_series"]


def test_the_range_includes_its_ends() -> None:
    load = np.array([[-0.1, 0.0, 10.0, 10.1, np.nan]])
    limits = Limits(max_load_mw=10.0)
    assert is_below(load, limits=limits)[0].tolist() == [True, False, False, False, False]
    assert is_above(load, limits=limits)[0].tolist() == [False, False, False, True, False]


def test_a_flatline_is_exactly_the_run_that_is_long_enough() -> None:
    load = np.array([[1, 2, 2, 2, 3, 3, 3, 3, 0, 0, 0, 0, 0, np.nan, np.nan, np.nan, np.nan]], dtype=float)
    known = np.arange(17)[None, :].astype(np.int64) * 100
    slots = build_clock(START, START + 17 * HOUR, interval=HOUR, time_zone="UTC")
    verdict = flatline_verdict(load, known, clock=slots, limits=Limits(flatline=4 * HOUR))
    assert np.flatnonzero(verdict[0] != NEVER).tolist() == [4, 5, 6, 7]
    assert verdict[0, 4:8].tolist() == [700] * 4


def test_no_flatline_rule_finds_no_flatline() -> None:
    load = np.ones((1, 24))
    assert (
        flatline_verdict(load, np.zeros((1, 24), np.int64), clock=clock(1), limits=Limits(flatline=None)) == NEVER
    ).all()


def test_a_load_that_switches_on_and_off_every_day_has_no_spikes() -> None:
    generator = np.random.default_rng(0)
    load = np.full((1, 60 * 24), 80.0) + generator.normal(0, 1, (1, 60 * 24))
    for day in range(60):
        off = 24 * day + generator.integers(0, 20)
        load[0, off : off + 3] = 20
    assert is_spike(load, clock=clock(60), limits=Limits()).sum() <= 5


def test_a_spike_needs_three_like_days() -> None:
    load = np.full((1, 24 * 10), 100.0)
    load[0, 24 * 2 + 5] = load[0, 24 * 9 + 5] = 500.0
    assert np.flatnonzero(is_spike(load, clock=clock(10), limits=Limits())[0]).tolist() == [24 * 9 + 5]


def test_the_estimate_from_last_week_is_scaled_to_the_hours_around_the_gap() -> None:
    load = np.tile(10.0 + np.arange(24) % 24, 14)[None, :]
    load[0, 7 * 24 :] *= 1.5
    truth = load.copy()
    load[0, 10 * 24 + 5 : 10 * 24 + 12] = np.nan
    known = np.arange(load.shape[1], dtype=np.int64)[None, :]
    estimates = estimate(load, known, clock=clock(14), limits=Limits())
    filled = slice(10 * 24 + 5, 10 * 24 + 12)
    assert np.allclose(estimates.load_mw[0, filled], truth[0, filled])
    assert np.isfinite(estimates.load_mw).sum() == 7
    assert estimates.available_us[0, filled].tolist() == [10 * 24 + 14] * 7


def test_without_the_week_before_a_long_gap_stays_open() -> None:
    load = np.ones((1, 5 * 24))
    load[0, 50:60] = np.nan
    estimates = estimate(load, np.zeros(load.shape, np.int64), clock=clock(5), limits=Limits())
    assert np.isnan(estimates.load_mw).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        pytest.param({"max_load_mw": -1.0}, "above min_load_mw", id="maximum below minimum"),
        pytest.param({"spike_z": 0.0}, "spike_z is 0.0; expected a value above 0", id="no deviation"),
        pytest.param({"flatline": timedelta(days=2)}, "at most 12:00:00", id="flatline beyond the context"),
        pytest.param({"max_estimated_gap": timedelta(days=2)}, "from 0 to 1 day", id="gap beyond the context"),
        pytest.param({"max_interpolated_gap": timedelta(days=2)}, "max_estimated_gap", id="gaps the wrong way round"),
    ],
)
def test_impossible_limits_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Limits(**wrong)
