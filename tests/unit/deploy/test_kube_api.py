"""The API server of these tests does what kubectl and server-side apply expect of one."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support.kube_api import Api, running_api
from support.kube_fields import apply, conflicts, set_fields
from support.kubectl import kubectl

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "here", "labels": {"app": "web"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:1"}, {"name": "side", "image": "side:1"}]},
        },
    },
}
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "once", "namespace": "here"},
    "spec": {"template": {"spec": {"containers": [{"name": "a", "image": "a:1", "command": ["say", "hello"]}]}}},
}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with running_api(tmp_path) as found:
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "here"}}
        with found.cluster.changed:
            found.cluster.create(("namespaces", "", "here"), space, manager="test", dry_run=False)
        yield found


def ask(api: Api, *words: str, code: int = 0, given: object = None) -> str:
    done = subprocess.run(
        [kubectl(), "--kubeconfig", api.kubeconfig, "--namespace", "here", *words],
        input=yaml.safe_dump(given) if given is not None else None,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == code, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def applied(api: Api, body: object, *words: str, code: int = 0) -> str:
    return ask(api, "apply", "--server-side", "--filename", "-", *words, given=body, code=code)


def test_kubectl_applies_and_sees_the_rollout_through(api: Api) -> None:
    assert "deployment.apps/web serverside-applied" in applied(api, DEPLOYMENT)
    assert "successfully rolled out" in ask(api, "rollout", "status", "deployment/web", "--timeout=20s")
    assert "web" in ask(api, "get", "deployments")


def test_kubectl_is_told_of_a_rollout_that_fails(api: Api) -> None:
    api.cluster.failing.add("web:2")
    applied(api, DEPLOYMENT)
    ask(api, "set", "image", "deployment/web", "web=web:2")
    told = ask(api, "rollout", "status", "deployment/web", "--timeout=20s", code=1)
    assert "exceeded its progress deadline" in told


def test_kubectl_is_told_of_a_conflict_and_may_force_it(api: Api) -> None:
    applied(api, DEPLOYMENT)
    ask(api, "set", "image", "deployment/web", "web=other:1")
    told = applied(api, DEPLOYMENT, code=1)
    assert 'conflict with "kubectl-set": .spec.template.spec.containers[{"name": "web"}].image' in told
    applied(api, DEPLOYMENT, "--force-conflicts")
    assert ask(api, "diff", "--server-side", "--filename", "-", given=DEPLOYMENT) == ""


def test_kubectl_follows_a_job_to_its_end(api: Api) -> None:
    api.cluster.run = lambda command: (0, f"{' '.join(command)}\n")
    applied(api, JOB)
    ask(api, "wait", "--for=condition=complete", "job/once", "--timeout=20s")
    assert "say hello" in ask(api, "logs", "once-xyz12")


def test_what_is_no_longer_applied_goes_unless_somebody_else_set_it_too() -> None:
    owners: dict[str, set[tuple[str, ...]]] = {}
    base = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    live = apply(dict(base), {**base, "data": {"a": "1", "b": "2"}}, manager="one", owners=owners)
    live = apply(live, {**base, "data": {"b": "2", "c": "3"}}, manager="two", owners=owners)
    assert live["data"] == {"a": "1", "b": "2", "c": "3"}
    live = apply(live, {**base, "data": {}}, manager="one", owners=owners)
    assert live["data"] == {"b": "2", "c": "3"}


def test_items_of_keyed_lists_belong_to_who_set_them() -> None:
    owners: dict[str, set[tuple[str, ...]]] = {}
    live = apply({}, DEPLOYMENT, manager="one", owners=owners)
    spec = {"template": {"spec": {"containers": [{"name": "web", "env": [{"name": "A", "value": "1"}]}]}}}
    mine = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    live = apply(live, mine, manager="two", owners=owners)
    web, side = live["spec"]["template"]["spec"]["containers"]
    assert web == {"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}]}
    assert side["name"] == "side"
    spec["template"]["spec"]["containers"][0] = {"name": "web", "image": "web:2"}  # type: ignore[assignment]
    (conflict,) = conflicts(live, mine, manager="two", owners=owners)
    assert (conflict.manager, conflict.field) == ("one", '.spec.template.spec.containers[{"name": "web"}].image')


def test_two_may_set_the_same_value() -> None:
    owners: dict[str, set[tuple[str, ...]]] = {}
    live = apply({}, DEPLOYMENT, manager="one", owners=owners)
    assert conflicts(live, DEPLOYMENT, manager="two", owners=owners) == []
    apply(live, DEPLOYMENT, manager="two", owners=owners)
    assert owners["one"] == owners["two"] == set(set_fields(DEPLOYMENT))
