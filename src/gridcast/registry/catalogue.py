"""Registered models as a plain file beside the registry: what a process that carries no MLflow can read."""

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from gridcast.domain.errors import GridcastError

CHAMPION: Final = "champion"
"""Alias of the version in charge."""
PREVIOUS: Final = "previous"
"""Alias of the version that was in charge before: where a rollback leads."""
CHALLENGER: Final = "challenger"
"""Alias of the newest version that has not been judged against the champion."""
SHADOW: Final = "shadow"
"""Alias of the version that forecasts beside the champion, on trial."""

_FILE: Final = "catalogue.json"


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


def write_catalogue(home: Path, models: Iterable[RegisteredModel]) -> None:
    """Replace the catalogue of the registry in `home`, all of it or nothing.

    Raises:
        OSError: the folder cannot be written.
    """
    text = json.dumps([_facts(each, home=home) for each in models], indent=1)
    handle, name = tempfile.mkstemp(dir=home, prefix=f".{_FILE}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(home / _FILE)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def has_catalogue(home: Path) -> bool:
    """Whether the registry in `home` has written one."""
    return (home / _FILE).exists()


def read_catalogue(home: Path) -> list[RegisteredModel]:
    """Every version of the registry in `home`, oldest first; none where nothing was registered yet.

    Raises:
        GridcastError: the file is damaged.
    """
    file = home / _FILE
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return [_model(each, home=home) for each in found]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise GridcastError(
            f"{file}: {type(error).__name__}: {error}; expected the registered models as gridcast wrote them. Remove "
            'it and run "gridcast status".'
        ) from error


def with_alias(models: Iterable[RegisteredModel], alias: str) -> RegisteredModel | None:
    """The version an alias names, if it names one."""
    return next((each for each in models if alias in each.aliases), None)


def named(home: Path, alias: str) -> RegisteredModel | None:
    """The version an alias names in the registry in `home`, if it names one.

    Raises:
        GridcastError: the catalogue is damaged.
    """
    return with_alias(read_catalogue(home), alias)


def _facts(model: RegisteredModel, *, home: Path) -> dict[str, Any]:
    return {
        "version": model.version,
        "directory": str(model.directory.relative_to(home)),
        "created_at": model.created_at.isoformat(),
        "aliases": list(model.aliases),
        "params": dict(model.params),
        "metrics": dict(model.metrics),
        "tags": dict(model.tags),
    }


def _model(facts: Mapping[str, Any], *, home: Path) -> RegisteredModel:
    return RegisteredModel(
        version=str(facts["version"]),
        directory=home / facts["directory"],
        created_at=datetime.fromisoformat(facts["created_at"]),
        aliases=tuple(facts["aliases"]),
        params=dict(facts["params"]),
        metrics={name: float(value) for name, value in facts["metrics"].items()},
        tags=dict(facts["tags"]),
    )
