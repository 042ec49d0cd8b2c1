"""Energy is neither lost nor made: received − removed + itemised corrections = processed, for each series."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cleaned import clean_readings
from support.faulty_readings import HOUR, START, between, faulty, replaced, steady

from gridcast.domain.tables import EDITS, READINGS
from gridcast.quality.cleaning import Cleaned
from gridcast.quality.limits import CONTEXT_AFTER, CONTEXT_BEFORE, Limits
from gridcast.quality.received import REMOVED
from gridcast.quality.summary import add_counts, energy_balance, quality_counts

QUARTER = timedelta(minutes=15)
ZONES = ("Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")


def counted(
    readings: pl.DataFrame,
    *,
    zones: Mapping[str, str],
    interval: timedelta = HOUR,
    span: tuple[datetime, datetime] | None = None,
    since: Mapping[str, datetime] | None = None,
    edits: pl.DataFrame | None = None,
) -> Cleaned:
    times = readings["valid_time"].to_list()
    return clean_readings(
        readings,
        span=span or (min(times) - HOUR, max(times) + 2 * HOUR),
        interval=interval,
        limits=Limits(),
        time_zones=zones,
        series_since=since,
        edits=edits,
        upsample=True,
    )


def raw_energy(readings: pl.DataFrame, own: Mapping[str, timedelta]) -> dict[str, float]:
    """MWh of every reading with a finite load over its series' own interval."""
    energy = dict.fromkeys(own, 0.0)
    for series_id, load_mw in readings.select("series_id", "load_mw").iter_rows():
        if load_mw is not None and abs(load_mw) < float("inf"):
            energy[series_id] += load_mw * (own[series_id] / HOUR)
    return energy


def require_balance(counts: pl.DataFrame) -> None:
    for row in energy_balance(counts).iter_rows(named=True):
        causes = sum(
            value for name, value in row.items() if name not in {"series_id", "received", "removed", "processed"}
        )
        assert row["received"] - row["removed"] + causes == pytest.approx(row["processed"], rel=1e-9, abs=1e-9)


def troubled(series_id: str, *, own: timedelta, zone: str, start: datetime = START) -> pl.DataFrame:
    """50 days with every fault once; corrections and repeats arrive later, some readings are not a number."""
    rows = steady(series_id, start=start, days=50, interval=own, zone=zone)
    day = timedelta(days=1)
    rows = rows.filter(~between(start + 30 * day, 5 * HOUR), ~between(start + 31 * day, 2 * own))
    rows = replaced(rows, between(start + 33 * day, own), 900.0)
    rows = replaced(rows, between(start + 35 * day, 9 * HOUR), 77.25)
    rows = replaced(rows, between(start + 37 * day, 3 * HOUR), -4.5)
    slipped = pl.when(between(start + 39 * day, 30 * HOUR)).then(pl.col("load_mw") * 1000).otherwise("load_mw")
    rows = rows.with_columns(slipped.alias("load_mw"))
    again = rows.filter(between(start + 42 * day, 7 * HOUR)).with_columns(
        pl.col("load_mw") + 3, pl.col("available_at") + HOUR
    )
    broken = replaced(rows, between(start + 44 * day, 4 * HOUR), float("nan")).filter(
        between(start + 44 * day, 4 * HOUR)
    )
    return pl.concat([rows, again, broken])


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("own", [timedelta(minutes=minutes) for minutes in (5, 15, 60)], ids=["5", "15", "60 min"])
@pytest.mark.parametrize("interval", [QUARTER, HOUR], ids=["into 15 min", "into 60 min"])
def test_received_energy_is_that_of_every_raw_reading_over_its_own_interval(
    zone: str, own: timedelta, interval: timedelta
) -> None:
    start = datetime(2024, 2, 20, tzinfo=UTC) + (timedelta(minutes=30) if zone == "Asia/Kolkata" else timedelta(0))
    readings = troubled("a", own=own, zone=zone, start=start)
    block = counted(readings, zones={"a": zone}, interval=interval)
    balance = energy_balance(block.counts).row(0, named=True)
    assert balance["received"] == pytest.approx(raw_energy(readings, {"a": own})["a"], rel=1e-9)
    processed = block.readings["load_mw"].sum() * (interval / HOUR)
    assert balance["processed"] == pytest.approx(processed, rel=1e-12)
    assert balance["unit_slip"] < -1000
    assert balance["gap"] > 0
    require_balance(block.counts)


