"""The manifests are what kustomize makes of kubernetes/, valid, hardened, and fit what gridcast really is."""

import copy
import functools
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import typer.main
import yaml
from support.kube_policy import faults, pod_labels
from support.kubectl import kubectl

from gridcast.cli.app import app
from gridcast.deploy.committed import rendered, write_rule
from gridcast.deploy.manifests import Manifest, containers, namespace_of, read_manifests
from gridcast.deploy.rendering import render
from gridcast.settings.load import load_settings
from gridcast.settings.sources import KafkaSettings

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "kubernetes"
OVERLAYS = ("dev", "production", "production-flink")
VERSION = "1.37.0"
TO_BEAM = {
    *("--job_endpoint", "--environment_type", "--environment_config"),
    *("--flink_master", "--checkpointing_interval", "--finish_bundle_before_checkpointing", "--max_bundle_time_mills"),
}
"""Options that `gridcast stream --runner` hands on."""

each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


@functools.cache
def manifests_of(overlay: str) -> list[Manifest]:
    file = FOLDER / f"rendered/{overlay}.yaml"
    return read_manifests(file.read_text(), source=str(file))


def of_kind(overlay: str, kind: str) -> dict[str, Any]:
    return {each.ref.name: each.body for each in manifests_of(overlay) if each.ref.kind == kind}


def with_pods(overlay: str) -> list[Manifest]:
    return [each for each in manifests_of(overlay) if each.pod_specs]


def test_the_rendered_files_are_what_kustomize_makes_of_the_overlays() -> None:
    made = rendered(FOLDER, kubectl=str(kubectl()))
    assert {path.stem for path in made} == set(OVERLAYS)
    for path, text in made.items():
        assert path.read_text() == text, f'{path}: run "gridcast deploy render"'


def test_the_rules_of_prometheus_are_those_of_the_configuration() -> None:
    path, text = write_rule(FOLDER)
    assert path.read_text() == text, 'run "gridcast deploy render"'
    source = yaml.safe_load((ROOT / "config/prometheus/gridcast_alerts.yml").read_text())
    assert yaml.safe_load(text)["spec"] == source
    assert of_kind("production", "PrometheusRule")["gridcast"]["spec"] == source


@each_overlay
def test_every_object_is_valid_to_the_last_field(overlay: str) -> None:
    for each in manifests_of(overlay):
        own = ROOT / f"tests/fixtures/kubernetes/{each.ref.kind.lower()}.json"
        if own.exists():
            jsonschema.validate(each.body, json.loads(own.read_text()))
            for spec in each.pod_specs:
                pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": spec}
                kubernetes_validate.validate(pod, VERSION, strict=True)
        else:
            kubernetes_validate.validate(dict(each.body), VERSION, strict=True)


@each_overlay
def test_every_object_holds_to_the_policy(overlay: str) -> None:
    assert faults(manifests_of(overlay)) == []


def test_production_without_flink_is_production_with_it_less_the_component(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "kubernetes")
    shutil.copytree(ROOT / "dashboards", tmp_path / "dashboards")
    overlay = tmp_path / "kubernetes/overlays/production-flink"
    settings = yaml.safe_load((overlay / "kustomization.yaml").read_text())
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump({**settings, "components": []}))
    left = read_manifests(render(overlay, kubectl=str(kubectl())), source="overlay")
    assert {each.ref for each in left} == {each.ref for each in manifests_of("production")}


