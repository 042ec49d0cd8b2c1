"""A tree from a file, through the real commands: five levels, a switched feeder, meters that come and go."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from support.installation import Place

from gridcast.ingestion.hierarchy_file import read_hierarchy
from gridcast.quality.aggregate import IS_SUMMED, children_summary
from gridcast.workflows.readings.processed import Processed

FIRST = datetime(2024, 3, 8, tzinfo=UTC)
HOURS = 24 * 28
SWITCH = datetime(2024, 3, 31, 5, tzinfo=UTC)
"""Six in the morning of a day with 23 hours."""
COMMISSIONED = datetime(2024, 3, 20, tzinfo=UTC)
RETIRED = datetime(2024, 3, 25, tzinfo=UTC)
SILENT = datetime(2024, 3, 28, tzinfo=UTC), datetime(2024, 3, 31, tzinfo=UTC)
"""Three days are too long to be estimated."""

TREE = """series_id,level,parent_id,time_zone,since,until
grid,system,,,,
north,zone,grid,,,
S1,substation,north,,,
S2,substation,north,,,
F1,feeder,S1,,,2024-03-31T06:00+01:00
F1,feeder,S2,,2024-03-31T06:00+01:00,
F2,feeder,S1,,,
F3,feeder,S2,,,
m1,meter,F1,,,
m2,meter,F1,,2024-03-20,
m3,meter,F2,,,2024-03-25
m4,meter,F2,,,
m5,meter,F3,,,
m6,meter,F3,,,
m7,meter,F3,,,
big,meter,north,,,
"""
METERS = {name: size for size, name in enumerate(("m1", "m2", "m3", "m4", "m5", "m6", "m7", "big"), start=1)}
FEEDERS = {"F1": ("m1", "m2"), "F2": ("m3", "m4"), "F3": ("m5", "m6", "m7")}
CONFIG = """
sources:
  meters: {kind: files, readings: meters.csv, readings_format: {text: {time_zone: Europe/London}}}
hierarchy: {file: tree.csv}
"""


def is_read(meter: str, time: datetime) -> bool:
    """Whether a meter sent a reading: m3 falls silent when it is retired, m7 for some days."""
    return not (meter == "m3" and time >= RETIRED) and not (meter == "m7" and SILENT[0] <= time < SILENT[1])


def written(directory: Path) -> Place:
    """An installation with readings of every meter, of a feeder that is summed, and of a stranger."""
    place = Place(directory)
    (directory / "config").mkdir(parents=True)
    (directory / "config/pipeline_config.yaml").write_text(CONFIG)
    (directory / "tree.csv").write_text(TREE)
    times = [FIRST + timedelta(hours=hour) for hour in range(HOURS)]
    rows = [
        f"{meter},{time.isoformat()},{size + hour % 24 / 10 + (hour * 7 + size * 3) % 11 / 100:.3f}"
        for meter, size in METERS.items()
        for hour, time in enumerate(times)
        if is_read(meter, time)
    ]
    rows += [
        f"{name},{time.isoformat()},{99 + hour % 5}" for name in ("F1", "x") for hour, time in enumerate(times[:30])
    ]
    (directory / "meters.csv").write_text("\n".join(("series_id,valid_time,load_mw", *rows, "")))
    return place


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = written(tmp_path_factory.mktemp("tree"))
    for command in ("ingest", "prepare"):
        place.run(command)
    return place


def clean(place: Place) -> pl.DataFrame:
    return Processed.open(place.directory / "data/processed").readings()


def loads_of(rows: pl.DataFrame, *series: str) -> pl.DataFrame:
    """`valid_time` and the sum of some series' loads, null where one of them has none."""
    chosen = rows.filter(pl.col("series_id").is_in(series))
    total = pl.when(pl.col("load_mw").is_null().any()).then(None).otherwise(pl.col("load_mw").sum())
    return chosen.group_by("valid_time").agg(total.alias("load_mw")).sort("valid_time")


