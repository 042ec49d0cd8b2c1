"""Objects of Kubernetes as YAML describes them, and what they refer to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from gridcast.domain.errors import UsageError

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_POD: Final = {
    "Deployment": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "FlinkDeployment": ("spec", "podTemplate", "spec"),
}
_SERVES: Final = frozenset({"Deployment", "FlinkDeployment", "HorizontalPodAutoscaler"})
"""Kinds that are applied once the store is of their version."""
_FIRST: Final = ("Namespace", "ServiceAccount", "PersistentVolumeClaim", "ConfigMap", "NetworkPolicy")


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """What names an object in a cluster."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object as it should be."""

    body: Mapping[str, Any]

    @property
    def ref(self) -> Ref:
        """Its name."""
        meta = self.body["metadata"]
        return Ref(self.body["apiVersion"], self.body["kind"], meta.get("namespace", ""), meta["name"])

    @property
    def serves(self) -> bool:
        """Whether it waits for the store to be of its version."""
        return self.ref.kind in _SERVES

    @property
    def pod_specs(self) -> list[Mapping[str, Any]]:
        """What pods it makes; of a Flink cluster those of the task managers too."""
        path = _POD.get(self.body["kind"])
        if path is None:
            return []
        found = [_at(self.body, path)]
        managers = ("jobManager", "taskManager")
        found += [
            _at(self.body, ("spec", each, "podTemplate", "spec")) for each in managers if path[1] == "podTemplate"
        ]
        return [each for each in found if each]

    @property
    def images(self) -> list[str]:
        """The images that it runs."""
        own = [self.body["spec"]["image"]] if self.body["kind"] == "FlinkDeployment" else []
        return own + [each["image"] for spec in self.pod_specs for each in containers(spec) if "image" in each]

    @property
    def secrets(self) -> set[str]:
        """Names of the Secrets that its pods do not start without, and of certificates that it serves with."""
        found = {each["secretName"] for each in self.body.get("spec", {}).get("tls", ()) if self.ref.kind == "Ingress"}
        for spec in self.pod_specs:
            volumes = (each["secret"] for each in spec.get("volumes", ()) if "secret" in each)
            found |= {each["secretName"] for each in volumes if not each.get("optional")}
            found |= {each["name"] for each in spec.get("imagePullSecrets", ())}
            for container in containers(spec):
                keys = (each.get("valueFrom", {}).get("secretKeyRef") for each in container.get("env", ()))
                found |= {each["name"] for each in keys if each and not each.get("optional")}
                whole = (each.get("secretRef") for each in container.get("envFrom", ()))
                found |= {each["name"] for each in whole if each and not each.get("optional")}
        return found


def containers(pod_spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every container of a pod, those that run first included."""
    yield from pod_spec.get("initContainers", ())
    yield from pod_spec.get("containers", ())


def read_manifests(text: str, *, source: str) -> list[Manifest]:
    """The objects of a YAML text, in the order they are applied in.

    Raises:
        UsageError: it is no YAML, or something in it is no object of Kubernetes, or there twice.
    """
    try:
        documents = [each for each in yaml.load_all(text, Loader=_LOADER) if each]
    except yaml.YAMLError as error:
        raise UsageError(f"{source}: {str(error).partition(chr(10))[0]}; expected YAML.") from error
    found = [Manifest(_checked(each, source=source)) for each in documents]
    if not found:
        raise UsageError(f"{source}: no objects; expected manifests of Kubernetes.")
    refs = [each.ref for each in found]
    twice = next((ref for at, ref in enumerate(refs) if ref in refs[:at]), None)
    if twice is not None:
        raise UsageError(f"{source}: {twice} is there twice; expected every object once.")
    return sorted(found, key=_order)


def namespace_of(manifests: Sequence[Manifest]) -> str:
    """The one namespace that all of them are in.

    Raises:
        UsageError: there are several, or none.
    """
    found = sorted({each.ref.namespace for each in manifests} - {""})
    if len(found) != 1:
        raise UsageError(f"objects in the namespaces {found}; expected one namespace, set in the kustomization.")
    return found[0]


def find(manifests: Sequence[Manifest], kind: str, name: str) -> Manifest:
    """The object of a kind and name.

    Raises:
        UsageError: there is none.
    """
    found = next((each for each in manifests if (each.ref.kind, each.ref.name) == (kind, name)), None)
    if found is None:
        raise UsageError(f"{kind} {name} is missing; expected the manifests of kubernetes/base among the others.")
    return found


def _order(manifest: Manifest) -> tuple[int, int, Ref]:
    kind = manifest.ref.kind
    return (int(manifest.serves), _FIRST.index(kind) if kind in _FIRST else len(_FIRST), manifest.ref)


def _at(body: Mapping[str, Any], path: Sequence[str]) -> Mapping[str, Any]:
    for part in path:
        body = body.get(part) or {}
    return body


def _checked(document: object, *, source: str) -> Mapping[str, Any]:
    if not isinstance(document, dict) or "kind" not in document:
        raise UsageError(f"{source}: {str(document)[:60]!r}; expected objects of Kubernetes.")
    if not document.get("apiVersion") or not (document.get("metadata") or {}).get("name"):
        raise UsageError(
            f"{source}: a {document['kind']} without apiVersion or name; expected an object of Kubernetes."
        )
    return document
