"""What applying manifests would change: the server says what would come of it, without doing it."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from gridcast.deploy.connection import Connection
from gridcast.deploy.manifests import Manifest, Ref

_DUMPER: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_NOISE: Final = frozenset({"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One object that would be made or changed, and how, as a unified diff."""

    ref: Ref
    is_new: bool
    text: str


def differences(connection: Connection, manifests: Sequence[Manifest], *, force: bool) -> Iterator[Difference]:
    """Every object that is not yet as it should be.

    Raises:
        ConflictsError: others own fields that would change, and it is not forced.
        RefusedError: the cluster would say no.
    """
    spaces = [each.ref for each in manifests if each.ref.kind == "Namespace"]
    missing = {ref.name for ref in spaces if connection.get(ref) is None}
    for each in manifests:
        live = connection.get(each.ref)
        is_inside = each.ref.namespace in missing
        wanted = each.body if is_inside else connection.apply(each, force=force, dry_run=True)
        before, after = ("" if live is None else _text(live)), _text(wanted)
        if before != after:
            yield Difference(each.ref, live is None, _diff(before, after, title=str(each.ref)))


def _text(body: Mapping[str, Any]) -> str:
    meta = {name: value for name, value in body["metadata"].items() if name not in _NOISE}
    kept = {name: value for name, value in body.items() if name != "status"}
    return yaml.dump({**kept, "metadata": meta}, Dumper=_DUMPER, sort_keys=True, width=1000)


def _diff(before: str, after: str, *, title: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"{title} (is)", f"{title} (will be)", lineterm=""
    )
    return "\n".join(lines)
