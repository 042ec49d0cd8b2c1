"""What was deployed when: each release is kept in the cluster, so that it can be put back whole."""

import base64
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from gridcast.deploy.connection import Connection
from gridcast.deploy.errors import RefusedError
from gridcast.deploy.manifests import Manifest, Ref
from gridcast.domain.errors import GridcastError

_LABEL: Final = "gridcast-release"
_KEPT: Final = 10


class State(StrEnum):
    """How far a release got."""

    PENDING = "pending"
    DEPLOYED = "deployed"
    FAILED = "failed"
    ROLLED_BACK = "rolled back"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class Release:
    """The manifests of one deployment.

    Attributes:
        number: counts up from 1.
        at: when it was begun.
        by: who asked for it.
    """

    number: int
    state: State
    at: datetime
    by: str
    manifests: tuple[Manifest, ...]

    @property
    def images(self) -> list[str]:
        """The images it runs."""
        return sorted({image for each in self.manifests for image in each.images})


class Releases:
    """The releases of one namespace, kept as ConfigMaps."""

    def __init__(self, connection: Connection, namespace: str) -> None:
        self._connection = connection
        self._namespace = namespace

    def all(self) -> list[Release]:
        """Every release that is kept, oldest first."""
        found = self._connection.every(self._ref(""), labelSelector=_LABEL)
        return sorted((_read(each) for each in found), key=lambda each: each.number)

    def current(self) -> Release | None:
        """What is deployed."""
        return next((each for each in reversed(self.all()) if each.state is State.DEPLOYED), None)

    def begin(self, manifests: Sequence[Manifest], *, at: datetime, by: str) -> Release:
        """A new release, pending.

        Raises:
            GridcastError: another is being deployed.
        """
        known = self.all()
        pending = next((each for each in known if each.state is State.PENDING), None)
        number = known[-1].number + 1 if known else 1
        release = Release(number, State.PENDING, at, by, tuple(manifests))
        try:
            if pending is None:
                self._connection.create(self._manifest(release))
        except RefusedError as refused:
            if refused.status != 409:
                raise
            pending = replace(release, by="somebody else")
        if pending is not None:
            raise GridcastError(
                f"release {pending.number} is being deployed by {pending.by} since {pending.at:%Y-%m-%d %H:%MZ}; "
                'expected one at a time. Wait for it, or, if it was broken off, run "gridcast deploy rollback".'
            )
        return release

    def settle(self, release: Release, state: State) -> Release:
        """Write down how a release ended; of many, the oldest are forgotten."""
        settled = replace(release, state=state)
        self._connection.apply(self._manifest(settled), force=True)
        for old in self.all()[:-_KEPT]:
            if old.state is not State.DEPLOYED:
                self._connection.delete(self._ref(_name(old.number)))
        return settled

    def _ref(self, name: str) -> Ref:
        return Ref("v1", "ConfigMap", self._namespace, name)

    def _manifest(self, release: Release) -> Manifest:
        bodies = json.dumps([each.body for each in release.manifests]).encode()
        packed = base64.b64encode(gzip.compress(bodies, mtime=0)).decode()
        return Manifest(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": _name(release.number),
                    "namespace": self._namespace,
                    "labels": {_LABEL: str(release.number), "app.kubernetes.io/managed-by": "gridcast"},
                },
                "data": {"state": release.state.value, "at": release.at.isoformat(), "by": release.by},
                "binaryData": {"manifests": packed},
            }
        )


def _name(number: int) -> str:
    return f"gridcast-release-{number}"


def _read(body: dict[str, Any]) -> Release:
    try:
        data = body["data"]
        bodies = json.loads(gzip.decompress(base64.b64decode(body["binaryData"]["manifests"])))
        number = int(body["metadata"]["labels"][_LABEL])
        at = datetime.fromisoformat(data["at"])
        return Release(number, State(data["state"]), at, data["by"], tuple(map(Manifest, bodies)))
    except (KeyError, ValueError, OSError) as error:
        raise GridcastError(
            f"ConfigMap {body['metadata']['name']}: {type(error).__name__}: {error}; expected a release that gridcast "
            "wrote. Delete it."
        ) from error
