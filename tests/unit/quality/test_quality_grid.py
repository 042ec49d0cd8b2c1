"""The clock, the grid and how readings are laid onto it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import READINGS, UTC_TIME
from gridcast.quality.cells import Placed, place
from gridcast.quality.grid import Booleans, Clock, Grid, build_clock
from gridcast.quality.placement import build_grid
from gridcast.quality.received import sift

HOUR = timedelta(hours=1)
START = datetime(2024, 1, 1, tzinfo=UTC)


def clock(days: int = 30, *, zone: str = "UTC", start: datetime = START, interval: timedelta = HOUR) -> Clock:
    return build_clock(start, start + timedelta(days=days), interval=interval, time_zone=zone)


def readings(*rows: tuple[str, datetime, float, datetime]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=READINGS, orient="row")


def grid_of(rows: pl.DataFrame, *, clock: Clock, series_ids: tuple[str, ...] = ("a",), upsample: bool = False) -> Grid:
    placed = place(rows, time_zones=dict.fromkeys(series_ids, "UTC"), interval=clock.interval)
    return build_grid(placed.cells, series_ids=series_ids, clock=clock, upsample=upsample)


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
    grid = grid_of(late, clock=clock(1))
    assert grid.load_mw[0, 0] == 5.0
    assert grid.is_resampled[0].tolist() == [True] + [False] * 23


def test_the_mean_of_an_interval_does_not_depend_on_the_order_of_its_readings() -> None:
    values = [0.1, 0.2, 0.3, 1e5]
    rows = [("a", START + timedelta(minutes=15 * k), value, START + HOUR) for k, value in enumerate(values)]
    forward = grid_of(readings(*rows), clock=clock(1)).load_mw[0, 0]
    assert grid_of(readings(*rows[::-1]), clock=clock(1)).load_mw[0, 0] == forward
    assert forward == pytest.approx(sum(values) / 4)


def test_readings_coarser_than_the_interval_are_refused() -> None:
    rows = [("a", START + 2 * HOUR * k, 1.0, START + 2 * HOUR * (k + 1)) for k in range(30)]
    with pytest.raises(GridcastError, match=r"'a'.*come 2:00:00 apart.*or finer"):
        grid_of(readings(*rows), clock=clock(3))


def test_a_stray_reading_does_not_make_a_coarse_series_fine() -> None:
    stray = coarse(timedelta(minutes=15), hours=1, start=START + 20 * HOUR)[1:2]
    for block in (coarse(HOUR, hours=30), coarse(HOUR, hours=30)[4:]):
        with pytest.raises(GridcastError, match=r"'a'.*come 1:00:00 apart"):
            grid_of(pl.concat([block, stray]), clock=clock(2, interval=timedelta(minutes=15)))


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(np.arange(240) % 10 < 3, id="long gaps"),
        pytest.param(np.random.default_rng(1).random(240) < 0.4, id="most readings lost at random"),
        pytest.param(np.arange(240) > 50, id="a late beginning"),
    ],
)
def test_gaps_do_not_make_a_fine_series_coarse(kept: Booleans) -> None:
    some = coarse(HOUR, hours=240).filter(pl.Series(kept))
    grid = grid_of(some, clock=clock(10))
    assert np.isfinite(grid.load_mw).sum() == some.height


def test_readings_that_come_early_or_late_keep_their_usual_spacing() -> None:
    minutes = np.random.default_rng(3).integers(-2, 3, 240)
    rows = [("a", START + HOUR * (k + 1) + timedelta(minutes=int(off)), 1.0, START) for k, off in enumerate(minutes)]
    assert np.isfinite(grid_of(readings(*rows), clock=clock(11)).load_mw).any()


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


def coarse(interval: timedelta, *, hours: int, start: datetime = START) -> pl.DataFrame:
    """Readings 1, 2, 3 … of series 'a', each known when its interval ends."""
    rows = [
        ("a", start + k * interval, float(k + 1), start + (k + 1) * interval) for k in range(hours * HOUR // interval)
    ]
    return readings(*rows)


@pytest.mark.parametrize("own", [timedelta(minutes=minutes) for minutes in (15, 30, 60)], ids=["15", "30", "60 min"])
def test_a_coarser_reading_is_held_over_its_intervals_if_asked_for(own: timedelta) -> None:
    five = timedelta(minutes=5)
    grid = grid_of(coarse(own, hours=6), clock=clock(1, interval=five), upsample=True)
    parts = own // five
    expected = np.repeat(np.arange(1.0, 6 * HOUR // own + 1), parts)
    assert grid.load_mw[0, : len(expected)].tolist() == expected.tolist()
    assert np.isnan(grid.load_mw[0, len(expected) :]).all()
    assert grid.is_upsampled[0].sum() == len(expected)
    assert grid.reading_span[0, 0] == parts


def test_a_lost_coarse_reading_is_a_gap_and_the_one_before_is_not_held_over_it() -> None:
    quarter = timedelta(minutes=15)
    hourly = coarse(HOUR, hours=30).filter(pl.col("valid_time") != START + 20 * HOUR)
    grid = grid_of(hourly, clock=clock(2, interval=quarter), upsample=True)
    assert np.flatnonzero(np.isnan(grid.load_mw[0, :120])).tolist() == [80, 81, 82, 83]


def test_a_held_first_reading_is_known_once_the_next_one_tells_its_length() -> None:
    quarter = timedelta(minutes=15)
    grid = grid_of(coarse(HOUR, hours=6), clock=clock(1, interval=quarter), upsample=True)
    known = pl.Series(grid.available_us[0, :8]).cast(UTC_TIME).to_list()
    assert known == [START + 2 * HOUR] * 8


def test_a_meter_that_changes_to_a_finer_interval_is_held_no_longer_than_its_first_finer_reading() -> None:
    quarter = timedelta(minutes=15)
    changed = pl.concat([coarse(HOUR, hours=48), coarse(quarter, hours=24, start=START + 48 * HOUR)])
    grid = grid_of(changed, clock=clock(3, interval=quarter), upsample=True)
    assert grid.is_upsampled[0].tolist() == [True] * (4 * 48 + 1) + [False] * (4 * 24 - 1)


def test_finer_and_coarser_series_of_one_run_meet_on_the_interval() -> None:
    half = timedelta(minutes=30)
    fine = coarse(timedelta(minutes=5), hours=30).with_columns(pl.lit("fine").alias("series_id"))
    mixed = pl.concat([fine, coarse(HOUR, hours=30)])
    grid = grid_of(mixed, series_ids=("a", "fine"), clock=clock(2, interval=half), upsample=True)
    assert grid.load_mw[:, :4].tolist() == [[1.0, 1.0, 2.0, 2.0], [3.5, 9.5, 15.5, 21.5]]
    assert (grid.is_upsampled[:, 0].tolist(), grid.is_resampled[:, 0].tolist()) == ([True, False], [False, True])


def test_a_lost_fine_reading_leaves_its_share_of_the_interval_uncovered() -> None:
    quarters = coarse(timedelta(minutes=15), hours=30).filter(
        pl.col("valid_time") != START + timedelta(hours=20, minutes=30)
    )
    grid = grid_of(quarters, clock=clock(2))
    assert grid.received_share[0, 18:22].tolist() == [1.0, 1.0, 0.75, 1.0]
    assert grid.reading_span[0, 20] == 0.25
    assert not grid.is_partial.any()


def test_averaging_survives_absurd_readings() -> None:
    rows = [("a", START + timedelta(minutes=15 * k), value, START + HOUR) for k, value in enumerate((1e300, 1.0))]
    assert grid_of(readings(*rows), clock=clock(1)).load_mw[0, 0] > 1e20


@settings(max_examples=30, deadline=None)
@given(
    seconds=st.lists(st.integers(0, 6 * 3600), min_size=1, max_size=60),
    cut=st.integers(1, 11),
    seed=st.integers(0, 99),
)
def test_what_is_placed_piece_by_piece_is_what_is_placed_at_once(seconds: list[int], cut: int, seed: int) -> None:
    zones = {"a": "UTC", "b": "Asia/Kolkata"}
    at = [START + timedelta(seconds=each) for each in seconds]
    loads = np.random.default_rng(seed).choice([1.0, 2.0, np.nan], len(at))
    rows = readings(*((("a", "b", "c")[i % 3], time, loads[i], time + HOUR) for i, time in enumerate(at)))
    half = timedelta(minutes=30)
    is_early = pl.col("valid_time") < START + cut * half
    whole = place(rows, time_zones=zones, interval=half)
    parts = Placed.together(
        place(each, time_zones=zones, interval=half) for each in (rows.filter(is_early), rows.filter(~is_early))
    )
    key = ["series_id", "valid_time"]
    assert_frame_equal(parts.cells.sort(key), whole.cells.sort(key), check_exact=True)
    assert_frame_equal(parts.removed.sort(pl.all()), whole.removed.sort(pl.all()), check_exact=True)


def test_a_reading_received_long_before_its_interval_is_early_and_one_of_a_fast_clock_is_not() -> None:
    ahead = timedelta(hours=3)
    rows = readings(("a", START + ahead, 1.0, START), ("a", START + HOUR + ahead, 2.0, START + timedelta(minutes=59)))
    kept, removed = sift(rows, known_series=["a"])
    assert kept["load_mw"].to_list() == [1.0]
    assert removed.select("load_mw", "reason").rows() == [(2.0, "early")]
