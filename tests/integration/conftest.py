"""One installation, built once by the real commands, that tests copy and go on from."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.installation import CONFIG, Place, write_source
from support.plant import Plant, build


@pytest.fixture(scope="session")
def promoted(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Ingested, prepared, trained and promoted. Not to be changed: copy it."""
    place = Place(tmp_path_factory.mktemp("promoted"))
    config = place.directory / "config"
    config.mkdir()
    for name, text in CONFIG.items():
        (config / name).write_text(text)
    write_source(place.directory)
    for command in ("ingest", "prepare", "train", "promote"):
        place.run(command)
    return place


@pytest.fixture(scope="session")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Plant:
    """A made-up history and a small model of it, for all that is done with a model."""
    return build(tmp_path_factory.mktemp("plant"))


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Place], Place]:
    def copy(place: Place) -> Place:
        return Place(shutil.copytree(place.directory, tmp_path / "copy"))

    return copy
