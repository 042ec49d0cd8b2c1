"""Registered models on MLflow: one run, one artefact folder and one version number for each training."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlparse

from gridcast.domain.errors import GridcastError

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from mlflow.entities import Metric, Param, RunTag
from mlflow.entities.model_registry import ModelVersion as MlflowVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.tracking import MlflowClient

CHAMPION = "champion"
"""Alias of the version in charge."""
CHALLENGER = "challenger"
"""Alias of the newest version that has not been judged against the champion."""

_NAME = "gridcast"
_ARTEFACT = "model"


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """One version: where its artefact lies, what it was made from, and what was measured on it."""

    version: str
    directory: Path
    created_at: datetime
    aliases: tuple[str, ...]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


class Registry:
    """The models of one installation, in an SQLite database beside their artefacts."""

    def __init__(self, client: MlflowClient, experiment_id: str) -> None:
        self._client = client
        self._experiment_id = experiment_id

    @classmethod
    def open(cls, directory: Path) -> "Registry":
        """The registry in `directory`, created when absent.

        Raises:
            GridcastError: the folder cannot be written or holds something else.
        """
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        home = directory.resolve()
        uri = f"sqlite:///{home / 'mlflow.db'}"
        try:
            home.mkdir(parents=True, exist_ok=True)
            client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            experiment = client.get_experiment_by_name(_NAME)
            if experiment is not None:
                return cls(client, experiment.experiment_id)
            created = client.create_experiment(_NAME, artifact_location=(home / "artefacts").as_uri())
            client.create_registered_model(_NAME)
        except (OSError, MlflowException) as error:
            raise GridcastError(
                f"registry {directory}: {_first_line(error)}; expected a folder gridcast may write to, "
                "new or made by gridcast."
            ) from error
        return cls(client, created)

    def register(
        self,
        artefact: Path,
        *,
        params: Mapping[str, object],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        pip_requirements: tuple[str, ...],
    ) -> RegisteredModel:
        """Record one training and its artefact as a new version, and call it the challenger.

        Args:
            artefact: folder to copy into the registry.
            params: settings the model was trained with.
            metrics: what training measured.
            tags: lineage, such as data hash and git revision.
            pip_requirements: exact packages that can run the artefact.
        """
        run = self._client.create_run(self._experiment_id, tags=dict(tags))
        run_id = run.info.run_id
        self._client.log_batch(run_id, params=[Param(key, str(value)) for key, value in params.items()])
        self._log_metrics(run_id, metrics)
        self._client.log_artifacts(run_id, str(artefact), _ARTEFACT)
        description = Model(artifact_path=_ARTEFACT, run_id=run_id)
        description.add_flavor("gridcast", saved_model="saved_model", litert="model.tflite", signature="signature.json")
        self._client.log_text(run_id, description.to_yaml(), f"{_ARTEFACT}/MLmodel")
        self._client.log_text(run_id, "\n".join(pip_requirements) + "\n", f"{_ARTEFACT}/requirements.txt")
        self._client.set_terminated(run_id)
        source = f"{run.info.artifact_uri}/{_ARTEFACT}"
        made = self._client.create_model_version(_NAME, source=source, run_id=run_id, tags=dict(tags))
        self.set_alias(CHALLENGER, str(made.version))
        return self.get(str(made.version))

    def get(self, version: str) -> RegisteredModel:
        """The model with a version number or an alias.

        Raises:
            GridcastError: there is none.
        """
        found = self._find(version)
        if found is None:
            known = [each.version for each in self.versions()] or "none; run 'gridcast train' first"
            raise GridcastError(
                f"model {version!r} is not registered; expected 'champion', 'challenger' or one of {known}."
            )
        return found

    def champion(self) -> RegisteredModel | None:
        """The model in charge, if one was ever promoted."""
        return self._find(CHAMPION)

    def versions(self) -> list[RegisteredModel]:
        """Every version, oldest first."""
        found = self._client.search_model_versions(f"name = '{_NAME}'")
        return sorted((self._describe(each) for each in found), key=lambda each: int(each.version))

    def trained_from(self, tags: Mapping[str, str]) -> RegisteredModel | None:
        """The newest version whose lineage has all of `tags`."""
        alike = [each for each in self.versions() if tags.items() <= each.tags.items()]
        return alike[-1] if alike else None

    def set_alias(self, alias: str, version: str) -> None:
        """Let `alias` name `version` from now on."""
        self._client.set_registered_model_alias(_NAME, alias, version)

    def drop_alias(self, alias: str) -> None:
        """Let `alias` name nothing."""
        self._client.delete_registered_model_alias(_NAME, alias)

    def add_metrics(self, version: str, metrics: Mapping[str, float]) -> None:
        """Add measurements, such as those of a backtest, to a version."""
        run_id = self._client.get_model_version(_NAME, version).run_id
        self._log_metrics(run_id, metrics)

    def tag(self, version: str, tags: Mapping[str, str]) -> None:
        """Add lineage or decisions to a version."""
        for key, value in tags.items():
            self._client.set_model_version_tag(_NAME, version, key, value)

    def _log_metrics(self, run_id: str, metrics: Mapping[str, float]) -> None:
        now = int(datetime.now(UTC).timestamp() * 1000)
        values = [Metric(key, value, now, 0) for key, value in metrics.items()]
        self._client.log_batch(run_id, metrics=values, tags=[RunTag("measured_at", str(now))])

    def _find(self, version: str) -> RegisteredModel | None:
        try:
            if version.isdecimal():
                return self._describe(self._client.get_model_version(_NAME, version))
            return self._describe(self._client.get_model_version_by_alias(_NAME, version))
        except MlflowException as error:
            if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                return None
            raise

    def _describe(self, version: MlflowVersion) -> RegisteredModel:
        run = self._client.get_run(version.run_id)
        aliases = self._client.get_registered_model(_NAME).aliases
        return RegisteredModel(
            version=str(version.version),
            directory=Path(unquote(urlparse(version.source).path)),
            created_at=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
            aliases=tuple(sorted(alias for alias, named in aliases.items() if str(named) == str(version.version))),
            params=dict(run.data.params),
            metrics=dict(run.data.metrics),
            tags=dict(version.tags),
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