def _pod(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = body["spec"]["template"]["spec"]
    return found


MUTATIONS: dict[str, tuple[str, str, Callable[[dict[str, Any]], object]]] = {
    "root": ("Deployment", "may run as root", lambda each: _pod(each)["securityContext"].pop("runAsNonRoot")),
    "seccomp": ("Deployment", "no seccomp", lambda each: _pod(each)["securityContext"].pop("seccompProfile")),
    "token": ("Deployment", "has a token", lambda each: _pod(each).pop("automountServiceAccountToken")),
    "node": ("Deployment", "mounts the node", lambda each: _pod(each)["volumes"].append({"hostPath": {"path": "/"}})),
    "room": ("Deployment", "without a limit", lambda each: _pod(each)["volumes"].append({"emptyDir": {}})),
    "image": ("Deployment", "another one", lambda each: _pod(each)["containers"][0].update(image="x/y:latest")),
    "writes": ("Deployment", "writes", lambda each: _pod(each)["containers"][0]["securityContext"].clear()),
    "limits": ("Deployment", "no limits", lambda each: _pod(each)["containers"][0]["resources"].pop("limits")),
    "probes": ("Deployment", "no probes", lambda each: _pod(each)["containers"][0].pop("livenessProbe")),
    "in sight": (
        "Deployment",
        "in plain sight",
        lambda each: _pod(each)["containers"][0]["env"].append({"name": "STORE_PASSWORD", "value": "x"}),
    ),
    "budget": (
        "PodDisruptionBudget", "no disruption", lambda each: each["spec"]["selector"]["matchLabels"].update(a="")
    ),
    "tls": ("Ingress", "no TLS", lambda each: each["spec"].pop("tls")),
    "secret": ("ServiceAccount", "a secret in a file", lambda each: each.update(kind="Secret")),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "fault", "change"), MUTATIONS.values(), ids=MUTATIONS)
def test_the_policy_finds_what_it_is_there_for(
    kind: str, fault: str, change: Callable[[dict[str, Any]], object]
) -> None:
    manifests = [Manifest(copy.deepcopy(dict(each.body))) for each in manifests_of("production")]
    for each in manifests:
        if each.ref.kind == kind:
            change(dict(each.body) if kind != "ServiceAccount" else each.body)  # type: ignore[arg-type]
    assert any(fault in found for found in faults(manifests))


def test_the_policy_finds_pods_that_nothing_is_denied_to() -> None:
    manifests = [each for each in manifests_of("production") if each.ref.name not in {"default-deny", "names"}]
    found = faults(manifests)
    assert "no policy denies by default" in found
    assert "Deployment gridcast-mlflow: no policy selects its pods" in found


@each_overlay
def test_the_settings_in_the_cluster_are_settings_of_gridcast(overlay: str, tmp_path: Path) -> None:
    (config,) = (body for name, body in of_kind(overlay, "ConfigMap").items() if name.startswith("gridcast-config-"))
    for name, text in config["data"].items():
        (tmp_path / name).write_text(text)
    settings = load_settings(tmp_path)
    assert settings.app.data_dir == Path("/data")
    assert settings.app.service.is_encrypted
    assert settings.app.service.host == "0.0.0.0"  # noqa: S104
    kafka = [each for each in settings.pipeline.sources.values() if isinstance(each, KafkaSettings)]
    files = [
        settings.app.store.url_file,
        *(each.username_file for each in kafka),
        *(each.password_file for each in kafka),
    ]
    for each in with_pods(overlay):
        for container in (
            one for spec in each.pod_specs for one in containers(spec) if one.get("workingDir") == "/etc/gridcast"
        ):
            mounts = {one["mountPath"] for one in container["volumeMounts"]}
            assert {"/etc/gridcast/config", "/run/secrets/gridcast", "/data", "/tmp"} <= mounts, each.ref  # noqa: S108
            reads_kafka = each.ref.kind == "FlinkDeployment" or each.ref.name in {
                "gridcast-listen",
                "gridcast-flink-stream",
            }
            if reads_kafka:
                assert {str(Path(str(file)).parent) for file in files} <= mounts, each.ref