def test_each_correction_is_itemised_with_its_cause() -> None:
    readings = troubled("a", own=HOUR, zone="UTC")
    block = counted(readings, zones={"a": "UTC"})
    changes = block.readings.with_columns(
        added=pl.col("load_mw").fill_null(0) - pl.col("raw_load_mw").fill_null(0),
        cause=pl.col("rule").str.split("+").list.first(),
    )
    expected = dict(changes.filter(pl.col("cause") != "").group_by("cause").agg(pl.col("added").sum()).iter_rows())
    rules = block.counts.filter(kind="rule").filter(pl.col("energy_mwh") != 0)
    assert dict(rules.select("name", "energy_mwh").iter_rows()) == pytest.approx(expected)
    assert set(expected) == {"gap", "spike", "flatline", "negative", "unit_slip"}
    removed = block.counts.filter(kind="removed").select("name", "rows", "energy_mwh").rows()
    assert [row[:2] for row in removed] == [("duplicate", 7), ("not_finite", 4)]
    assert removed[0][2] == pytest.approx(
        readings.filter(between(START + timedelta(days=42), 7 * HOUR))["load_mw"][:7].sum()
    )
    assert removed[1][2] == 0


def test_an_edit_is_a_correction_like_any_other() -> None:
    readings = steady("a")
    when = START + timedelta(days=20)
    edits = pl.DataFrame(
        [
            ("a", when, when + 2 * HOUR, 50.0, "kim", "test", when),
            ("a", when + 5 * HOUR, when + 6 * HOUR, None, "kim", "x", when),
        ],
        schema=EDITS,
        orient="row",
    )
    block = counted(readings, zones={"a": "UTC"}, edits=edits)
    raw = readings.filter(between(when, 2 * HOUR) | between(when + 5 * HOUR, HOUR))["load_mw"].sum()
    assert energy_balance(block.counts).row(0, named=True)["edit"] == pytest.approx(100.0 - raw)
    require_balance(block.counts)


def test_energy_that_lost_quarters_would_have_had_is_added_as_resampling() -> None:
    readings = steady("a", interval=QUARTER)
    lost = between(START + timedelta(days=20, hours=3), QUARTER)
    block = counted(readings.filter(~lost), zones={"a": "UTC"})
    balance = energy_balance(block.counts).row(0, named=True)
    around = readings.filter(between(START + timedelta(days=20, hours=3), HOUR), ~lost)["load_mw"]
    assert balance["resampled"] == pytest.approx(around.mean() / 4)
    assert balance["received"] == pytest.approx(raw_energy(readings.filter(~lost), {"a": QUARTER})["a"], rel=1e-12)


def test_readings_of_unknown_series_are_received_and_removed() -> None:
    block = counted(pl.concat([steady("a"), steady("stranger")]), zones={"a": "UTC"})
    stranger = energy_balance(block.counts).filter(series_id="stranger").row(0, named=True)
    assert stranger["received"] == pytest.approx(steady("stranger")["load_mw"].sum())
    assert stranger["removed"] == stranger["received"]
    assert stranger["processed"] == 0


@settings(max_examples=8, deadline=None)
@given(readings=faulty(), cuts=st.lists(st.integers(25 * 24, 46 * 24), max_size=5, unique=True))
def test_counts_of_any_blocks_add_up_to_those_of_everything_at_once(readings: pl.DataFrame, cuts: list[int]) -> None:
    zones = {"a": "Europe/London", "b": "Asia/Kolkata"}
    since = dict(readings.group_by("series_id").agg(pl.col("valid_time").min()).iter_rows())
    whole = (START, START + timedelta(days=47))
    everything = counted(readings, zones=zones, since=since, span=whole)
    edges = [whole[0], *(START + HOUR * cut for cut in sorted(cuts)), whole[1]]
    parts = []
    for start, end in pairwise(edges):
        context = pl.col("valid_time").is_between(start - CONTEXT_BEFORE, end + CONTEXT_AFTER, closed="left")
        parts.append(counted(readings.filter(context), zones=zones, since=since, span=(start, end)).counts)
    added = add_counts(pl.concat(parts))
    assert added.drop("energy_mwh").equals(everything.counts.drop("energy_mwh"))
    assert added["energy_mwh"].to_list() == pytest.approx(everything.counts["energy_mwh"].to_list(), rel=1e-9, abs=1e-9)
    require_balance(added)
    raw = raw_energy(readings, {"a": HOUR, "b": HOUR})
    balance = energy_balance(added)
    assert dict(balance.select("series_id", "received").iter_rows()) == pytest.approx(raw, rel=1e-9)


def test_nothing_received_balances() -> None:
    block = clean_readings(
        READINGS.to_frame(), span=(START, START + HOUR), interval=HOUR, limits=Limits(), time_zones={"a": "UTC"}
    )
    assert block.counts.is_empty()
    assert energy_balance(block.counts).is_empty()
    assert quality_counts(block.readings, REMOVED.to_frame(), interval=HOUR).equals(block.counts)
