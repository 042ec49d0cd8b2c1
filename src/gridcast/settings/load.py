"""All settings of one run, from a folder with the three configuration files."""

from dataclasses import dataclass
from pathlib import Path

from gridcast.domain.errors import UsageError
from gridcast.settings.app import AppSettings
from gridcast.settings.model import ModelSettings
from gridcast.settings.pipeline import PipelineSettings
from gridcast.settings.yaml_source import read_settings


@dataclass(frozen=True, slots=True)
class Settings:
    """The three files, read and checked."""

    app: AppSettings
    model: ModelSettings
    pipeline: PipelineSettings


def load_settings(directory: Path | None) -> Settings:
    """Settings from `directory`; a file that is not there stands for its defaults, as does None for all three.

    Raises:
        UsageError: the folder does not exist, or a file holds something that cannot be used.
    """
    if directory is not None and not directory.is_dir():
        raise UsageError(
            f"config {directory}: not a folder; expected one with app_config.yaml, model_config.yaml and "
            "pipeline_config.yaml, of which any may be left out."
        )
    return Settings(
        app=read_settings(AppSettings, _file(directory, "app"), env_prefix="GRIDCAST_APP"),
        model=read_settings(ModelSettings, _file(directory, "model"), env_prefix="GRIDCAST_MODEL"),
        pipeline=read_settings(PipelineSettings, _file(directory, "pipeline"), env_prefix="GRIDCAST_PIPELINE"),
    )


def _file(directory: Path | None, name: str) -> Path | None:
    path = None if directory is None else directory / f"{name}_config.yaml"
    return path if path is not None and path.exists() else None