def assert_sum(rows: pl.DataFrame, parent: str, expected: pl.DataFrame) -> None:
    """A parent's loads are some loads by time, to 1e-6."""
    found = rows.filter(series_id=parent).select("valid_time", "load_mw").sort("valid_time")
    assert found["valid_time"].to_list() == expected["valid_time"].to_list()
    assert found["load_mw"].is_null().to_list() == expected["load_mw"].is_null().to_list()
    assert found["load_mw"].to_list() == pytest.approx(expected["load_mw"].to_list(), abs=1e-6)


def members(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of the meters while they count."""
    not_yet = (pl.col("series_id") == "m2") & (pl.col("valid_time") < COMMISSIONED)
    retired = (pl.col("series_id") == "m3") & (pl.col("valid_time") >= RETIRED)
    return rows.filter(pl.col("series_id").is_in(list(METERS)), ~not_yet, ~retired)


def test_every_level_is_the_sum_of_its_members_at_each_time(prepared: Place) -> None:
    rows = clean(prepared)
    counted = members(rows)
    for feeder, meters in FEEDERS.items():
        assert_sum(rows, feeder, loads_of(counted, *meters))
    before, after = rows.filter(pl.col("valid_time") < SWITCH), rows.filter(pl.col("valid_time") >= SWITCH)
    assert_sum(rows, "S1", pl.concat([loads_of(before, "F1", "F2"), loads_of(after, "F2")]))
    assert_sum(rows, "S2", pl.concat([loads_of(before, "F3"), loads_of(after, "F1", "F3")]))
    assert_sum(rows, "north", loads_of(rows, "S1", "S2", "big"))
    assert_sum(rows, "grid", loads_of(counted, *METERS))


def test_what_was_prepared_remembers_the_tree_of_the_file(prepared: Place) -> None:
    tree = read_hierarchy(prepared.directory / "tree.csv", time_zone="Europe/London")
    assert Processed.open(prepared.directory / "data/processed").hierarchy == tree


def test_the_energy_of_the_system_is_that_of_its_members_where_it_is_whole(prepared: Place) -> None:
    rows = clean(prepared)
    whole = rows.filter(pl.col("load_mw").is_not_null(), series_id="grid").select("valid_time", "load_mw")
    below = members(rows).join(whole, on="valid_time", how="semi")
    assert whole.height == HOURS - 72
    assert whole["load_mw"].sum() == pytest.approx(below["load_mw"].sum(), abs=1e-6)


def test_a_silent_meter_makes_its_ancestors_incomplete_and_no_others(prepared: Place) -> None:
    rows = clean(prepared)
    incomplete = rows.filter(rule="sum_of_children+incomplete")
    assert set(incomplete["series_id"]) == {"F3", "S2", "north", "grid"}
    assert set(incomplete["quality"]) == {"missing"}
    assert incomplete.filter(series_id="F3")["valid_time"].is_between(*SILENT, closed="left").all()
    counted = members(rows)
    is_f1 = pl.col("series_id").is_in(FEEDERS["F1"])
    is_elsewhere = pl.col("series_id").is_in(["m3", "m4", "big"]) | (is_f1 & (pl.col("valid_time") < SWITCH))
    whole = children_summary(Processed.open(prepared.directory / "data/processed").quality_counts())
    assert dict(whole.select("series_id", "children_with_load").iter_rows()) == {
        "F1": 1.0,
        "F2": 1.0,
        "F3": pytest.approx(1 - 72 / (3 * HOURS)),
        "S1": 1.0,
        "S2": pytest.approx(1 - 72 / counted.filter(~is_elsewhere).height),
        "north": pytest.approx(1 - 72 / counted.height),
        "grid": pytest.approx(1 - 72 / counted.height),
    }


def test_readings_of_sums_and_of_strangers_are_kept_with_their_reasons(prepared: Place) -> None:
    removed = pl.read_parquet(prepared.directory / "data/processed/removed.parquet")
    assert sorted(removed.group_by("series_id", "reason").len().rows()) == [
        ("F1", IS_SUMMED, 30),
        ("x", "unknown_series", 30),
    ]


def test_above_a_changed_share_sums_are_scaled_up_and_said_to_be(
    prepared: Place, copy_of: Callable[[Place], Place]
) -> None:
    place = copy_of(prepared)
    assert place.json("prepare")["reused"]
    again = place.json("prepare", env={"GRIDCAST_PIPELINE__HIERARCHY__MIN_COMPLETENESS": "0.7"})
    assert not again["reused"]
    summary = {row["series_id"]: row for row in again["quality"]}
    rows = clean(place)
    at = pl.col("valid_time").is_between(*SILENT, closed="left")
    both, feeder = loads_of(rows.filter(at), "m5", "m6"), rows.filter(at, series_id="F3")
    assert set(feeder.select("quality", "rule").rows()) == {("missing", "sum_of_children+incomplete")}
    grid = rows.filter(at, series_id="grid")
    assert set(grid.select("quality", "rule").rows()) == {("estimated", "sum_of_children+scaled_up")}
    counted = members(rows).filter(at, pl.col("load_mw").is_not_null())
    assert grid["load_mw"].to_list() == pytest.approx(
        [load * 7 / 6 for load in loads_of(counted, *METERS)["load_mw"]], abs=1e-6
    )
    assert both["load_mw"].null_count() == 0
    assert (summary["F3"]["incomplete"], summary["grid"]["scaled_up"], summary["grid"]["completeness"]) == (72, 72, 1.0)


def test_the_tree_of_a_moment_is_printed_and_told_to_programs(prepared: Place) -> None:
    before = prepared.run("hierarchy", "--at", "2024-03-24T00:00Z").stdout
    after = prepared.run("hierarchy", "--at", "2024-03-31T05:00Z").stdout
    assert "F1, feeder, Europe/London, 2 children, until 2024-03-31 06:00" in before
    assert before.index("S1,") < before.index("F1,") < before.index("S2,")
    assert after.index("S1,") < after.index("S2,") < after.index("F1,")
    assert "\nm3, meter, Europe/London, in F2 until 2024-03-25 00:00\n" in after
    told = prepared.json("hierarchy", "--at", "2024-03-31T05:00Z")
    assert told["levels"] == {"system": 1, "zone": 1, "substation": 2, "feeder": 3, "meter": 8}
    by_id = {each["series_id"]: each for each in told["series"]}
    assert (by_id["F1"]["parent_id"], by_id["S2"]["children"], by_id["m3"]["parent_id"]) == ("S2", 2, None)


def test_a_file_is_checked_without_being_used(prepared: Place) -> None:
    before = json.loads((prepared.directory / "data/processed/manifest.json").read_text())
    (prepared.directory / "new.csv").write_text(
        TREE.replace("m4,meter,F2", "m4,meter,F9").replace("zone,grid", "zone,")
    )
    done = prepared.run("hierarchy", "--check", "new.csv", code=2)
    assert not done.stdout
    lines = [line.removeprefix("error: ").split(": ")[0] for line in done.stderr.splitlines()]
    assert lines == ["new.csv:2", "new.csv:3", "new.csv:13"]
    assert "m1, meter" in prepared.run("hierarchy", "--check", "tree.csv").stdout
    assert json.loads((prepared.directory / "data/processed/manifest.json").read_text()) == before


def test_a_broken_file_stops_prepare_before_anything_is_done(
    prepared: Place, copy_of: Callable[[Place], Place]
) -> None:
    place = copy_of(prepared)
    before = clean(place)
    (place.directory / "tree.csv").write_text(TREE.replace("meter,F3", "meter,F9"))
    done = place.run("prepare", code=2)
    assert done.stderr.count("which is not a series") == 3
    assert clean(place).equals(before)
