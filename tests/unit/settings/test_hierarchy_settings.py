"""`hierarchy` of the settings: a file's tree exactly, or zones of one system, on one grid."""

from datetime import timedelta
from pathlib import Path

import pytest

from gridcast.domain.errors import UsageError
from gridcast.domain.series import zones_to_system
from gridcast.settings.hierarchy import HierarchySettings, build_tree
from gridcast.settings.pipeline import PipelineSettings
from gridcast.settings.yaml_source import read_settings

HOUR = timedelta(hours=1)
TREE = "series_id,level,parent_id,time_zone\ngrid,system,,\nnorth,zone,grid,\nm1,meter,north,{}\n"
OWN_FILES = "sources:\n  meters: {kind: files, readings: meters.csv}\n"


def tree_file(directory: Path, *, time_zone: str = "") -> Path:
    path = directory / "tree.csv"
    path.write_text(TREE.format(time_zone))
    return path


def pipeline(directory: Path, text: str) -> PipelineSettings:
    path = directory / "pipeline_config.yaml"
    path.write_text(text)
    return read_settings(PipelineSettings, path, env_prefix="GRIDCAST_PIPELINE")


def test_without_a_file_the_series_that_were_read_are_zones_of_the_system() -> None:
    tree = build_tree(HierarchySettings(system_id="all"), ["a", "b"], interval=HOUR, time_zone="Europe/London")
    assert tree == zones_to_system(["a", "b"], time_zone="Europe/London", system_id="all")


def test_with_a_file_the_tree_is_exactly_that_of_the_file_whatever_was_read(tmp_path: Path) -> None:
    settings = HierarchySettings(file=tree_file(tmp_path))
    tree = build_tree(settings, ["m1", "stranger"], interval=HOUR, time_zone="Europe/London")
    assert tree.ids == ("grid", "north", "m1")
    assert set(tree.time_zones.values()) == {"Europe/London"}


def test_a_file_says_itself_which_clock_people_live_by(tmp_path: Path) -> None:
    zones = TREE.format("UTC").replace("system,,", "system,,UTC").replace("grid,\n", "grid,UTC\n")
    tree_file(tmp_path).write_text(zones)
    settings = pipeline(tmp_path, f"{OWN_FILES}hierarchy: {{file: {tmp_path / 'tree.csv'}}}\n")
    assert set(settings.tree([]).time_zones.values()) == {"UTC"}
    with pytest.raises(UsageError, match=r"time_zone is not set and the time zones of the sources do not tell it"):
        pipeline(tmp_path, OWN_FILES)


def test_a_file_and_settings_without_any_clock_are_refused_line_by_line(tmp_path: Path) -> None:
    settings = pipeline(tmp_path, f"{OWN_FILES}hierarchy: {{file: {tree_file(tmp_path)}}}\n")
    with pytest.raises(UsageError) as refused:
        settings.tree([])
    assert [line.split(":")[1] for line in str(refused.value).splitlines()] == ["2", "3", "4"]


@pytest.mark.parametrize(
    ("interval", "is_fine"), [pytest.param(HOUR, False, id="an hour"), pytest.param(HOUR / 2, True, id="half an hour")]
)
def test_zones_half_an_hour_apart_need_intervals_that_divide_it(
    tmp_path: Path, interval: timedelta, is_fine: bool
) -> None:
    settings = HierarchySettings(file=tree_file(tmp_path, time_zone="Asia/Kolkata"))
    if is_fine:
        assert build_tree(settings, [], interval=interval, time_zone="Europe/London").leaves == ("m1",)
        return
    with pytest.raises(UsageError, match="begins at midnight in Asia/Kolkata does not begin with one in Europe/London"):
        build_tree(settings, [], interval=interval, time_zone="Europe/London")


@pytest.mark.parametrize("from_file", [True, False], ids=["tree of a file", "zones of one system"])
def test_a_clock_that_changes_by_half_an_hour_needs_intervals_that_divide_it(
    tmp_path: Path, *, from_file: bool
) -> None:
    settings = HierarchySettings(file=tree_file(tmp_path) if from_file else None)
    with pytest.raises(UsageError, match=r"clock of Australia/Lord_Howe changes by part of .*1:00:00.*PT30M or finer"):
        build_tree(settings, ["m1"], interval=HOUR, time_zone="Australia/Lord_Howe")
    for interval in (HOUR / 2, HOUR / 4, HOUR / 12):
        assert build_tree(settings, ["m1"], interval=interval, time_zone="Australia/Lord_Howe").leaves == ("m1",)


def test_zones_whole_hours_apart_can_be_summed_by_the_hour(tmp_path: Path) -> None:
    settings = HierarchySettings(file=tree_file(tmp_path, time_zone="America/Los_Angeles"))
    tree = build_tree(settings, [], interval=HOUR, time_zone="Pacific/Auckland")
    assert set(tree.time_zones.values()) == {"Pacific/Auckland", "America/Los_Angeles"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(
            "min_completeness: 0", "hierarchy.min_completeness: got 0; input should be greater than 0", id="zero"
        ),
        pytest.param("min_completeness: 1.1", "hierarchy.min_completeness: got 1.1; input should be less", id="above"),
        pytest.param(
            "min_complete: 1", "unknown key 'hierarchy.min_complete'; accepted here are file, min_", id="unknown"
        ),
        pytest.param("time_zone: Mars", "hierarchy: 'Mars' is not an IANA time zone", id="zone"),
    ],
)
def test_an_impossible_setting_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        pipeline(tmp_path, f"hierarchy:\n  {text}\n")
