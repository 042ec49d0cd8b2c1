"""A new model beside the champion, then in its place, and back again if the service does not take to it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gridcast.deploy.connection import Connection
from gridcast.deploy.errors import RolloutError
from gridcast.deploy.tasks import TaskResult, Tell, require_success, run_task, template_in
from gridcast.domain.errors import GateRefusedError, GridcastError

_REFUSED = 3


@dataclass(frozen=True, slots=True)
class Canary:
    """One model version on its way.

    Attributes:
        version: number of the model.
        namespace: of the installation.
        by: who decides, for the record.
        tell: hears of every step.
    """

    version: str
    namespace: str
    by: str
    tell: Tell


def start(connection: Connection, canary: Canary) -> str:
    """Let the model forecast beside the champion, in the layer shadow.

    Raises:
        GateRefusedError: the gate says no.
        RolloutError: the command failed.
    """
    return _decided(_model(connection, canary, "promote", canary.version, "--shadow")).last_line


def promote(connection: Connection, canary: Canary, *, test: Callable[[], object]) -> str:
    """Put the model in charge and test the service; where the test fails, the former champion is back in charge.

    Raises:
        GateRefusedError: the gate says no; the champion stays.
        RolloutError: the command failed, or the test did or was broken off, after which the model was rolled back.
    """
    done = _decided(_model(connection, canary, "promote", canary.version))
    try:
        canary.tell(f"test: {test()}")
    except (GridcastError, KeyboardInterrupt) as error:
        what = str(error) or "broken off."
        reason = f"canary failed: {what}"[:200]
        back = require_success(_model(connection, canary, "rollback", "--reason", reason))
        raise RolloutError(f"{what} Rolled back: {back.last_line}") from error
    return done.last_line


def abort(connection: Connection, canary: Canary) -> str:
    """End the trial of the model, or, where it is in charge already, put the former champion back.

    Raises:
        RolloutError: the model is neither on trial nor in charge, or the command failed.
    """
    aliases = _aliases(connection, canary)
    reason = ("--reason", "canary aborted")
    if "champion" in aliases:
        return require_success(_model(connection, canary, "rollback", *reason)).last_line
    if "shadow" in aliases:
        return require_success(_model(connection, canary, "withdraw", *reason)).last_line
    raise RolloutError(f"model {canary.version} is neither on trial nor in charge; there is nothing to abort.")


def _model(connection: Connection, canary: Canary, *words: str) -> TaskResult:
    command = ("model", *words, "--actor", canary.by)
    return _run(connection, canary, command)


def _run(connection: Connection, canary: Canary, command: Sequence[str]) -> TaskResult:
    template = template_in(connection, canary.namespace)
    canary.tell(f"gridcast {' '.join(command)}")
    return run_task(connection, template, command, tell=canary.tell)


def _decided(result: TaskResult) -> TaskResult:
    if result.code == _REFUSED:
        raise GateRefusedError(result.last_line.removeprefix("error: "))
    return require_success(result)


def _aliases(connection: Connection, canary: Canary) -> list[str]:
    result = require_success(_run(connection, canary, ("model", "show", canary.version, "--format", "json")))
    try:
        document = next(found for found in map(json.loads, (each for each in result.lines if each.startswith("{"))))
        return list(document["aliases"])
    except (StopIteration, ValueError, KeyError) as error:
        raise RolloutError(f"gridcast model show said {result.last_line[:100]!r}; expected a model as JSON.") from error
