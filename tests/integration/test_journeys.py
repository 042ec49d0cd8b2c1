"""Every command of the five journeys in docs/journeys runs as it stands there, on an installation that is made small.

A page whose front matter asks for a small installation is walked with the settings below: half a year of three zones in
place of the sample, and a network that learns in seconds.
"""

import os
from pathlib import Path

import pytest
import yaml
from support.installation import write_source
from support.services import free_ports, require_programs
from support.walk import Walk, copy_into, read_walk, take
from support.workers import in_turn, run_folder

ROOT = Path(__file__).parents[2]
WALKS = [read_walk(page) for page in sorted((ROOT / "docs/journeys").glob("*.md"))]
SMALL = {
    "GRIDCAST_MODEL__NETWORK": "{width: 16, blocks: 1, encoder_width: 16}",
    "GRIDCAST_MODEL__TRAINING": "{members: 1, epochs: 1, windows_per_epoch: 512, batch_size: 128}",
    "GRIDCAST_MODEL__BACKTEST": "{days: 14}",
    "GRIDCAST_MODEL__GATE": "{min_skill_vs_naive: -9, coverage_80: [0.0, 1.0]}",
    "GRIDCAST_MODEL__WEATHER": "{station_mix: mean}",
}


def files_in(folder: Path) -> dict[str, object]:
    """The settings of the source files in a folder."""
    return {
        "kind": "files",
        **{name: str(folder / f"{name}.csv") for name in ("readings", "weather", "holidays")},
        "readings_format": {
            "series_id": "unique_id",
            "valid_time": "ds",
            "load": "y",
            "unit": "kW",
            "text": {"time_zone": "Europe/London"},
        },
        "weather_format": {
            "station_id": None,
            "valid_time": "ds",
            "temperature": "f",
            "unit": "F",
            "text": {"time_zone": "UTC"},
        },
    }


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a small installation."""
    run = run_folder(tmp_path_factory)
    sources = run / "sources_of_journeys"
    with in_turn(run / "sources_of_journeys.lock"):
        if not sources.exists():
            sources.mkdir()
            write_source(sources)
    return {**SMALL, "GRIDCAST_PIPELINE__SOURCES": yaml.safe_dump({"files": files_in(sources)})}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, small: dict[str, str]) -> Path:
    """What the shared blocks make, once in a test run. Not to be changed: copy it."""
    shared = {walk.shared for walk in WALKS if walk.shared}
    assert len(shared) == 1, "all pages begin with the same"
    run = run_folder(tmp_path_factory)
    made, making = run / "start_of_journeys", run / "start_of_journeys_in_the_making"
    with in_turn(run / "start_of_journeys.lock"):
        if not made.exists():
            making.mkdir()
            (port,) = free_ports(1)
            take(shared.pop(), folder=making, environment=around(small, making), port=port)
            making.rename(made)
    return made


def around(extra: dict[str, str], home: Path) -> dict[str, str]:
    """The environment of the test without settings of its own, and with those asked for."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("GRIDCAST_", "HTTP"))}
    return {**outside, "HOME": str(home), **extra}


def test_there_is_a_journey_for_each_user_of_the_original_design() -> None:
    assert [walk.name for walk in WALKS] == [
        "business_analyst",
        "data_engineer",
        "data_scientist",
        "operations_manager",
        "system_administrator",
    ]
    assert all(len(walk.blocks) >= 6 for walk in WALKS)


@pytest.mark.parametrize("walk", [pytest.param(walk, id=walk.name) for walk in WALKS])
def test_every_command_of_a_journey_runs_as_it_is_written(
    walk: Walk, tmp_path: Path, request: pytest.FixtureRequest, small: dict[str, str]
) -> None:
    require_programs("bash", "curl")
    (port,) = free_ports(1)
    is_small = walk.test.get("installation") == "small"
    if is_small:
        copy_into(request.getfixturevalue("prepared"), tmp_path)
    extra = {**(small if is_small else {}), "GRIDCAST_APP__SERVICE__PORT": str(port)}
    own = tuple(block for block in walk.blocks if not block.is_shared)

    told = take(own, folder=tmp_path, environment=around(extra, tmp_path), port=port)

    assert "Traceback" not in told
    assert "internal fault" not in told
