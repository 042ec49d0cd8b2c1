"""In what two models differ."""

from collections.abc import Mapping

from gridcast.registry.catalogue import RegisteredModel


def differences(a: RegisteredModel, b: RegisteredModel) -> list[dict[str, object]]:
    """`kind`, `name`, and what each has: of tags (lineage, decisions), settings and measurements those that differ."""
    kinds: tuple[tuple[str, Mapping[str, object], Mapping[str, object]], ...] = (
        ("tag", a.tags, b.tags),
        ("param", a.params, b.params),
        ("metric", a.metrics, b.metrics),
    )
    return [
        {"kind": kind, "name": name, "a": own.get(name), "b": other.get(name)}
        for kind, own, other in kinds
        for name in sorted(own.keys() | other.keys())
        if own.get(name) != other.get(name)
    ]
