"""What manifests refer to is found, and what is none is refused."""

import pytest

from gridcast.deploy.manifests import Manifest, find, namespace_of, read_manifests
from gridcast.domain.errors import UsageError

POD = {
    "volumes": [{"name": "a", "secret": {"secretName": "volume"}}, {"secret": {"secretName": "no", "optional": True}}],
    "imagePullSecrets": [{"name": "pull"}],
    "initContainers": [{"name": "first", "image": "a:1", "envFrom": [{"secretRef": {"name": "whole"}}]}],
    "containers": [
        {
            "name": "b",
            "image": "b:2",
            "env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "key", "key": "k"}}}],
        }
    ],
}


def made(kind: str, name: str = "x", **more: object) -> Manifest:
    return Manifest({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "n"}, **more})


def test_secrets_and_images_of_pods_are_found_wherever_they_are_named() -> None:
    deployment = made("Deployment", spec={"template": {"spec": POD}})
    job = made("CronJob", spec={"jobTemplate": {"spec": {"template": {"spec": POD}}}})
    for each in (deployment, job):
        assert each.secrets == {"volume", "pull", "whole", "key"}
        assert each.images == ["a:1", "b:2"]
    flink = made("FlinkDeployment", spec={"image": "f:3", "taskManager": {"podTemplate": {"spec": POD}}})
    assert flink.images == ["f:3", "a:1", "b:2"]
    assert made("Ingress", spec={"tls": [{"secretName": "cert"}]}).secrets == {"cert"}
    assert made("Service", spec={}).secrets == set()


def test_what_serves_comes_last_and_the_namespace_first() -> None:
    kinds = ("HorizontalPodAutoscaler", "Deployment", "CronJob", "ConfigMap", "Namespace")
    text = "\n---\n".join(f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: x}}" for kind in kinds)
    found = [each.ref.kind for each in read_manifests(text, source="test")]
    assert found == ["Namespace", "ConfigMap", "CronJob", "Deployment", "HorizontalPodAutoscaler"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a: [", "expected YAML", id="broken"),
        pytest.param("", "no objects", id="empty"),
        pytest.param("[1, 2]", "expected objects of Kubernetes", id="list"),
        pytest.param("kind: Pod", "a Pod without apiVersion or name", id="nameless"),
        pytest.param("\n---\n".join(["{apiVersion: v1, kind: Pod, metadata: {name: x}}"] * 2), "twice", id="twice"),
    ],
)
def test_what_is_no_manifest_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_manifests(text, source="file")


def test_one_namespace_is_expected_and_what_is_needed_has_to_be_there() -> None:
    other = Manifest({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "namespace": "m"}})
    with pytest.raises(UsageError, match="expected one namespace"):
        namespace_of([made("Pod"), other])
    with pytest.raises(UsageError, match="CronJob gridcast-task is missing"):
        find([made("Pod")], "CronJob", "gridcast-task")
