"""One installation, built once by the real commands, that tests copy and go on from; servers that some of them need."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.flink import Cluster, running_flink
from support.installation import CONFIG, Place, write_source
from support.kafka import Broker, running_broker
from support.plant import Plant, build
from support.postgres import Server, running_postgres


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


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(scope="module")
def databases() -> Iterator[Server]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def database(databases: Server) -> str:
    """URL of an empty database."""
    return databases.new_database()


@pytest.fixture
def flink(tmp_path_factory: pytest.TempPathFactory, database: str) -> Iterator[Cluster]:
    """A cluster whose workers write to the database."""
    with running_flink(tmp_path_factory.mktemp("flink"), environment={"GRIDCAST_STORE_URL": database}) as cluster:
        yield cluster