@each_overlay
def test_what_the_pods_run_are_commands_of_gridcast(overlay: str) -> None:
    commands: Any = typer.main.get_command(app)
    ran = set()
    for each in with_pods(overlay):
        for spec in each.pod_specs:
            for container in containers(spec):
                probes = [
                    container.get(f"{name}Probe", {}).get("exec") for name in ("startup", "readiness", "liveness")
                ]
                for words in [container.get("command", []), *(probe["command"] for probe in probes if probe)]:
                    if words[:1] not in (["gridcast"], ["flock"]):
                        continue
                    first, second, *_ = [*words[words.index("gridcast") + 1 :], ""]
                    found = commands.commands[first]
                    found = found.commands[second] if hasattr(found, "commands") else found
                    known = {option for parameter in found.params for option in parameter.opts}
                    asked = {word.partition("=")[0] for word in words if word.startswith("--")}
                    assert asked - (TO_BEAM if "--runner" in asked else set()) <= known, words
                    ran.add(first)
    assert {"serve", "retrain", "store", "score", "status"} <= ran


@each_overlay
def test_objects_refer_to_what_is_there(overlay: str) -> None:
    manifests = manifests_of(overlay)
    there = {(each.ref.kind, each.ref.name) for each in manifests}
    for each in with_pods(overlay):
        for spec in each.pod_specs:
            for volume in spec.get("volumes", ()):
                if "configMap" in volume:
                    assert ("ConfigMap", volume["configMap"]["name"]) in there, each.ref
                if "persistentVolumeClaim" in volume:
                    assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in there, each.ref
            if each.ref.kind != "FlinkDeployment":
                assert ("ServiceAccount", spec["serviceAccountName"]) in there
    ports = {
        port["name"]: labels
        for each in with_pods(overlay)
        for labels in [pod_labels(each)]
        for spec in each.pod_specs
        for container in containers(spec)
        for port in container.get("ports", ())
    }
    for each in manifests:
        if each.ref.kind == "Service":
            selector = each.body["spec"]["selector"].items()
            assert any(labels and selector <= labels.items() for labels in map(pod_labels, with_pods(overlay)))
            assert {port["targetPort"] for port in each.body["spec"]["ports"]} <= ports.keys()
    assert namespace_of(manifests) == {"dev": "gridcast-dev"}.get(overlay, "gridcast")
    space = of_kind(overlay, "Namespace")[namespace_of(manifests)]
    assert space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_prometheus_knows_the_service_by_the_name_that_the_rules_ask_for() -> None:
    monitor = of_kind("production", "ServiceMonitor")["gridcast"]["spec"]
    service = of_kind("production", "Service")["gridcast-api"]
    labels = service["metadata"]["labels"]
    assert monitor["selector"]["matchLabels"].items() <= labels.items()
    rules = (ROOT / "config/prometheus/gridcast_alerts.yml").read_text()
    assert set(re.findall(r'job=\\"(\w+)\\"', rules)) == {labels[monitor["jobLabel"]]}
    assert {each["port"] for each in monitor["endpoints"]} <= {each["name"] for each in service["spec"]["ports"]}


def test_grafana_is_given_every_board_as_it_is_committed() -> None:
    boards = of_kind("production", "ConfigMap")["gridcast-dashboards"]
    committed = {path.name: path.read_text() for path in (ROOT / "dashboards/boards").glob("*.json")}
    assert boards["data"] == committed
    assert boards["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_the_service_can_only_read_the_data_folder() -> None:
    for overlay in OVERLAYS:
        for name in ("gridcast-api", "gridcast-mlflow"):
            (container,) = of_kind(overlay, "Deployment")[name]["spec"]["template"]["spec"]["containers"]
            assert [each["readOnly"] for each in container["volumeMounts"] if each["name"] == "data"] == [True]


def test_with_flink_nothing_else_streams() -> None:
    streams = {"gridcast-stream", "gridcast-listen"}
    assert streams <= of_kind("production", "Deployment").keys()
    assert not streams & of_kind("production-flink", "Deployment").keys()
    assert list(of_kind("production-flink", "FlinkDeployment")) == ["gridcast-flink"]
