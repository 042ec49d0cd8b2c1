"""What whoever deploys has to be allowed: asked for before anything is changed, and told as roles to be granted."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

from gridcast.deploy.connection import Connection, Object
from gridcast.deploy.errors import RefusedError
from gridcast.deploy.manifests import Manifest, Ref, namespace_of
from gridcast.deploy.rollout import WAITED_FOR
from gridcast.deploy.state import WORKLOADS
from gridcast.domain.errors import UsageError

ROLE: Final = "gridcast-deployer"
_VERBS: Final = ("get", "create", "patch", "delete")
_KEPT: Final = frozenset({"Namespace", "PersistentVolumeClaim"})
"""Kinds that are never deleted from here."""
_NEEDED: Final = (
    *((verb, "configmaps", "") for verb in (*_VERBS, "list")),
    *((verb, "jobs", "batch") for verb in ("create", "watch", "delete")),
    *((verb, "pods", "") for verb in ("get", "list", "watch")),
    ("get", "pods/log", ""),
)
"""Beyond applying: releases are kept, tasks are run and followed, and pods are asked why they do not run."""
_API: Final = "rbac.authorization.k8s.io"


class Right(NamedTuple):
    """A verb on a resource of an API group, or on a part of it (`pods/log`).

    Attributes:
        namespace: empty for the whole cluster.
        name: of the only object it is about; empty for any.
    """

    verb: str
    resource: str
    group: str
    namespace: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{f' {self.name}' if self.name else ''}"


def needed(connection: Connection, manifests: Sequence[Manifest]) -> list[Right]:
    """All that the commands of `gridcast deploy` ask of a cluster for an installation, without what it has no kind for.

    Raises:
        RefusedError: the cluster does not know a kind of the manifests.
    """
    namespace = namespace_of(manifests)
    found = {Right(*each, namespace) for each in _NEEDED}
    found |= {Right("get", "secrets", "", namespace, name) for each in manifests for name in each.secrets}
    for ref in {(each.ref.api_version, each.ref.kind): each.ref for each in manifests}.values():
        verbs = [each for each in _VERBS if not (each == "delete" and ref.kind in _KEPT)]
        verbs += ["watch"] if ref.kind in WAITED_FOR else []
        found |= {_right(connection, verb, ref) for verb in verbs}
    for api_version, kind in WORKLOADS:
        try:
            found.add(_right(connection, "list", Ref(api_version, kind, namespace, "")))
        except RefusedError as refused:
            if refused.status != 404:
                raise
    return sorted(found)


def roles(rights: Sequence[Right], *, subject: Mapping[str, str]) -> Iterator[Object]:
    """A role for each namespace of these rights and one for the whole cluster, and what binds them to a subject."""
    for namespace in sorted({each.namespace for each in rights}):
        kind = "Role" if namespace else "ClusterRole"
        meta = {"name": ROLE, "namespace": namespace} if namespace else {"name": ROLE}
        common = {"apiVersion": f"{_API}/v1", "metadata": meta}
        rules = list(_rules([each for each in rights if each.namespace == namespace]))
        yield {**common, "kind": kind, "rules": rules}
        named = {"apiGroup": _API, "kind": kind, "name": ROLE}
        yield {**common, "kind": f"{kind}Binding", "roleRef": named, "subjects": [dict(subject)]}


def subject_of(*, user: str | None, group: str | None, service_account: str | None) -> dict[str, str]:
    """Whom a role is bound to; a service account is named with its namespace, `ci:deployer`.

    Raises:
        UsageError: not one of the three is given, or a service account without its namespace.
    """
    given = [each for each in (("User", user), ("Group", group), ("ServiceAccount", service_account)) if each[1]]
    if len(given) != 1:
        raise UsageError(f"{len(given)} subjects; expected one of --user, --group and --service-account.")
    ((kind, name),) = given
    if kind != "ServiceAccount":
        return {"apiGroup": _API, "kind": kind, "name": str(name)}
    namespace, _, account = str(name).rpartition(":")
    if not namespace or not account:
        raise UsageError(f"--service-account {name}: expected its namespace and name, such as ci:deployer.")
    return {"kind": kind, "namespace": namespace, "name": account}


def _right(connection: Connection, verb: str, ref: Ref) -> Right:
    return Right(verb, connection.plural(ref), ref.api_version.rpartition("/")[0], ref.namespace)


def _rules(rights: Sequence[Right]) -> Iterator[dict[str, Any]]:
    """One for each resource, and for each object that a right is about alone."""

    def what(right: Right) -> tuple[str, str, str]:
        return (right.group, right.resource, right.name)

    for (group, resource, name), each in groupby(sorted(rights, key=what), key=what):
        rule: dict[str, Any] = {"apiGroups": [group], "resources": [resource], "verbs": sorted(r.verb for r in each)}
        yield {**rule, "resourceNames": [name]} if name else rule
