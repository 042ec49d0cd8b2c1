"""`gridcast deploy` against an API server: deploy, failed rollout, automatic rollback, and what stands in the way."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support import kube_api
from support.kube_api import Api, running_api
from support.kube_installation import NAMESPACE, PRODUCTION, ROOT, Terminal, make_ready, version, write
from support.kubectl import kubectl

from gridcast.deploy.manifests import read_manifests


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with running_api(tmp_path) as found:
        yield found


@pytest.fixture
def terminal(api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    monkeypatch.delenv("GRIDCAST_API_KEY", raising=False)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    make_ready(api)
    return Terminal(api, monkeypatch, capsys)


def image_of(api: Api, name: str = "gridcast-api") -> str:
    (container,) = api.cluster.find("deployments", name)["spec"]["template"]["spec"]["containers"]
    return str(container["image"]).rpartition(":")[2]


def test_everything_is_applied_migrated_awaited_and_kept_as_a_release(api: Api, terminal: Terminal) -> None:
    ran = []
    api.cluster.run = lambda command: (ran.append(command), (0, "revision 9\n"))[1]
    told = terminal.apply(PRODUCTION, "--no-test")
    assert "release 1 is deployed" in told
    assert ran == [["gridcast", "store", "status", "--no-rows"]]
    assert "revision 9" in told
    there = {(key[0], key[2]) for key in api.cluster.objects}
    plural = {"NetworkPolicy": "networkpolicies", "Ingress": "ingresses"}
    for each in read_manifests(PRODUCTION.read_text(), source="production"):
        assert (plural.get(each.ref.kind, f"{each.ref.kind.lower()}s"), each.ref.name) in there
    managers = {
        each["manager"] for each in api.cluster.find("deployments", "gridcast-api")["metadata"]["managedFields"]
    }
    assert managers == {"gridcast"}
    found = terminal.json("status")
    assert found["release"] == 1
    assert {each["name"]: each["state"] for each in found["workloads"]}["gridcast-stream"] == "runs"


def test_the_store_is_migrated_before_the_service_is_of_the_new_version(
    api: Api, terminal: Terminal, tmp_path: Path
) -> None:
    terminal.apply(PRODUCTION, "--no-test")
    seen = []
    api.cluster.run = lambda command: (seen.append((command[2], image_of(api))), (0, ""))[1]
    terminal.apply(version(tmp_path, "0.2.0"), "--no-test")
    assert seen == [("status", "0.1.0")]
    assert image_of(api) == "0.2.0"
    (job,) = [each for each in api.cluster.names("jobs") if "0.2.0" in json.dumps(api.cluster.find("jobs", each))]
    assert job.startswith("gridcast-task-")


def test_a_first_key_and_a_first_model_are_made_in_the_cluster_when_asked_for(api: Api, terminal: Terminal) -> None:
    ran = []
    api.cluster.run = lambda command: (ran.append(" ".join(command[1:])), (0, ""))[1]
    terminal.apply(PRODUCTION, "--no-test", "--first")
    key = "key create --role viewer --name first deployment --expires-in P1D"
    assert ran == ["store status --no-rows", key, "ingest", "prepare", "train", "backtest", "model promote"]
    assert len(api.cluster.names("jobs")) == len(ran) - 1, "the log with the key is gone"


def test_a_failed_rollout_puts_the_release_before_back_by_itself(api: Api, terminal: Terminal, tmp_path: Path) -> None:
    terminal.apply(PRODUCTION, "--no-test")
    api.cluster.failing.add("gridcast-api:0.2.0")
    new = write(tmp_path / "new.yaml", [*read_manifests(version(tmp_path, "0.2.0").read_text(), source="new"), extra()])
    told = terminal.apply(new, "--no-test", code=1)
    assert "has timed out progressing" in told
    assert "ImagePullBackOff" in told
    assert "Rolled back: release 1 is in place again" in told
    assert image_of(api) == "0.1.0"
    assert image_of(api, "gridcast-stream") == "0.1.0"
    assert "gridcast-extra" not in api.cluster.names("configmaps")
    found = terminal.json("status")
    assert found["release"] == 1
    assert [each["state"] for each in found["releases"]] == ["deployed", "failed"]


def extra() -> object:
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: gridcast-extra, namespace: {NAMESPACE}}}\n"
    return read_manifests(text, source="test")[0]


def test_a_failed_migration_changes_nothing_of_what_serves(api: Api, terminal: Terminal, tmp_path: Path) -> None:
    terminal.apply(PRODUCTION, "--no-test")
    began = len(api.cluster.events)
    api.cluster.run = lambda _: (1, "error: the store is of a later version\n")
    told = terminal.apply(version(tmp_path, "0.2.0"), "--no-test", code=1)
    assert (
        "gridcast store status --no-rows ended with code 1 in the cluster: error: the store is of a later version"
        in told
    )
    assert "Rolled back: release 1" in told
    images = {
        event[3]["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[2]
        for event in api.cluster.events[began:]
        if event[2][0] == "deployments"
    }
    assert images <= {"0.1.0"}


def test_where_the_first_release_fails_it_says_that_there_is_none_to_go_back_to(api: Api, terminal: Terminal) -> None:
    api.cluster.failing.add("gridcast-stream")
    told = terminal.apply(PRODUCTION, "--no-test", code=1)
    assert "Deployment gridcast-stream: has timed out progressing" in told
    assert "Release 1 is the first" in told
    assert terminal.json("status")["release"] is None


def test_a_rollout_that_hangs_is_given_up_in_time(api: Api, terminal: Terminal, tmp_path: Path) -> None:
    terminal.apply(PRODUCTION, "--no-test")
    api.cluster.held.add("gridcast-api")
    told = terminal.apply(version(tmp_path, "0.2.0"), "--no-test", "--timeout", "PT1S", code=1)
    assert "Deployment gridcast-api does not run as described after 0:00:01" in told


def test_a_rollout_that_takes_its_time_is_waited_for(api: Api, terminal: Terminal) -> None:
    api.cluster.held.add("gridcast-api")

    def let_go_once_watched() -> None:
        api.cluster.wait(lambda: any("/deployments?" in path and "watch=true" in path for _, path in api.cluster.asked))
        api.cluster.let_go("gridcast-api")

    thread = threading.Thread(target=let_go_once_watched)
    thread.start()
    assert "release 1 is deployed" in terminal.apply(PRODUCTION, "--no-test")
    thread.join()


def test_a_rollback_puts_back_what_was_changed_since_and_removes_what_is_new(
    api: Api, terminal: Terminal, tmp_path: Path
) -> None:
    terminal.apply(version(tmp_path, "0.1.0", without=("gridcast-listen",)), "--no-test")
    terminal.apply(version(tmp_path, "0.2.0"), "--no-test")
    assert "gridcast-listen" in api.cluster.names("deployments")
    told = terminal.type("rollback", "--no-test")
    assert "release 1 is in place again" in told
    assert image_of(api) == "0.1.0"
    assert "gridcast-listen" not in api.cluster.names("deployments")
    assert [each["state"] for each in terminal.json("status")["releases"]] == ["deployed", "rolled back"]
    assert "no release to go back to" in terminal.type("rollback", "--no-test", code=1)
    terminal.type("rollback", "--to", "2", "--no-test")
    assert image_of(api) == "0.2.0"


def test_data_stays_when_manifests_no_longer_have_it(api: Api, terminal: Terminal, tmp_path: Path) -> None:
    terminal.apply(PRODUCTION, "--no-test")
    told = terminal.apply(version(tmp_path, "0.2.0", without=("gridcast-backup", "gridcast-prune")), "--no-test")
    assert "removed CronJob gridcast-backup" in told
    assert "gridcast-backup" in api.cluster.names("persistentvolumeclaims")


def test_a_deployment_that_was_broken_off_blocks_the_next_until_it_is_rolled_back(
    api: Api, terminal: Terminal, tmp_path: Path
) -> None:
    terminal.apply(PRODUCTION, "--no-test")
    terminal.apply(version(tmp_path, "0.2.0"), "--no-test")
    with api.cluster.changed:
        for number, state in (("1", "deployed"), ("2", "pending")):
            key = ("configmaps", NAMESPACE, f"gridcast-release-{number}")
            api.cluster.objects[key]["data"]["state"] = state
    refused = terminal.apply(version(tmp_path, "0.3.0"), "--no-test", code=1)
    assert "release 2 is being deployed by" in refused
    terminal.type("rollback", "--no-test")
    assert image_of(api) == "0.1.0"
    terminal.apply(version(tmp_path, "0.3.0"), "--no-test")
    assert image_of(api) == "0.3.0"


def test_only_the_last_ten_releases_are_kept(api: Api, terminal: Terminal, tmp_path: Path) -> None:
    small = [each for each in read_manifests(PRODUCTION.read_text(), source="x") if keeps(each.ref.kind, each.ref.name)]
    file = write(tmp_path / "small.yaml", small)
    for _ in range(12):
        terminal.apply(file, "--no-test")
    assert [each["release"] for each in terminal.json("status")["releases"]] == list(range(3, 13))


def keeps(kind: str, name: str) -> bool:
    return kind in {"Namespace", "ServiceAccount"} or name == "gridcast-task"


def test_fields_of_somebody_else_are_a_conflict_and_taken_over_only_when_told(
    api: Api, terminal: Terminal, tmp_path: Path
) -> None:
    terminal.apply(PRODUCTION, "--no-test")
    set_image = ["set", "image", "deployment/gridcast-api", "api=mine:1", "--namespace", NAMESPACE]
    subprocess.run([kubectl(), "--kubeconfig", api.kubeconfig, *set_image], check=True, capture_output=True)
    began = len(api.cluster.events)
    told = terminal.apply(version(tmp_path, "0.2.0"), "--no-test", code=1)
    assert 'gridcast-api: .spec.template.spec.containers[{"name": "api"}].image (conflict with "kubectl-set")' in told
    assert "--force-conflicts" in told
    assert len(api.cluster.events) == began
    terminal.apply(version(tmp_path, "0.2.0"), "--no-test", "--force-conflicts")
    assert image_of(api) == "0.2.0"


def test_a_dry_run_shows_what_would_change_and_changes_nothing(api: Api, terminal: Terminal, tmp_path: Path) -> None:
    told = terminal.apply(PRODUCTION, "--dry-run")
    assert "+  name: gridcast-api" in told
    assert api.cluster.names("deployments") == set()
    terminal.apply(PRODUCTION, "--no-test")
    began = len(api.cluster.events)
    new = version(tmp_path, "0.2.0")
    told = terminal.type("diff", str(new))
    assert "-        image: registry.example.org/gridcast/gridcast-api:0.1.0" in told
    assert "+        image: registry.example.org/gridcast/gridcast-api:0.2.0" in told
    assert told in terminal.apply(new, "--dry-run")
    found = terminal.json("diff", str(PRODUCTION))
    assert found["differences"] == []
    assert len(api.cluster.events) == began


def test_without_permission_nothing_is_changed(api: Api, terminal: Terminal) -> None:
    api.cluster.denied |= {("patch", "networkpolicies"), ("create", "jobs")}
    began = len(api.cluster.events)
    told = terminal.apply(PRODUCTION, "--no-test", code=1)
    assert "failed permissions: may not create jobs, patch networkpolicies; expected a role that may" in told
    assert len(api.cluster.events) == began


def test_who_has_the_role_and_no_other_right_can_deploy_look_and_go_back(
    api: Api, terminal: Terminal, tmp_path: Path
) -> None:
    told = terminal.type("role", str(PRODUCTION), "--service-account", "ci:deployer")
    bound = [each for each in yaml.safe_load_all(told) if each["kind"].endswith("Binding")]
    rules = [rule for each in yaml.safe_load_all(told) for rule in each.get("rules", ())]
    assert {each["kind"] for each in bound} == {"RoleBinding", "ClusterRoleBinding"}
    assert [each["subjects"] for each in bound] == [
        [{"kind": "ServiceAccount", "namespace": "ci", "name": "deployer"}]
    ] * 2
    objects = terminal.json("role", str(PRODUCTION), "--user", "me")["objects"]
    assert [rule for each in objects for rule in each.get("rules", ())] == rules
    used = set()

    def granted(verb: str, resource: str, name: str) -> bool:
        used.add((verb, resource))
        return any(
            verb in each["verbs"] and resource in each["resources"] and name in each.get("resourceNames", [name])
            for each in rules
        )

    api.cluster.granted = granted
    terminal.apply(PRODUCTION, "--no-test", "--first")
    used.clear()
    api.cluster.failing.add("gridcast-api:0.2.0")
    assert "Rolled back" in terminal.apply(version(tmp_path, "0.2.0"), "--no-test", code=1)
    terminal.apply(version(tmp_path, "0.3.0", without=("gridcast-listen",)), "--no-test")
    terminal.type("rollback", "--no-test")
    terminal.type("diff", str(PRODUCTION))
    terminal.type("status")
    terminal.type("task", "store", "verify")
    assert {"watch deployments", "list pods", "get pods/log", "list cronjobs"} <= {" ".join(each) for each in used}
    rules = [each for each in rules if each["resources"] != ["pods/log"]]
    assert "may not get pods/log" in terminal.apply(PRODUCTION, "--no-test", code=1)


def test_a_role_is_bound_to_one_subject(api: Api, terminal: Terminal) -> None:
    assert "--service-account" in terminal.type("role", str(PRODUCTION), code=2)
    assert "2 subjects" in terminal.type("role", str(PRODUCTION), "--user", "me", "--group", "us", code=2)
    assert "ci:deployer" in terminal.type("role", str(PRODUCTION), "--service-account", "deployer", code=2)


def test_without_the_secrets_nothing_is_changed_and_their_content_is_never_asked_for(
    api: Api, terminal: Terminal
) -> None:
    with api.cluster.changed:
        api.cluster.delete(("secrets", NAMESPACE, "gridcast-store"))
    told = terminal.apply(PRODUCTION, "--no-test", code=1)
    assert "failed secrets: missing: gridcast-store" in told
    assert "aGlkZGVu" not in told
    assert api.cluster.names("deployments") == set()


def test_a_cluster_without_the_operators_is_told_what_it_lacks(
    api: Api, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(kube_api.KINDS, "monitoring.coreos.com/v1")
    told = terminal.apply(PRODUCTION, "--no-test", code=1)
    assert "PrometheusRule of monitoring.coreos.com/v1 is not known to the cluster" in told
    assert "leave its component out of the overlay" in told


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        pytest.param(("status", "--context", "nowhere"), 2, "with the context 'nowhere'", id="context"),
        pytest.param(("status", "--context", "elsewhere"), 1, "expected the API server of a cluster", id="cluster"),
        pytest.param(("apply", "nothing.yaml"), 2, "a kustomization folder", id="file"),
        pytest.param(("apply", "here", "--kubectl", "no-such-program"), 2, "neither no-such-program nor", id="kubectl"),
        pytest.param(("canary", "7", "--promote", "--abort"), 2, "expected one of them", id="both"),
        pytest.param(("canary", "7"), 1, "has no CronJob gridcast-task", id="no installation"),
        pytest.param(("rollback", "--no-test"), 1, "no release to go back to", id="no release"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "here").mkdir()
    told = terminal.type(*words, code=code)
    assert message in told
    assert told.count("\n") == 1


def test_a_folder_is_rendered_by_the_real_kubectl(api: Api, terminal: Terminal) -> None:
    folder = ROOT / "kubernetes/overlays/production"
    terminal.apply(folder, "--no-test", "--kubectl", str(kubectl()))
    there = read_manifests(PRODUCTION.read_text(), source="production")
    assert {each.ref.name for each in there if each.ref.kind == "Deployment"} == api.cluster.names("deployments")
    images = {each["images"] for each in terminal.json("status")["workloads"]}
    assert "gridcast-api:0.1.0" in images


def test_a_command_is_run_in_the_cluster_and_ends_as_it_does_there(api: Api, terminal: Terminal) -> None:
    terminal.apply(PRODUCTION, "--no-test")
    api.cluster.run = lambda command: (3, f"{' '.join(command)}\nrefused\n")
    told = terminal.type("task", "model", "promote", "--dry-run", code=3)
    assert "gridcast model promote --dry-run\nrefused" in told


def test_the_script_calls_the_command() -> None:
    script = ROOT / "scripts/deploy_app.py"
    assert len(script.read_text().splitlines()) < 15
    done = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "rollback" in done.stdout


def test_without_its_extra_the_command_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['kubernetes'] = None; sys.argv = ['gridcast', 'deploy', 'status']; "
        "from gridcast.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert 'expected gridcast installed with its extra "deploy"' in done.stderr


def test_help_is_shown_without_the_kubernetes_client() -> None:
    code = (
        "import sys; sys.argv = ['gridcast', 'deploy', 'apply', '--help']\n"
        "from gridcast.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(sorted({'kubernetes', 'urllib3', 'httpx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
