"""Registered models on MLflow: one run, one artefact folder and one version number for each training."""

import contextlib
import fcntl
import logging
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from gridcast.domain.errors import GridcastError
from gridcast.registry.catalogue import (
    CHALLENGER,
    CHAMPION,
    PREVIOUS,
    SHADOW,
    RegisteredModel,
    has_catalogue,
    write_catalogue,
)

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_CONFIGURE_LOGGING", "false")

from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.entities.model_registry import ModelVersion as MlflowVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

_NAME = "gridcast"
_ARTEFACT = "model"
_RUNS_AT_ONCE = 1000
_FLAVOUR = {"saved_model": "saved_model", "litert": "model.tflite", "signature": "signature.json"}


class Registry:
    """The models of one installation, in an SQLite database beside their artefacts."""

    def __init__(self, client: MlflowClient, experiment_id: str, home: Path) -> None:
        self._client = client
        self._experiment_id = experiment_id
        self._home = home

    @classmethod
    def open(cls, directory: Path) -> "Registry":
        """The registry in `directory`, created when absent.

        Raises:
            GridcastError: the folder cannot be written or holds something else.
        """
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        home = directory.resolve()
        uri = f"sqlite:///{quote(str(home / 'mlflow.db'))}"
        with _told(directory):
            home.mkdir(parents=True, exist_ok=True)
            with _alone_in(home):
                _require_own_database(home / "mlflow.db")
                client = MlflowClient(tracking_uri=uri, registry_uri=uri)
                experiment = client.get_experiment_by_name(_NAME)
                if experiment is not None:
                    opened = cls(client, experiment.experiment_id, home)
                    if not has_catalogue(home):
                        write_catalogue(home, opened.versions())
                    return opened
                if not client.search_registered_models(f"name = '{_NAME}'"):
                    client.create_registered_model(_NAME)
                created = client.create_experiment(_NAME, artifact_location=(home / "artefacts").as_uri())
        return cls(client, created, home)

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

        Raises:
            GridcastError: the artefact cannot be read or the registry cannot be written; no version was made.
        """
        with _told(self._home):
            run_id = self._client.create_run(self._experiment_id, tags=dict(tags)).info.run_id
            self._client.log_batch(run_id, params=[Param(key, str(value)) for key, value in params.items()])
            self._log_metrics(run_id, metrics)
            folder = self._folder(run_id)
            shutil.copytree(artefact, folder)
            description = Model(artifact_path=_ARTEFACT, run_id=run_id)
            description.add_flavor("gridcast", **_FLAVOUR)
            (folder / "MLmodel").write_text(description.to_yaml(), encoding="utf-8")
            (folder / "requirements.txt").write_text("\n".join((*pip_requirements, "")), encoding="utf-8")
            self._client.set_terminated(run_id)
            made = self._client.create_model_version(_NAME, source=folder.as_uri(), run_id=run_id, tags=dict(tags))
            self.set_alias(CHALLENGER, str(made.version))
        return self.get(str(made.version))

    def get(self, version: str) -> RegisteredModel:
        """The model with a version number or an alias.

        Raises:
            GridcastError: there is none.
        """
        found = self._find(version)
        if found is None:
            known = [each.version for each in self.versions()]
            choice = f"expected 'champion', 'challenger' or one of {known}"
            nothing = "of registered models there are none; run 'gridcast train' first"
            raise GridcastError(f"model {version!r} is not registered; {choice if known else nothing}.")
        return found

    def champion(self) -> RegisteredModel | None:
        """The model in charge, if one was ever promoted.

        Raises:
            GridcastError: the registry does not answer.
        """
        return self._find(CHAMPION)

    def previous(self) -> RegisteredModel | None:
        """The model that was in charge before, if there was one."""
        return self._find(PREVIOUS)

    def shadow(self) -> RegisteredModel | None:
        """The model that forecasts beside the champion, if one is on trial.

        Raises:
            GridcastError: the registry does not answer.
        """
        return self._find(SHADOW)

    def candidate(self) -> RegisteredModel:
        """The challenger, or the champion if nobody challenges it.

        Raises:
            GridcastError: there is neither.
        """
        return self._find(CHALLENGER) or self.get(CHAMPION)

    def versions(self) -> list[RegisteredModel]:
        """Every version, oldest first."""
        found, runs, aliases = self._client.search_model_versions(f"name = '{_NAME}'"), self._runs(), self._aliases()
        described = (self._described(each, runs[each.run_id], aliases) for each in found)
        return sorted(described, key=lambda each: int(each.version))

    def trained_from(self, tags: Mapping[str, str]) -> RegisteredModel | None:
        """The newest version whose lineage has all of `tags`."""
        alike = [each for each in self.versions() if tags.items() <= each.tags.items()]
        return alike[-1] if alike else None

    def nominate(self, model: RegisteredModel) -> None:
        """Make a version the challenger; if it is the champion, nobody challenges it."""
        if CHAMPION not in model.aliases:
            self.set_alias(CHALLENGER, model.version)
        elif self._find(CHALLENGER) is not None:
            self.drop_alias(CHALLENGER)

    def set_alias(self, alias: str, version: str) -> None:
        """Let `alias` name `version` from now on."""
        self._client.set_registered_model_alias(_NAME, alias, version)
        self._publish()

    def drop_alias(self, alias: str) -> None:
        """Let `alias` name nothing."""
        self._client.delete_registered_model_alias(_NAME, alias)
        self._publish()

    def add_metrics(self, version: str, metrics: Mapping[str, float]) -> None:
        """Add measurements, such as those of a backtest, to a version."""
        run_id = self._client.get_model_version(_NAME, version).run_id
        self._log_metrics(run_id, metrics)
        self._publish()

    def tag(self, version: str, tags: Mapping[str, str]) -> None:
        """Add lineage or decisions to a version."""
        for key, value in tags.items():
            self._client.set_model_version_tag(_NAME, version, key, value)
        self._publish()

    def _publish(self) -> None:
        """Bring the catalogue up to date."""
        with _told(self._home), _alone_in(self._home):
            write_catalogue(self._home, self.versions())

    def _log_metrics(self, run_id: str, metrics: Mapping[str, float]) -> None:
        now = int(datetime.now(UTC).timestamp() * 1000)
        values = [Metric(key, value, now, 0) for key, value in metrics.items()]
        self._client.log_batch(run_id, metrics=values, tags=[RunTag("measured_at", str(now))])

    def _find(self, version: str) -> RegisteredModel | None:
        with _told(self._home):
            try:
                if version.isdecimal():
                    return self._describe(self._client.get_model_version(_NAME, version))
                return self._describe(self._client.get_model_version_by_alias(_NAME, version))
            except MlflowException as error:
                if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                    return None
                raise

    def _folder(self, run_id: str) -> Path:
        """Where MLflow looks for the artefact of a run, told from where the registry lies now."""
        return self._home / "artefacts" / run_id / "artifacts" / _ARTEFACT

    def _runs(self) -> dict[str, Run]:
        """Every training by the id of its run."""
        runs, token = {}, None
        while token != "":
            page = self._client.search_runs([self._experiment_id], max_results=_RUNS_AT_ONCE, page_token=token)
            runs.update({each.info.run_id: each for each in page})
            token = page.token or ""
        return runs

    def _aliases(self) -> Mapping[str, str]:
        return self._client.get_registered_model(_NAME).aliases

    def _describe(self, version: MlflowVersion) -> RegisteredModel:
        return self._described(version, self._client.get_run(version.run_id), self._aliases())

    def _described(self, version: MlflowVersion, run: Run, aliases: Mapping[str, str]) -> RegisteredModel:
        return RegisteredModel(
            version=str(version.version),
            directory=self._folder(str(version.run_id)),
            created_at=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
            aliases=tuple(sorted(alias for alias, named in aliases.items() if str(named) == str(version.version))),
            params=dict(run.data.params),
            metrics=dict(run.data.metrics),
            tags=dict(version.tags),
        )


@contextlib.contextmanager
def _told(directory: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error, SQLAlchemyError, MlflowException) as error:
        raise GridcastError(
            f"registry {directory}: {_first_line(error)}; expected a folder gridcast may write to, with free space, "
            "new or made by gridcast."
        ) from error


@contextlib.contextmanager
def _alone_in(home: Path) -> Iterator[None]:
    """Let one process at a time create the database or bring its tables up to date."""
    handle = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _require_own_database(file: Path) -> None:
    """Refuse at once what MLflow would try to open for minutes or would change."""
    with contextlib.closing(sqlite3.connect(file, timeout=30)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if tables and "alembic_version" not in tables:
        raise sqlite3.DatabaseError(f"mlflow.db has the tables {sorted(tables)}, which are not MLflow's")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
