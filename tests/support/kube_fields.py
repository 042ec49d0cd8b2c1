"""Who set which field of an object: server-side apply, as the API of Kubernetes documents it."""

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Path = tuple[str, ...]
Object = dict[str, Any]

_KEYS = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "imagePullSecrets": ("name",),
    "volumeMounts": ("mountPath",),
    "conditions": ("type",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
}
"""Lists whose items are told apart by keys. Every other list is one value."""
_PROTOCOL = {"protocol": "TCP"}
_IDENTITY = {("f:apiVersion",), ("f:kind",), ("f:metadata", "f:name"), ("f:metadata", "f:namespace")}


@dataclass(frozen=True)
class Conflict:
    """A field that another manager set to another value."""

    manager: str
    path: Path

    @property
    def field(self) -> str:
        return "".join(f"[{each[2:]}]" if each.startswith("k:") else f".{each[2:]}" for each in self.path)


def item_keys(kind: str, path: Path) -> tuple[str, ...] | None:
    """By what the items of a list are told apart, None where the list is one value."""
    name = path[-1][2:]
    if name == "ports":
        inside = any(each in {"f:containers", "f:initContainers"} for each in path)
        return ("containerPort", "protocol") if inside else ("port", "protocol") if kind == "Service" else None
    return _KEYS.get(name)


def leaves(value: Any, *, kind: str, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every field that is set, with its value; an item of a keyed list is a field too."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from leaves(inner, kind=kind, path=(*path, f"f:{name}"))
        return
    keys = item_keys(kind, path) if isinstance(value, list) and path else None
    if keys is None:
        yield path, value
        return
    for item in value:
        at = (*path, f"k:{json.dumps({key: item.get(key, _PROTOCOL.get(key)) for key in keys})}")
        yield at, None
        yield from leaves(item, kind=kind, path=at)


def set_fields(config: Object) -> dict[Path, Any]:
    """What a configuration sets, but for what names the object."""
    found = dict(leaves(config, kind=config["kind"]))
    return {path: value for path, value in found.items() if path not in _IDENTITY and path[0] != "f:status"}


def conflicts(live: Object, config: Object, *, manager: str, owners: Mapping[str, set[Path]]) -> list[Conflict]:
    """Fields that others own and that would get another value."""
    now = dict(leaves(live, kind=config["kind"]))
    return [
        Conflict(other, path)
        for path, value in set_fields(config).items()
        for other, owned in owners.items()
        if other != manager and path in owned and now.get(path, value) != value
    ]


def apply(live: Object, config: Object, *, manager: str, owners: dict[str, set[Path]]) -> Object:
    """The object with what `config` sets, without what only `manager` set before; brings `owners` up to date."""
    kind, wanted = config["kind"], set_fields(config)
    now = dict(leaves(live, kind=kind))
    others: set[Path] = set().union(*(owned for name, owned in owners.items() if name != manager))
    gone = owners.get(manager, set()) - wanted.keys() - others
    for name, owned in owners.items():
        if name != manager:
            owned.difference_update(path for path, value in wanted.items() if now.get(path, value) != value)
    owners[manager] = set(wanted)
    result = copy.deepcopy(live)
    for path in sorted(gone, key=len, reverse=True):
        _remove(result, path)
    for path, value in wanted.items():
        _set(result, path, copy.deepcopy(value))
    return result


def fields_v1(paths: set[Path]) -> Object:
    """The paths as `managedFields` shows them."""
    tree: Object = {}
    for path in sorted(paths):
        at = tree
        for part in path:
            at = at.setdefault(part, {})
        if path[-1].startswith("k:"):
            at["."] = {}
    return tree


def _item(values: list[Any], part: str) -> Object | None:
    keys = json.loads(part[2:])
    return next(
        (each for each in values if all(each.get(key, _PROTOCOL.get(key)) == value for key, value in keys.items())),
        None,
    )


def _set(result: Object, path: Path, value: Any) -> None:
    at: Any = result
    for part, after in zip(path, (*path[1:], ""), strict=True):
        if part.startswith("k:"):
            found = _item(at, part)
            if found is None:
                found = {key: inner for key, inner in json.loads(part[2:]).items() if key != "protocol"}
                at.append(found)
            at = found
        elif after == "":
            at[part[2:]] = at[part[2:]] if value == {} and at.get(part[2:]) else value
        else:
            empty: Any = [] if after.startswith("k:") else {}
            if not isinstance(at.get(part[2:]), type(empty)):
                at[part[2:]] = empty
            at = at[part[2:]]


def _remove(result: Object, path: Path) -> None:
    at: Any = result
    for part in path[:-1]:
        at = _item(at, part) if part.startswith("k:") else at.get(part[2:])
        if at is None:
            return
    if path[-1].startswith("k:"):
        at[:] = [each for each in at if each is not _item(at, path[-1])]
    else:
        at.pop(path[-1][2:], None)
