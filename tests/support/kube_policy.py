"""What every manifest of gridcast has to hold to, beyond being valid."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gridcast.deploy.manifests import Manifest, containers

Body = Mapping[str, Any]
_LONG_RUNNING = {"Deployment", "StatefulSet"}


def faults(manifests: Sequence[Manifest]) -> list[str]:
    """Everything that is not as it should be."""
    found = [f"{each.ref}: {fault}" for each in manifests for fault in _faults_of(each)]
    return found + list(_faults_between(manifests))


def _faults_of(manifest: Manifest) -> Iterator[str]:
    for spec in manifest.pod_specs:
        is_whole = manifest.ref.kind != "FlinkDeployment" or "securityContext" in spec
        if is_whole:
            yield from _pod_faults(spec)
        for container in containers(spec):
            yield from _container_faults(container, kind=manifest.ref.kind)
    for image in manifest.images:
        tag = image.rpartition("/")[2].partition("@")[0].partition(":")[2]
        if "@sha256:" not in image and tag in {"", "latest"}:
            yield f"image {image} may be another one tomorrow"
    if manifest.ref.kind == "Secret":
        yield "a secret in a file"
    if manifest.ref.kind == "Ingress" and not manifest.body["spec"].get("tls"):
        yield "no TLS"


def _pod_faults(spec: Body) -> Iterator[str]:
    context = spec.get("securityContext", {})
    if context.get("runAsNonRoot") is not True or context.get("runAsUser", 0) < 10_000:
        yield "may run as root"
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "no seccomp profile"
    if spec.get("automountServiceAccountToken") is not False:
        yield "has a token of the API"
    if any(spec.get(each) for each in ("hostNetwork", "hostPID", "hostIPC")):
        yield "shares namespaces of the node"
    if any("hostPath" in each for each in spec.get("volumes", ())):
        yield "mounts the node"
    if any("emptyDir" in each and "sizeLimit" not in (each["emptyDir"] or {}) for each in spec.get("volumes", ())):
        yield "an emptyDir without a limit"


def _container_faults(container: Body, *, kind: str) -> Iterator[str]:
    name, context = container["name"], container.get("securityContext", {})
    if context.get("readOnlyRootFilesystem") is not True:
        yield f"{name}: writes to its image"
    if context.get("allowPrivilegeEscalation") is not False:
        yield f"{name}: may gain privileges"
    if context.get("capabilities", {}).get("drop") != ["ALL"] or context["capabilities"].get("add"):
        yield f"{name}: has capabilities"
    if name == "flink-main-container":  # its image, resources and probes are the operator's
        return
    for each in ("requests", "limits"):
        if {"cpu", "memory"} - container.get("resources", {}).get(each, {}).keys():
            yield f"{name}: no {each}"
    probes = {"readinessProbe", "livenessProbe"}
    if (kind in _LONG_RUNNING or container.get("restartPolicy") == "Always") and probes - container.keys():
        yield f"{name}: no probes"
    for each in container.get("env", ()):
        is_secret = any(word in each["name"].lower() for word in ("password", "secret", "token", "url"))
        if is_secret and not each.get("value", "/run/secrets/").startswith("/run/secrets/"):
            yield f"{name}: {each['name']} in plain sight"


def _faults_between(manifests: Sequence[Manifest]) -> Iterator[str]:
    policies = [each for each in manifests if each.ref.kind == "NetworkPolicy"]
    denies = [each.body["spec"] for each in policies if each.body["spec"]["podSelector"] == {}]
    nothing = [each for each in denies if not each.get("ingress") and not each.get("egress")]
    if not any({"Ingress", "Egress"} <= set(each["policyTypes"]) for each in nothing):
        yield "no policy denies by default"
    budgets = [
        each.body["spec"]["selector"]["matchLabels"] for each in manifests if each.ref.kind == "PodDisruptionBudget"
    ]
    scaled = {
        each.body["spec"]["scaleTargetRef"]["name"] for each in manifests if each.ref.kind == "HorizontalPodAutoscaler"
    }
    for each in manifests:
        labels = pod_labels(each)
        if labels is not None and not any(_selects(policy.body["spec"]["podSelector"], labels) for policy in policies):
            yield f"{each.ref}: no policy selects its pods"
        is_replicated = each.ref.kind in _LONG_RUNNING and (
            each.body["spec"].get("replicas", 1) > 1 or each.ref.name in scaled
        )
        if is_replicated and not any(labels and selector.items() <= labels.items() for selector in budgets):
            yield f"{each.ref}: no disruption budget"
        if each.ref.name in scaled and "replicas" in each.body["spec"]:
            yield f"{each.ref}: replicas are the autoscaler's"


def pod_labels(manifest: Manifest) -> Body | None:
    """The labels of the pods it makes."""
    spec = manifest.body.get("spec", {})
    template = (
        spec.get("jobTemplate", {}).get("spec", {}).get("template") if "jobTemplate" in spec else spec.get("template")
    )
    if manifest.ref.kind == "FlinkDeployment":
        template = spec["podTemplate"]
    labels: Body | None = template["metadata"]["labels"] if template else None
    return labels


def _selects(selector: Body, labels: Body) -> bool:
    exact = selector.get("matchLabels", {}).items() <= labels.items()
    return exact and all(labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", ()))
