"""What has to be so before anything is changed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gridcast.deploy.connection import Connection
from gridcast.deploy.errors import RefusedError
from gridcast.deploy.images import missing
from gridcast.deploy.manifests import Manifest, Ref, namespace_of
from gridcast.deploy.rights import needed


@dataclass(frozen=True, slots=True)
class Check:
    """One of them: what was looked at, whether it is as it should be, and what was found."""

    what: str
    is_fine: bool
    found: str


def preflight(
    connection: Connection, manifests: Sequence[Manifest], *, images: Callable[[str], str | None] | None = missing
) -> Iterator[Check]:
    """Look at one thing after the other, and stop where the rest could not be looked at.

    `images`: why an image cannot be had; None: not looked at.
    """
    where = f"{connection.context} at {connection.server}"
    try:
        version = connection.version()
    except RefusedError as refused:
        yield Check("cluster", False, str(refused))
        return
    yield Check("cluster", True, f"{where}, Kubernetes {version}")
    unknown = list(_unknown(connection, manifests))
    yield Check("kinds", not unknown, unknown[0] if unknown else f"{len({each.ref.kind for each in manifests})} known")
    if unknown:
        return
    denied = list(_denied(connection, manifests))
    told = "all granted" if not denied else f"may not {', '.join(denied)}; expected a role that may"
    yield Check("permissions", not denied, told)
    absent = list(_absent(connection, manifests))
    told = "all there" if not absent else f"missing: {', '.join(absent)}; create them as docs/deployment.md says"
    yield Check("secrets", not absent, told)
    if images is None:
        yield Check("images", True, "not looked at")
        return
    names = sorted({image for each in manifests for image in each.images})
    reasons = [reason for reason in map(images, names) if reason is not None]
    yield Check("images", not reasons, "; ".join(reasons) or f"{len(names)} there")


def _unknown(connection: Connection, manifests: Sequence[Manifest]) -> Iterator[str]:
    for each in manifests:
        try:
            connection.plural(each.ref)
        except RefusedError as refused:
            yield str(refused)


def _denied(connection: Connection, manifests: Sequence[Manifest]) -> Iterator[str]:
    for each in needed(connection, manifests):
        verb, resource, group, namespace, name = each
        if not connection.may(verb, resource, group=group, namespace=namespace, name=name):
            yield str(each)


def _absent(connection: Connection, manifests: Sequence[Manifest]) -> Iterator[str]:
    namespace = namespace_of(manifests)
    for name in sorted({secret for each in manifests for secret in each.secrets}):
        if connection.get(Ref("v1", "Secret", namespace, name), only_metadata=True) is None:
            yield name
