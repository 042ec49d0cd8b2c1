"""Simulated readings: what is sent without faults, what faults do to it, and where it goes."""

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from support.processed_history import ZONES, write_history

from gridcast.cli.open_target import Target
from gridcast.domain.errors import UsageError
from gridcast.domain.tables import READINGS
from gridcast.ingestion.connectors.payload import Message, PayloadFormat, read_messages
from gridcast.ingestion.sample import TIME_ZONE, read_sample
from gridcast.ingestion.tabular.formats import FileFormat
from gridcast.workflows.readings.simulate import Pace, simulate
from gridcast.workflows.readings.simulated_load import Fleet, Shapes, continued, numbered, week_shapes
from gridcast.workflows.readings.simulated_traffic import FAULTS, POISON, Burst, Faults, Simulation, Traffic

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = ["series_id", "valid_time"]
RAMP = Shapes(("ramp",), np.arange(168.0)[None, :] + 1)
"""The load tells the hour of the local week."""


def fleet(count: int, *, time_zone: str = "Europe/London") -> Fleet:
    return numbered(count, shapes=RAMP, time_zone=time_zone, seed=1)


def traffic(series: int = 7, *, step: timedelta = HOUR, seed: int = 3, time_zone: str = "Europe/London") -> Traffic:
    return Traffic(fleet(series, time_zone=time_zone), START, step, seed)


def drawn(simulation: Simulation, pieces: Sequence[int]) -> list[Burst]:
    """The pieces and what was held back, in the order they are sent."""
    bursts = [simulation.draw(count) for count in pieces]
    while (rest := simulation.rest(50)) is not None:
        bursts.append(Burst(rest))
    return bursts


def sent(simulation: Simulation, pieces: Sequence[int]) -> pl.DataFrame:
    return pl.concat([burst.readings for burst in drawn(simulation, pieces)])


def of(pieces: Sequence[int], **faults: float | timedelta) -> tuple[pl.DataFrame, Simulation]:
    simulation = Simulation(traffic(), Faults(**faults))  # type: ignore[arg-type]
    return sent(simulation, pieces), simulation


pieces = st.lists(st.integers(1, 400), min_size=1, max_size=6)
share = st.floats(0.0, 1.0, allow_nan=False)
steps = st.sampled_from([timedelta(seconds=6), timedelta(minutes=15), HOUR])


