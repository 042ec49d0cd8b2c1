"""Models come back as they were registered, wherever the registry lies, and know which of them is in charge."""

import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.empty_registry import copy_empty_registry
from support.workers import run_folder

from gridcast.domain.errors import GridcastError
from gridcast.registry.catalogue import CHALLENGER, CHAMPION, RegisteredModel
from gridcast.registry.mlflow_registry import Registry

ARTEFACT = {
    "saved_model/saved_model.pb": bytes(range(256)),
    "saved_model/variables/variables.index": b"",
    "model.tflite": b"TFL3",
    "signature.json": b"{}\n",
}
REQUIREMENTS = ("keras==3.15.0", "tensorflow-cpu==2.21.0")


@pytest.fixture
def home(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_empty_registry(tmp_path / "100% Zähler? #1" / "registry", run=run_folder(tmp_path_factory))


@pytest.fixture
def registry(home: Path) -> Registry:
    return Registry.open(home)


def artefact(directory: Path, files: Mapping[str, bytes] = ARTEFACT) -> Path:
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
    return directory


def register(registry: Registry, tmp_path: Path, **tags: str) -> RegisteredModel:
    return registry.register(
        artefact(tmp_path / "made"),
        params={"seed": 7, "width": 128},
        metrics={"pinball": 0.25},
        tags=tags or {"data_hash": "d1"},
        pip_requirements=REQUIREMENTS,
    )


def files(directory: Path) -> dict[str, bytes]:
    return {
        each.relative_to(directory).as_posix(): each.read_bytes() for each in directory.rglob("*") if each.is_file()
    }


def test_a_new_registry_has_no_models(registry: Registry) -> None:
    assert registry.versions() == []
    assert registry.champion() is None
    assert registry.trained_from({}) is None
    with pytest.raises(GridcastError, match=r"model 'champion' is not registered; .*none; run 'gridcast train' first"):
        registry.get(CHAMPION)


def test_a_registered_model_is_the_challenger_and_keeps_its_lineage(registry: Registry, tmp_path: Path) -> None:
    made = register(registry, tmp_path, data_hash="d1", git_revision="g1")
    assert (made.version, made.aliases) == ("1", (CHALLENGER,))
    assert made.params == {"seed": "7", "width": "128"}
    assert made.metrics == {"pinball": 0.25}
    assert made.tags == {"data_hash": "d1", "git_revision": "g1"}
    assert registry.get(CHALLENGER) == registry.get("1") == made
    assert registry.versions() == [made]


def test_the_artefact_is_kept_byte_for_byte_with_its_requirements_and_no_pickle(
    registry: Registry, home: Path, tmp_path: Path
) -> None:
    made = register(registry, tmp_path)
    kept = files(made.directory)
    assert made.directory.is_relative_to(home)
    assert {name: kept.pop(name) for name in ARTEFACT} == ARTEFACT
    assert kept.pop("requirements.txt").decode().splitlines() == list(REQUIREMENTS)
    description = kept.pop("MLmodel").decode()
    assert "python_function" not in description
    assert "pickle" not in description
    assert not kept


def test_the_artefact_stays_as_it_was_when_its_source_changes(registry: Registry, tmp_path: Path) -> None:
    made = register(registry, tmp_path)
    artefact(tmp_path / "made", dict.fromkeys(ARTEFACT, b"trained again"))
    assert (made.directory / "model.tflite").read_bytes() == b"TFL3"


def test_the_newest_version_is_the_challenger_and_the_champion_stays(registry: Registry, tmp_path: Path) -> None:
    register(registry, tmp_path)
    registry.set_alias(CHAMPION, "1")
    register(registry, tmp_path)
    assert {each.version: each.aliases for each in registry.versions()} == {"1": (CHAMPION,), "2": (CHALLENGER,)}
    registry.set_alias(CHAMPION, "2")
    registry.drop_alias(CHALLENGER)
    champion = registry.champion()
    assert champion is not None
    assert (champion.version, champion.aliases) == ("2", (CHAMPION,))
    assert registry.get("1").aliases == ()
    with pytest.raises(GridcastError, match="model 'challenger' is not registered"):
        registry.get(CHALLENGER)


def test_the_candidate_is_the_challenger_or_else_the_champion(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(GridcastError, match="model 'champion' is not registered"):
        registry.candidate()
    for _ in range(2):
        register(registry, tmp_path)
    registry.set_alias(CHAMPION, "1")
    assert registry.candidate().version == "2"
    registry.drop_alias(CHALLENGER)
    assert registry.candidate().version == "1"


def test_versions_are_listed_in_the_order_they_were_made(registry: Registry, tmp_path: Path) -> None:
    made = [register(registry, tmp_path).version for _ in range(11)]
    assert [each.version for each in registry.versions()] == made == [str(number) for number in range(1, 12)]


def test_an_unknown_version_is_refused_with_the_known_ones(registry: Registry, tmp_path: Path) -> None:
    register(registry, tmp_path)
    for version in ("9", "0", "winner", "", "²", "-1", "a b/c", "v1"):
        expected = rf"model '{version}' is not registered; expected 'champion', 'challenger' or one of \['1'\]"
        with pytest.raises(GridcastError, match=expected):
            registry.get(version)


def test_the_newest_model_with_all_of_the_asked_tags_is_found(registry: Registry, tmp_path: Path) -> None:
    for data, settings in (("d1", "s1"), ("d1", "s1"), ("d1", "s2")):
        register(registry, tmp_path, data_hash=data, settings=settings)

    def version_of(**tags: str) -> str | None:
        found = registry.trained_from(tags)
        return None if found is None else found.version

    assert version_of(data_hash="d1", settings="s1") == "2"
    assert version_of(data_hash="d1") == "3"
    assert version_of(data_hash="d2") is None
    assert version_of(data_hash="d1", code="c1") is None


def test_measurements_and_decisions_are_added_to_a_version(registry: Registry, tmp_path: Path) -> None:
    register(registry, tmp_path)
    registry.add_metrics("1", {"coverage_80": 0.5, "coverage_90": 0.9})
    registry.add_metrics("1", {"coverage_80": 0.8})
    registry.tag("1", {"decision": "refused: below the naive"})
    model = registry.get("1")
    assert model.metrics == {"pinball": 0.25, "coverage_80": 0.8, "coverage_90": 0.9}
    assert model.tags == {"data_hash": "d1", "decision": "refused: below the naive"}


def test_a_registry_that_was_moved_finds_and_takes_models_in_its_new_place(
    registry: Registry, home: Path, tmp_path: Path
) -> None:
    register(registry, tmp_path)
    moved = Registry.open(Path(shutil.move(home, tmp_path / "elsewhere")))
    second = register(moved, tmp_path)
    for model in (moved.get("1"), second):
        assert model.directory.is_relative_to(tmp_path / "elsewhere")
        assert (model.directory / "model.tflite").read_bytes() == b"TFL3"
    assert not home.exists()


def test_an_artefact_that_is_not_there_makes_no_version(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(GridcastError, match=r"registry .*: .*No such file or directory: '.*/nothing'"):
        registry.register(tmp_path / "nothing", params={}, metrics={}, tags={}, pip_requirements=())
    assert registry.versions() == []


def test_a_registry_whose_making_was_cut_short_is_completed(home: Path, tmp_path: Path) -> None:
    with sqlite3.connect(home / "mlflow.db") as database:
        database.execute("DELETE FROM experiments WHERE name = 'gridcast'")
    database.close()
    assert register(Registry.open(home), tmp_path).version == "1"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(b"not a database at all, " * 99, "file is not a database", id="text"),
        pytest.param(b"SQLite format 3\x00" + bytes(5_000), "file is not a database", id="a header alone"),
    ],
)
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "mlflow.db").write_bytes(content)
    with pytest.raises(GridcastError, match=f"registry .*: {told}; expected a folder gridcast may write to"):
        Registry.open(tmp_path)
    assert (tmp_path / "mlflow.db").read_bytes() == content


def test_a_database_with_tables_of_another_program_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("CREATE TABLE invoices (amount)")
    database.close()
    with pytest.raises(GridcastError, match=r"mlflow\.db has the tables \['invoices'\], which are not MLflow's"):
        Registry.open(tmp_path)


def test_a_damaged_database_is_refused(home: Path) -> None:
    database = home / "mlflow.db"
    content = database.read_bytes()
    database.write_bytes(content[:4096] + bytes(len(content) - 4096))
    with pytest.raises(GridcastError, match=r"registry .*malformed.*expected a folder gridcast may write to"):
        Registry.open(home)


@pytest.mark.parametrize("below", [".", "deeper/registry"])
def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(GridcastError, match=r"registry .*data.*; expected a folder gridcast may write to"):
        Registry.open(tmp_path / "data" / below)


def test_a_folder_that_must_not_be_written_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").mkdir()
    with pytest.raises(GridcastError, match="unable to open database file; expected a folder gridcast may write to"):
        Registry.open(tmp_path)
