"""What is repaired at once: slips of unit and clock, coarser readings, limits of single series."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from support.cleaned import clean_readings
from support.faulty_readings import HOUR, START, at, between, replaced, steady

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import READINGS
from gridcast.quality.limits import Limits

DAY = timedelta(days=1)
DST_ZONES = ("Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")


def cleaned(
    readings: pl.DataFrame,
    *,
    zone: str = "UTC",
    interval: timedelta = HOUR,
    series_limits: dict[str, Limits] | None = None,
    upsample: bool = False,
) -> pl.DataFrame:
    times = readings["valid_time"].to_list()
    return clean_readings(
        readings,
        span=(min(times), min(times) + 40 * DAY),
        interval=interval,
        limits=Limits(),
        time_zones=dict.fromkeys(readings["series_id"].unique(), zone),
        series_limits=series_limits,
        upsample=upsample,
    ).readings


@pytest.mark.parametrize("factor", [1000.0, 0.001])
def test_a_unit_slip_is_divided_back_flagged_and_kept_as_raw(factor: float) -> None:
    readings, where = steady(), between(START + 30 * DAY, 40 * HOUR)
    slipped = pl.when(where).then(pl.col("load_mw") * factor).otherwise("load_mw").alias("load_mw")
    clean = cleaned(readings.with_columns(slipped))
    rows = clean.filter(where)
    assert rows.select("quality", "rule").unique().rows() == [("estimated", "unit_slip+rescaled")]
    assert np.allclose(rows["load_mw"], readings.filter(where)["load_mw"])
    assert np.allclose(rows["raw_load_mw"], readings.filter(where)["load_mw"] * factor)
    assert rows["available_at"].equals(readings.filter(where)["available_at"])
    assert clean.filter(~where)["quality"].unique().to_list() == ["good"]


def test_a_gap_beside_a_unit_slip_is_closed_with_the_values_put_right() -> None:
    readings, where = steady(), between(START + 30 * DAY, 40 * HOUR)
    slipped = pl.when(where).then(pl.col("load_mw") * 1000).otherwise("load_mw").alias("load_mw")
    hole = at(START + 30 * DAY + 4 * HOUR)
    row = cleaned(readings.with_columns(slipped).filter(~hole)).filter(hole).row(0, named=True)
    assert row["rule"] == "gap+interpolated"
    assert row["load_mw"] == pytest.approx(readings.filter(hole)["load_mw"].item(), rel=0.02)


@pytest.mark.parametrize("hours", [-3, -2, 2, 3])
def test_days_on_a_slipped_clock_are_moved_back_and_the_raw_values_stay_where_they_were(hours: int) -> None:
    readings, where = steady(), between(START + 30 * DAY, 3 * DAY)
    stamped = readings.filter(where).with_columns(pl.col("valid_time") + hours * HOUR)
    clean = cleaned(pl.concat([readings.filter(~where), stamped]))
    moved = clean.filter(pl.col("rule") == "clock_slip+shifted")
    inside = moved.filter(between(START + 30 * DAY + 4 * HOUR, 3 * DAY - 8 * HOUR))
    truth = inside.join(readings, on=["series_id", "valid_time"], suffix="_true")
    assert moved.height > 0.8 * 72
    assert np.array_equal(truth["load_mw"], truth["load_mw_true"])
    assert set(moved["quality"]) == {"estimated"}
    raw = clean.filter(between(START + 31 * DAY, DAY))["raw_load_mw"]
    sent = readings.filter(between(START + 31 * DAY - hours * HOUR, DAY))["load_mw"]
    assert raw.to_list() == sent.to_list()
    assert (moved["available_at"] >= moved["valid_time"] + HOUR).all()
    assert moved["available_at"].min() > START + 31 * DAY
    quiet = clean.filter(~between(START + 30 * DAY - 8 * HOUR, 3 * DAY + 16 * HOUR))
    assert quiet["quality"].unique().to_list() == ["good"]


@pytest.mark.parametrize(
    ("zone", "change"),
    [
        ("Europe/London", datetime(2024, 3, 31, tzinfo=UTC)),
        ("Europe/London", datetime(2024, 10, 27, tzinfo=UTC)),
        ("America/New_York", datetime(2024, 11, 3, 4, tzinfo=UTC)),
    ],
)
def test_a_source_that_did_not_follow_the_clock_change_is_moved_back(zone: str, change: datetime) -> None:
    start = change - 30 * DAY
    readings = sharp(start, days=40, zone=zone)
    ahead = change.month > 6
    where = between(change + 2 * HOUR, 4 * DAY)
    stamped = readings.filter(where).with_columns(pl.col("valid_time") + (HOUR if ahead else -HOUR))
    clean = cleaned(pl.concat([readings.filter(~where), stamped]), zone=zone)
    moved = clean.filter(pl.col("rule") == "clock_slip+shifted")
    truth = moved.join(readings, on=["series_id", "valid_time"], suffix="_true")
    assert moved.height > 0.7 * 4 * 24
    assert np.array_equal(truth["load_mw"], truth["load_mw_true"])


def sharp(start: datetime, *, days: int, zone: str) -> pl.DataFrame:
    """Readings with steep mornings and evenings in local time."""
    readings = steady("a", start=start, days=days, zone=zone)
    hour = readings["valid_time"].dt.convert_time_zone(zone).dt.hour()
    peaks = 60 * ((hour >= 7) & (hour < 10)).cast(pl.Float64) + 90 * ((hour >= 18) & (hour < 22)).cast(pl.Float64)
    return readings.with_columns(pl.col("load_mw") + peaks)


def test_every_series_keeps_its_own_limits_in_one_block() -> None:
    parts = [replaced(steady(name), at(START + 30 * DAY), 150.0) for name in "abc"]
    own = {"b": Limits(max_load_mw=140, spike_z=4), "c": Limits(min_load_mw=160.0, flatline=None)}
    clean = cleaned(pl.concat(parts), series_limits=own)
    rows = dict(clean.filter(at(START + 30 * DAY)).select("series_id", "rule").iter_rows())
    assert rows == {"a": "spike+interpolated", "b": "above_maximum+interpolated", "c": "below_minimum"}
    assert clean.filter(series_id="c")["quality"].unique().to_list() == ["bad"]


def test_a_negative_load_has_a_reason_of_its_own_where_the_minimum_is_zero() -> None:
    parts = [replaced(steady(name), at(START + 30 * DAY), -7.0) for name in "ab"]
    clean = cleaned(pl.concat(parts), series_limits={"b": Limits(min_load_mw=-5)})
    rows = dict(clean.filter(at(START + 30 * DAY)).select("series_id", "rule").iter_rows())
    assert rows == {"a": "negative+interpolated", "b": "below_minimum+interpolated"}


def test_coarser_readings_are_refused_unless_upsampling_is_asked_for() -> None:
    mixed = pl.concat([steady("fine", interval=timedelta(minutes=15)), steady("coarse")])
    with pytest.raises(GridcastError, match=r"'coarse'.*expected readings at the interval of 0:15:00 or finer"):
        cleaned(mixed, interval=timedelta(minutes=15))
    clean = cleaned(mixed, interval=timedelta(minutes=15), upsample=True)
    flags = clean.select("series_id", "quality", "rule").unique().sort("series_id").rows()
    assert flags == [("coarse", "estimated", "upsampled"), ("fine", "good", "")]


@pytest.mark.parametrize("zone", DST_ZONES)
@pytest.mark.parametrize("month", [3, 10], ids=["around April", "around October"])
def test_five_to_sixty_minutes_meet_in_one_run_through_clock_changes(zone: str, month: int) -> None:
    phase = timedelta(minutes=30) if zone == "Asia/Kolkata" else timedelta(0)
    start = datetime(2024, month, 10, tzinfo=UTC) + phase
    own = {f"{minutes:02} min": timedelta(minutes=minutes) for minutes in (5, 15, 30, 60)}
    parts = [steady(name, start=start, days=40, interval=span, zone=zone) for name, span in own.items()]
    half = timedelta(minutes=30)
    clean = cleaned(pl.concat(parts), zone=zone, interval=half, upsample=True)
    assert clean.select("series_id", "quality", "rule").unique().sort("series_id").rows() == [
        ("05 min", "good", "resampled"),
        ("15 min", "good", "resampled"),
        ("30 min", "good", ""),
        ("60 min", "estimated", "upsampled"),
    ]
    for name, raw in zip(own, parts, strict=True):
        rows = clean.filter(series_id=name)
        assert rows.height == 40 * 48
        assert rows["load_mw"].sum() / 2 == pytest.approx(raw["load_mw"].sum() * (own[name] / HOUR))
    hourly = clean.filter(series_id="60 min")
    assert hourly["load_mw"][::2].to_list() == parts[3]["load_mw"].to_list() == hourly["load_mw"][1::2].to_list()


def test_upsampled_rows_do_not_depend_on_where_blocks_are_cut() -> None:
    quarter = timedelta(minutes=15)
    readings = steady("a").filter(~at(START + 30 * DAY + 3 * HOUR), ~between(START + 33 * DAY, 30 * HOUR))
    whole = cleaned(readings, interval=quarter, upsample=True)
    for cut in (
        START + 30 * DAY + 3 * HOUR + quarter,
        START + 34 * DAY + 6 * HOUR,
        START + 34 * DAY + 7 * HOUR + quarter,
    ):
        parts = [
            clean_readings(
                readings.filter(between(start - 26 * DAY, end - start + 29 * DAY)),
                span=(start, end),
                interval=quarter,
                limits=Limits(),
                time_zones={"a": "UTC"},
                series_since={"a": START},
                upsample=True,
            ).readings
            for start, end in ((START, cut), (cut, START + 40 * DAY))
        ]
        assert pl.concat(parts).equals(whole)


def test_no_readings_with_any_option_give_no_rows() -> None:
    block = clean_readings(
        READINGS.to_frame(),
        span=(START, START + HOUR),
        interval=HOUR,
        limits=Limits(),
        time_zones={"a": "UTC"},
        series_limits={"a": Limits(spike_z=9)},
        upsample=True,
    )
    assert block.readings.is_empty()
    assert block.dead.is_empty()
