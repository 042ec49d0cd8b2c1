"""The files in config/ show every key with the value it has when nothing is written."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from gridcast.domain.errors import UsageError
from gridcast.settings.app import AppSettings
from gridcast.settings.load import load_settings
from gridcast.settings.model import ModelSettings
from gridcast.settings.pipeline import PipelineSettings
from gridcast.settings.yaml_source import read_settings

CONFIG = Path(__file__).parents[3] / "config"
FILES: list[Any] = [
    pytest.param(AppSettings, CONFIG / "app_config.yaml", id="app"),
    pytest.param(ModelSettings, CONFIG / "model_config.yaml", id="model"),
    pytest.param(PipelineSettings, CONFIG / "pipeline_config.yaml", id="pipeline"),
]


def keys_of(settings: object, above: str = "") -> Iterator[str]:
    """Dotted name of every field, sections and what is below them."""
    if isinstance(settings, Mapping):
        for name, value in settings.items():
            yield f"{above}{name}"
            yield from keys_of(value, f"{above}{name}.")
        return
    if isinstance(settings, BaseModel):
        names = list(type(settings).model_fields)
    elif dataclasses.is_dataclass(settings):
        names = [field.name for field in dataclasses.fields(settings)]
    else:
        return
    for name in names:
        yield above + name
        yield from keys_of(getattr(settings, name), f"{above}{name}.")


def keys_in(document: object, above: str = "") -> Iterator[str]:
    if isinstance(document, Mapping):
        for name, value in document.items():
            yield f"{above}{name}"
            yield from keys_in(value, f"{above}{name}.")


@pytest.mark.parametrize(("model", "file"), FILES)
def test_every_key_is_shown_and_none_is_made_up(model: type[BaseModel], file: Path) -> None:
    assert sorted(keys_in(yaml.safe_load(file.read_text()))) == sorted(keys_of(model()))


@pytest.mark.parametrize(("model", "file"), FILES)
def test_every_key_is_shown_with_its_default(model: type[BaseModel], file: Path) -> None:
    assert read_settings(model, file, env_prefix="GRIDCAST_TEST") == model()


@pytest.mark.parametrize(("model", "file"), FILES)
def test_settings_cannot_be_changed_once_read(model: type[BaseModel], file: Path) -> None:
    settings = read_settings(model, file, env_prefix="GRIDCAST_TEST")
    assert settings.model_config.get("frozen")
    assert settings.model_config.get("extra") == "forbid"


def test_the_folder_is_read_as_the_defaults() -> None:
    assert load_settings(CONFIG) == load_settings(None)


def test_a_file_that_is_left_out_stands_for_its_defaults(tmp_path: Path) -> None:
    (tmp_path / "app_config.yaml").write_text("data_dir: elsewhere\n")
    settings = load_settings(tmp_path)
    assert settings.app.data_dir == Path("elsewhere")
    assert (settings.model, settings.pipeline) == (ModelSettings(), PipelineSettings())


@pytest.mark.parametrize("name", ["nowhere", "app_config.yaml"])
def test_a_folder_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "app_config.yaml").write_text("data_dir: elsewhere\n")
    with pytest.raises(UsageError, match=rf"config .*{name}: not a folder; expected one with app_config\.yaml"):
        load_settings(tmp_path / name)


def test_the_series_read_become_zones_of_the_system_in_the_clock_of_the_sample() -> None:
    tree = PipelineSettings().tree(["zone_01", "zone_02"])
    assert tree.ids == ("zone_01", "zone_02", "system")
    assert set(tree.time_zones.values()) == {"Etc/GMT+5"}


@pytest.mark.parametrize(
    ("hierarchy_zone", "files_zone", "expected"),
    [
        pytest.param(None, "Europe/London", "Europe/London", id="that of the readings"),
        pytest.param("Asia/Kolkata", "UTC", "Asia/Kolkata", id="that of the hierarchy goes first"),
        pytest.param("Asia/Kolkata", None, "Asia/Kolkata", id="that of the hierarchy alone"),
    ],
)
def test_the_clock_of_own_files_is_the_one_people_live_by(
    hierarchy_zone: str | None, files_zone: str | None, expected: str
) -> None:
    settings = PipelineSettings.model_validate(
        {
            "sources": {
                "meters": {
                    "kind": "files",
                    "readings": "x.csv",
                    "readings_format": {"text": {"time_zone": files_zone}},
                }
            },
            "hierarchy": {"time_zone": hierarchy_zone, "system_id": "grid"},
        }
    )
    assert settings.tree(["a"]).time_zones == {"a": expected, "grid": expected}
