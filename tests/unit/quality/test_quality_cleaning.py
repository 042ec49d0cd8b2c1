"""Cleaning as a whole: locality, leakage, flags, local time."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.cleaned import clean_readings
from support.faulty_readings import HOUR, START, at, between, faulty, replaced, steady

from gridcast.domain.errors import UsageError
from gridcast.domain.tables import CLEAN_READINGS, READINGS
from gridcast.quality.limits import CONTEXT_AFTER, CONTEXT_BEFORE, Limits

ZONES = ("Europe/London", "America/New_York", "Australia/Melbourne", "Asia/Kolkata")


def cleaned(
    readings: pl.DataFrame,
    *,
    span: tuple[datetime, datetime] | None = None,
    zones: Mapping[str, str] | None = None,
    interval: timedelta = HOUR,
    since: Mapping[str, datetime] | None = None,
    limits: Limits | None = None,
) -> pl.DataFrame:
    whole = (readings["valid_time"].min(), readings["valid_time"].max())
    assert isinstance(whole[0], datetime)
    assert isinstance(whole[1], datetime)
    return clean_readings(
        readings,
        span=span or (whole[0], whole[1] + interval),
        interval=interval,
        limits=limits or Limits(),
        time_zones=zones or dict.fromkeys(readings["series_id"].unique(), "UTC"),
        series_since=since,
    ).readings


@settings(max_examples=8, deadline=None)
@given(
    readings=faulty(),
    first_cut=st.integers(27 * 24, 34 * 24),
    steps=st.lists(st.integers(1, 150), min_size=2, max_size=5),
)
def test_blocks_of_any_size_give_the_same_rows_as_everything_at_once(
    readings: pl.DataFrame, first_cut: int, steps: list[int]
) -> None:
    zones = {"a": "Europe/London", "b": "Asia/Kolkata"}
    since = dict(readings.group_by("series_id").agg(pl.col("valid_time").min()).iter_rows())
    end = START + timedelta(days=46)
    cuts = [START, *(START + HOUR * int(first_cut + sum(steps[:i])) for i in range(len(steps))), end]
    cuts = sorted({min(cut, end) for cut in cuts})
    whole = cleaned(readings, span=(START, end), zones=zones, since=since)
    parts = []
    for cut, following in pairwise(cuts):
        context = pl.col("valid_time").is_between(cut - CONTEXT_BEFORE, following + CONTEXT_AFTER, closed="left")
        parts.append(cleaned(readings.filter(context), span=(cut, following), zones=zones, since=since))
    assert pl.concat(parts).sort("series_id", "valid_time").equals(whole)


@settings(max_examples=3, deadline=None)
@given(readings=faulty())
def test_the_stream_ends_with_the_rows_of_the_batch(readings: pl.DataFrame) -> None:
    zones = {"a": "Europe/London", "b": "Asia/Kolkata"}
    since = dict(readings.group_by("series_id").agg(pl.col("valid_time").min()).iter_rows())
    end = START + timedelta(days=46)
    now = end - timedelta(days=5)
    store = cleaned(readings.filter(pl.col("available_at") <= now), span=(START, now), zones=zones, since=since)
    while now < end:
        now += 3 * HOUR
        seen = readings.filter(pl.col("available_at") <= now)
        tick = cleaned(seen, span=(now - CONTEXT_AFTER, now), zones=zones, since=since)
        store = pl.concat([store, tick]).unique(["series_id", "valid_time"], keep="last", maintain_order=True)
    late = readings.filter(pl.col("available_at") <= end)
    batch = cleaned(late, span=(START, end), zones=zones, since=since)
    assert store.sort("series_id", "valid_time").equals(batch)


@settings(max_examples=6, deadline=None)
@given(readings=faulty(), hours=st.integers(28 * 24, 45 * 24))
def test_a_row_never_rests_on_readings_that_came_after_its_available_at(readings: pl.DataFrame, hours: int) -> None:
    zones = {"a": "Europe/London", "b": "Asia/Kolkata"}
    since = dict(readings.group_by("series_id").agg(pl.col("valid_time").min()).iter_rows())
    now = START + HOUR * hours
    span = (START, START + timedelta(days=46))
    known = pl.col("available_at") <= now
    everything = cleaned(readings, span=span, zones=zones, since=since).filter(known & pl.col("load_mw").is_not_null())
    by_now = cleaned(readings.filter(known), span=span, zones=zones, since=since)
    same = everything.join(by_now, on=["series_id", "valid_time", "load_mw", "quality", "available_at"], how="semi")
    assert same.height == everything.height


def test_good_readings_come_out_as_they_went_in() -> None:
    readings = steady()
    clean = cleaned(readings)
    assert clean.schema == CLEAN_READINGS
    assert clean["load_mw"].equals(readings["load_mw"].rename("load_mw"))
    assert clean["raw_load_mw"].to_list() == readings["load_mw"].to_list()
    assert clean["available_at"].equals(readings["available_at"])
    assert clean.select("quality", "rule").unique().rows() == [("good", "")]


def test_a_short_gap_is_interpolated_and_known_when_its_right_side_is() -> None:
    readings = steady()
    gap = START + timedelta(days=30, hours=5)
    row = cleaned(readings.filter(~at(gap))).filter(at(gap)).row(0, named=True)
    around = readings.filter(at(gap - HOUR) | at(gap + HOUR))["load_mw"]
    assert row["load_mw"] == pytest.approx(around.mean())
    assert (row["quality"], row["rule"], row["raw_load_mw"]) == ("estimated", "gap+interpolated", None)
    assert row["available_at"] == gap + 2 * HOUR


def test_a_gap_of_hours_follows_like_days_and_is_known_an_hour_behind_it() -> None:
    readings = steady()
    gap = START + timedelta(days=30, hours=5)
    lost = between(gap, 10 * HOUR)
    clean = cleaned(readings.filter(~lost)).filter(lost)
    assert clean["rule"].unique().to_list() == ["gap+like_days"]
    assert np.allclose(clean["load_mw"], readings.filter(lost)["load_mw"], atol=4)
    assert clean["available_at"].unique().to_list() == [gap + 11 * HOUR]


def test_a_gap_longer_than_the_limit_stays_missing() -> None:
    readings = steady()
    lost = between(START + timedelta(days=25), timedelta(days=7))
    clean = cleaned(readings.filter(~lost)).filter(lost)
    assert clean.height == 7 * 24
    assert clean.select("load_mw", "quality", "rule").unique().rows() == [(None, "missing", "gap")]
    assert (clean["available_at"] - clean["valid_time"]).unique().to_list() == [HOUR]


def test_an_open_gap_at_the_end_stays_missing_until_it_closes() -> None:
    readings = steady()
    end = START + timedelta(days=40)
    clean = cleaned(readings, span=(START, end + 3 * HOUR))
    assert clean.tail(3)["quality"].to_list() == ["missing"] * 3


@pytest.mark.parametrize(
    ("load_mw", "cause"),
    [
        pytest.param(-5.0, "negative", id="negative"),
        pytest.param(5000.0, "above_maximum", id="above the maximum"),
        pytest.param(0.0, "spike", id="drop to zero"),
        pytest.param(400.0, "spike", id="spike"),
    ],
)
def test_an_unbelievable_value_is_replaced_and_kept_as_raw(load_mw: float, cause: str) -> None:
    when = START + timedelta(days=30, hours=5)
    readings = replaced(steady(), at(when), load_mw)
    clean = cleaned(readings, limits=Limits(max_load_mw=1000))
    row = clean.filter(at(when)).row(0, named=True)
    assert (row["quality"], row["rule"], row["raw_load_mw"]) == ("estimated", f"{cause}+interpolated", load_mw)
    assert clean.filter(pl.col("rule") != "").height == 1


def test_a_failed_value_that_cannot_be_estimated_is_bad_and_null() -> None:
    when = START + timedelta(days=30, hours=5)
    readings = replaced(steady(), at(when), -5.0).filter(~between(when + HOUR, timedelta(days=3)))
    row = cleaned(readings).filter(at(when)).row(0, named=True)
    assert (row["load_mw"], row["quality"], row["rule"]) == (None, "bad", "negative")


def test_a_stuck_meter_is_known_as_such_once_the_run_is_long_enough() -> None:
    when = START + timedelta(days=30, hours=5)
    clean = cleaned(replaced(steady(), between(when, 6 * HOUR), 101.0)).filter(between(when, 6 * HOUR))
    assert clean["rule"].str.starts_with("flatline").all()
    assert (clean["available_at"] >= when + 6 * HOUR).all()


def test_zeros_in_a_row_are_not_a_stuck_meter() -> None:
    readings = steady().with_columns(pl.lit(0.0).alias("load_mw"))
    assert cleaned(readings)["quality"].unique().to_list() == ["good"]


def test_a_lasting_change_of_level_is_accepted_after_its_first_hours() -> None:
    when = START + timedelta(days=30, hours=5)
    tripled = pl.when(pl.col("valid_time") >= when).then(pl.col("load_mw") * 3).otherwise("load_mw")
    clean = cleaned(steady().with_columns(tripled.alias("load_mw")))
    spikes = clean.filter(pl.col("rule").str.starts_with("spike"))["valid_time"]
    assert 1 <= len(spikes) <= 3
    assert (spikes < when + 3 * HOUR).all()


def test_finer_readings_are_averaged_and_slots_with_too_few_are_not_believed() -> None:
    quarter = timedelta(minutes=15)
    readings = steady(interval=quarter)
    hour = START + timedelta(days=30, hours=5)
    thin = readings.filter(~between(hour + quarter, 3 * quarter))
    clean = cleaned(thin)
    whole = clean.filter(at(hour - HOUR)).row(0, named=True)
    assert whole["load_mw"] == pytest.approx(readings.filter(between(hour - HOUR, HOUR))["load_mw"].mean())
    assert (whole["quality"], whole["rule"], whole["available_at"]) == ("good", "resampled", hour)
    assert clean.filter(at(hour))["rule"].to_list() == ["partial_interval+interpolated"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("month", [3, 10], ids=["around March", "around October"])
def test_like_days_are_taken_at_the_same_wall_time_through_clock_changes(zone: str, month: int) -> None:
    phase = timedelta(minutes=30) if zone == "Asia/Kolkata" else timedelta(0)
    readings = steady(start=datetime(2024, month, 1, tzinfo=UTC) - timedelta(days=10) + phase, days=48, zone=zone)
    days = readings.select(pl.col("valid_time").dt.convert_time_zone(zone).dt.date()).to_series().unique().sort()[20:-2]
    for day in days[::3]:
        lost = (pl.col("valid_time").dt.convert_time_zone(zone).dt.date() == day) & (
            pl.col("valid_time").dt.convert_time_zone(zone).dt.hour().is_between(6, 15)
        )
        clean = cleaned(readings.filter(~lost), zones={"a": zone}).filter(lost)
        assert clean["rule"].unique().to_list() == ["gap+like_days"]
        assert np.allclose(clean["load_mw"], readings.filter(lost)["load_mw"], atol=4)


@pytest.mark.parametrize("zone", ZONES)
def test_days_of_23_and_25_hours_raise_no_alarm(zone: str) -> None:
    phase = timedelta(minutes=30) if zone == "Asia/Kolkata" else timedelta(0)
    readings = steady(start=datetime(2024, 1, 1, tzinfo=UTC) + phase, days=366, zone=zone)
    clean = cleaned(readings, zones={"a": zone})
    assert clean["quality"].unique().to_list() == ["good"]
    local_day = pl.col("valid_time").dt.convert_time_zone(zone).dt.date().alias("day")
    lengths = clean.group_by(local_day).len().sort("day")["len"][1:-1]
    assert set(lengths) == ({24} if zone == "Asia/Kolkata" else {23, 24, 25})


def test_a_series_without_readings_in_the_block_is_missing_throughout() -> None:
    span = (START + timedelta(days=30), START + timedelta(days=31))
    clean = cleaned(steady(), span=span, zones={"a": "UTC", "b": "UTC"}, since={"a": START, "b": START})
    assert clean.filter(series_id="b").select("quality").unique().rows() == [("missing",)]
    assert clean.height == 48


def test_rows_begin_with_the_first_reading() -> None:
    clean = cleaned(pl.concat([steady("a"), steady("b", start=START + timedelta(days=3), days=37)]))
    assert clean.filter(series_id="b")["valid_time"].min() == START + timedelta(days=3)
    assert clean.filter(series_id="a").height == 40 * 24


def test_a_series_that_has_ended_has_rows_only_where_there_are_readings() -> None:
    ended = START + timedelta(days=20)
    rows = steady().filter((pl.col("valid_time") < ended - 2 * HOUR) | (pl.col("valid_time") == ended + 5 * HOUR))
    clean = clean_readings(
        rows,
        span=(START, START + timedelta(days=30)),
        interval=HOUR,
        limits=Limits(),
        time_zones={"a": "UTC"},
        series_until={"a": ended},
    ).readings
    assert clean.tail(3)["valid_time"].to_list() == [ended - 2 * HOUR, ended - HOUR, ended + 5 * HOUR]
    assert clean.height == 20 * 24 + 1


def test_no_readings_give_no_rows() -> None:
    clean = clean_readings(
        READINGS.to_frame(), span=(START, START + HOUR), interval=HOUR, limits=Limits(), time_zones={"a": "UTC"}
    )
    assert clean.readings.is_empty()
    assert clean.readings.schema == CLEAN_READINGS
    assert clean.dead.is_empty()


def test_an_interval_that_does_not_divide_a_day_is_refused() -> None:
    with pytest.raises(UsageError, match="does not divide a day"):
        cleaned(steady(), interval=timedelta(minutes=7))


@settings(max_examples=25, deadline=None)
@given(
    minutes=st.sampled_from([5, 15, 30, 60]),
    interval=st.sampled_from([5, 15, 20, 30, 45, 60, 120, 1440]),
    days=st.integers(1, 30),
    absurd=st.lists(st.floats(width=64), min_size=1, max_size=40),
    seed=st.integers(0, 99),
)
@example(minutes=60, interval=60, days=30, absurd=[1.8e306], seed=1)
def test_absurd_loads_and_thin_series_give_finite_loads_or_none_and_no_warning(
    minutes: int, interval: int, days: int, absurd: list[float], seed: int
) -> None:
    random = np.random.default_rng(seed)
    rows = steady(days=days, interval=timedelta(minutes=minutes))
    load = rows["load_mw"].to_numpy().copy()
    load[random.integers(0, len(load), len(absurd))] = absurd
    thin = rows.with_columns(pl.Series("load_mw", load)).sample(fraction=random.choice([0.05, 0.9, 1.0]), seed=seed)
    clean = clean_readings(
        thin,
        span=(START - HOUR, START + timedelta(days=31)),
        interval=timedelta(minutes=interval),
        limits=Limits(min_load_mw=-1e305),
        time_zones={"a": "Australia/Lord_Howe"},
        upsample=True,
    )
    assert (clean.readings["load_mw"].is_finite() | clean.readings["load_mw"].is_null()).all()