@settings(max_examples=20, deadline=None)
@given(pieces, steps)
def test_without_faults_every_series_and_time_comes_once_in_order(pieces: list[int], step: timedelta) -> None:
    simulation = Simulation(traffic(step=step), Faults())

    rows = sent(simulation, pieces)

    assert rows.schema == READINGS
    expected = [(f"sim_{number % 7 + 1:05d}", START + number // 7 * step) for number in range(sum(pieces))]
    assert rows.select(KEY).rows() == expected
    assert (rows["available_at"] - rows["valid_time"]).unique().to_list() == [step]
    assert (rows["load_mw"] > 0).all()


@settings(max_examples=20, deadline=None)
@given(pieces, pieces, st.integers(0, 2**63), share)
def test_a_reading_does_not_depend_on_the_pieces_it_is_drawn_in(
    pieces: list[int], others: list[int], seed: int, late: float
) -> None:
    total = sum(pieces)
    again = [*others[: len(others) if sum(others) <= total else 0]]
    faults = Faults(late=late / 2, gap=late / 4, corrected=late / 4)
    one = Simulation(traffic(seed=seed), faults)
    other = Simulation(traffic(seed=seed), faults)

    left, right = sent(one, pieces), sent(other, [*again, total - sum(again)] if total > sum(again) else again)

    assert_frame_equal(left, right)
    assert one.faults == other.faults


def test_another_seed_gives_other_loads_and_faults() -> None:
    loads = [sent(Simulation(traffic(seed=seed), Faults()), [70])["load_mw"].to_list() for seed in (1, 2)]
    assert loads[0] != loads[1]


@settings(max_examples=20, deadline=None)
@given(pieces, share)
def test_late_readings_come_later_and_none_is_lost(pieces: list[int], late: float) -> None:
    clean, _ = of(pieces)
    rows, simulation = of(pieces, late=late, latest=timedelta(hours=3))

    assert_frame_equal(rows.drop("available_at"), clean.drop("available_at"), check_row_order=False)
    waited = rows.with_row_index("place").with_columns(pl.col("available_at") - pl.col("valid_time") - HOUR)
    is_late = pl.col("available_at") > timedelta(0)
    assert waited.filter(is_late).height == simulation.faults["late"]
    assert waited["available_at"].is_between(timedelta(0), timedelta(hours=3)).all()
    overtaken = (
        waited.filter(is_late)
        .join(waited.filter(~is_late), how="cross", suffix="_prompt")
        .filter((pl.col("valid_time_prompt") < pl.col("valid_time")) & (pl.col("place_prompt") > pl.col("place")))
    )
    assert overtaken.is_empty()


@settings(max_examples=20, deadline=None)
@given(pieces, share)
def test_doubled_readings_are_equal_and_follow_each_other(pieces: list[int], double: float) -> None:
    clean, _ = of(pieces)
    rows, simulation = of(pieces, double=double)

    assert rows.height == clean.height + simulation.faults["double"]
    assert_frame_equal(rows.unique(maintain_order=True), clean)


@settings(max_examples=20, deadline=None)
@given(pieces, share)
def test_shuffling_changes_the_order_alone(pieces: list[int], shuffle: float) -> None:
    clean, _ = of(pieces)
    simulation = Simulation(traffic(), Faults(shuffle=shuffle))
    bursts = [burst.readings for burst in drawn(simulation, pieces)]

    assert [burst.height for burst in bursts] == list(pieces)
    assert_frame_equal(pl.concat(bursts), clean, check_row_order=False)


@settings(max_examples=20, deadline=None)
@given(pieces, share)
def test_gaps_are_left_out_and_spikes_stand_out(pieces: list[int], part: float) -> None:
    clean, _ = of(pieces)
    rows, simulation = of(pieces, gap=part / 2, spike=part / 2)

    both = rows.join(clean, on=KEY, suffix="_clean")
    assert both.height == rows.height == clean.height - simulation.faults["gap"]
    ratio = both["load_mw"] / both["load_mw_clean"]
    assert (ratio != 1).sum() == simulation.faults["spike"]
    assert ratio.filter(ratio != 1).is_between(4.99, 10.01).all()


@settings(max_examples=20, deadline=None)
@given(pieces, share)
def test_readings_of_a_fast_clock_are_stamped_hours_ahead(pieces: list[int], early: float) -> None:
    clean, _ = of(pieces)
    rows, simulation = of(pieces, early=early)

    ahead = rows["valid_time"] - clean["valid_time"]
    assert_frame_equal(rows.drop("valid_time"), clean.drop("valid_time"))
    assert (ahead > timedelta(0)).sum() == simulation.faults["early"]
    assert ahead.is_between(timedelta(0), timedelta(hours=6)).all()


@settings(max_examples=20, deadline=None)
@given(pieces, share)
def test_a_correction_comes_after_what_it_corrects_with_another_load(pieces: list[int], corrected: float) -> None:
    clean, _ = of(pieces)
    rows, simulation = of(pieces, corrected=corrected, latest=timedelta(minutes=90))

    numbered = rows.with_row_index("place").with_columns(pl.len().over(KEY).alias("times"))
    first = numbered.unique(KEY, keep="first", maintain_order=True)
    assert_frame_equal(first.select(READINGS.names()), clean, check_row_order=False)
    second = numbered.join(first, on=["place"], how="anti")
    assert second.height == simulation.faults["corrected"]
    pair = second.join(first, on=KEY, suffix="_first")
    assert (pair["available_at"] > pair["available_at_first"]).all()
    assert (pair["load_mw"] != pair["load_mw_first"]).all()


def test_shares_come_out() -> None:
    simulation = Simulation(traffic(), Faults(**dict.fromkeys([*FAULTS, "poison"], 0.05)))
    bursts = drawn(simulation, [5_000] * 40)

    assert set(simulation.faults) == {*FAULTS, "poison"}
    for name, count in simulation.faults.items():
        assert count / 200_000 == pytest.approx(0.05, rel=0.05), name
    assert sum(len(burst.poison) for burst in bursts) == simulation.faults["poison"]


def test_a_fine_reading_has_the_load_of_its_hour_in_the_mean() -> None:
    simulation = Simulation(traffic(1, step=timedelta(seconds=6)), Faults())
    rows = sent(simulation, [600 * 24])

    hourly = rows.group_by(pl.col("valid_time").dt.truncate("1h")).agg(pl.col("load_mw").mean()).sort("valid_time")
    level = fleet(1).level_mw[0]
    assert rows["load_mw"][:600].n_unique() > 500
    assert hourly["load_mw"].to_numpy() / level == pytest.approx(np.arange(24) + 1, rel=0.005)


@pytest.mark.parametrize("change", [datetime(2024, 3, 31, 1, tzinfo=UTC), datetime(2024, 10, 27, 1, tzinfo=UTC)])
def test_the_load_follows_local_wall_time_over_a_change_of_the_clock(change: datetime) -> None:
    made = fleet(2)
    start = change - timedelta(hours=30)
    rows = sent(Simulation(Traffic(made, start, HOUR), Faults()), [2 * 60])

    local = rows["valid_time"].dt.convert_time_zone("Europe/London").dt
    expected = (local.weekday().cast(pl.Int64) - 1) * 24 + local.hour() + 1
    assert local.base_utc_offset().n_unique() + local.dst_offset().n_unique() == 3
    for position, name in enumerate(made.series_ids):
        is_its = rows["series_id"] == name
        hours = rows["load_mw"].filter(is_its) / made.level_mw[position]
        assert hours.to_numpy() == pytest.approx(expected.filter(is_its).to_numpy(), rel=0.021)


def test_shapes_of_the_sample_are_whole_weeks_around_one() -> None:
    shapes = week_shapes(read_sample().readings, time_zone=TIME_ZONE)

    assert shapes.week.shape == (20, 168)
    assert shapes.names[0] == "zone_01"
    assert shapes.week.mean(axis=1) == pytest.approx(np.ones(20))
    assert (shapes.week > 0).all()
    evening, night = shapes.week[0, 18::24].mean(), shapes.week[0, 3::24].mean()
    assert evening > 1.1 * night


def test_a_history_goes_on_at_the_level_of_its_last_weeks(tmp_path: Path) -> None:
    processed = write_history(tmp_path)
    shapes = week_shapes(read_sample().readings, time_zone=TIME_ZONE)

    made = continued(processed, shapes=shapes, seed=5)
    rows = sent(Simulation(Traffic(made, processed.observed_until, HOUR), Faults()), [2 * 168])

    assert made.series_ids == ZONES
    recent = processed.readings(start=processed.observed_until - timedelta(days=14), series_ids=ZONES)
    means = {frame["series_id"][0]: frame["load_mw"].mean() for frame in (recent.filter(series_id=z) for z in ZONES)}
    for zone in ZONES:
        assert rows.filter(series_id=zone)["load_mw"].mean() == pytest.approx(means[zone], rel=0.01)


@pytest.mark.parametrize("content", POISON)
def test_poison_can_be_read_by_nobody(tmp_path: Path, content: bytes) -> None:
    message = read_messages([Message(content, "", "here")], payload=PayloadFormat(readings_format=FileFormat()))
    assert (message.rows.height, message.dead.height) == (0, 1)


class Kept:
    """Where everything ends that is sent."""

    def __init__(self) -> None:
        self.bursts: list[Burst] = []
        self.is_finished = False

    def send(self, readings: pl.DataFrame, poison: Sequence[bytes]) -> None:
        self.bursts.append(Burst(readings, tuple(poison)))

    def finish(self) -> None:
        self.is_finished = True


def test_readings_are_paced_and_what_is_held_back_is_sent_at_the_end() -> None:
    kept = Kept()
    began = time.monotonic()
    done = simulate(Simulation(traffic(), Faults(late=0.5)), kept, Pace(2_000, 1_000), stop=threading.Event())

    assert 0.5 <= time.monotonic() - began < 5
    assert done.readings == 1_000
    assert done.rate <= 2_001
    assert kept.is_finished
    assert max(burst.readings.height for burst in kept.bursts) <= 200
    assert done.faults["late"] == pytest.approx(500, rel=0.2)


def test_a_stopped_simulation_sends_what_is_held_back_and_draws_no_more() -> None:
    stop, kept = threading.Event(), Kept()
    simulation = Simulation(traffic(), Faults(late=1.0))

    done = simulate(simulation, kept, Pace(10, 1_000), stop=stop, on_sent=lambda _: stop.set())

    assert done.readings == simulation.drawn == 1


def test_readings_of_the_present_are_available_when_they_are_sent() -> None:
    begun = START + timedelta(minutes=17)
    live = Traffic(fleet(4), START - HOUR, HOUR, 0, begun)

    rows = sent(Simulation(live, Faults()), [8])

    assert rows["available_at"].to_list() == [begun + number * timedelta(minutes=15) for number in range(8)]
    assert rows["valid_time"].to_list() == [START - HOUR] * 4 + [START] * 4


def test_who_is_late_catches_up_with_larger_bursts() -> None:
    pace = Pace(1_000, 5_000)
    assert [pace.next_burst(passed, seconds=1.0) for passed in (1_000, 960, 400, 0)] == [50, 50, 600, 1_000]
    assert pace.next_burst(4_990, seconds=9.0) == 10


def test_nothing_is_planned_beyond_the_present() -> None:
    hours = timedelta(hours=10)
    fast = Pace.of(traffic(), rate=0, span=timedelta(minutes=1), rounds=None, now=START + hours)
    slow = Pace.of(traffic(), rate=2, span=timedelta(seconds=3), rounds=5, now=START + hours)
    assert (fast.readings, fast.ends_at_present) == (70, True)
    assert (slow.readings, slow.ends_at_present) == (6, False)
    with pytest.raises(UsageError, match="expected an interval of 1:00:00 between them"):
        Pace.of(traffic(), rate=2, span=None, rounds=5, now=START)


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        pytest.param({"late": 0.6, "gap": 0.5}, "together at most 1", id="more than all"),
        pytest.param({"late": -0.1}, "late -0.1", id="less than none"),
        pytest.param({"latest": timedelta(0)}, "at least one second", id="no time"),
    ],
)
def test_shares_that_cannot_be_are_refused(shares: dict[str, float], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Faults(**shares)  # type: ignore[arg-type]


@pytest.mark.parametrize("to", ["kafka://10.0.0.7:9092/t", "kafka://localhost,broker/t", "mqtt://meters.example/t"])
def test_another_machine_is_refused_unless_it_is_meant(to: str) -> None:
    with pytest.raises(UsageError, match="is not this machine"):
        Target.parse(to, allow_remote=False)
    assert Target.parse(to, allow_remote=True).hosts


@pytest.mark.parametrize(
    "to", ["kafka://localhost", "mqtt://me:pw@localhost/t", "folder:", "file.csv", "mqtt://localhost/a/+"]
)
def test_a_place_that_is_none_is_refused(to: str) -> None:
    with pytest.raises(UsageError, match="is no place to send to"):
        Target.parse(to, allow_remote=True)


def test_hosts_of_this_machine_have_default_ports() -> None:
    assert Target.parse("kafka://127.0.0.2:9,[::1]/t.x", allow_remote=False).hosts == (("127.0.0.2", 9), ("::1", 9092))
    assert Target.parse("mqtt://LOCALHOST/a/b", allow_remote=False) == Target("mqtt", (("LOCALHOST", 1883),), "a/b")
