"""What the images are made of is linted, pinned, and leaves out of the service only what the service never loads."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PROGRAMS = Path(sys.executable).parent
SERVED_FROM = ("gridcast.cli.serve", "gridcast.cli.keys", "gridcast.app.server", "gridcast.models.tensorflow.serving")
HEAVY = {"apache-beam", "keras", "mlflow-skinny", "optuna", "tensorflow", "tensorflow-cpu"}

LOAD = """
import importlib, json, sys
from importlib.metadata import packages_distributions
kept, modules = json.loads(sys.stdin.read())
owners = packages_distributions()

class Refusal:
    def find_spec(self, name, path=None, target=None):
        owned = {each.lower().replace("_", "-").replace(".", "-") for each in owners.get(name, [])}
        if owned and not owned & set(kept):
            raise ModuleNotFoundError(f"{name} is of {sorted(owned)}, which the image leaves out", name=name)

sys.meta_path.insert(0, Refusal())
for each in modules:
    importlib.import_module(each)
"""


def stage(name: str) -> str:
    (found,) = re.findall(rf"^FROM \S+ AS {name}\n(.*?)(?=^FROM |\Z)", DOCKERFILE, flags=re.MULTILINE | re.DOTALL)
    return str(found)


def left_out() -> list[str]:
    return re.findall(r"--prune (\S+)", stage("api-packages"))


def exported(target: str) -> set[str]:
    """Packages of a stage, as its own command lists them."""
    (command,) = re.findall(r"RUN (uv export .*?) --output-file", stage(f"{target}-packages").replace("\\\n", " "))
    done = subprocess.run([PROGRAMS / "uv", *command.split()[1:]], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(re.findall(r"^([a-z0-9-]+)==", done.stdout, flags=re.MULTILINE))


def test_the_dockerfile_has_no_fault_that_hadolint_knows() -> None:
    done = subprocess.run([PROGRAMS / "hadolint", "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_service_starts_on_nothing_but_what_its_image_holds() -> None:
    kept = sorted(exported("api") | {"gridcast"})
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        input=json.dumps([kept, SERVED_FROM]), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_package_that_the_service_loads_would_be_missed() -> None:
    kept = sorted((exported("api") | {"gridcast"}) - {"ai-edge-litert"})
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        input=json.dumps([kept, SERVED_FROM]), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "['ai-edge-litert'], which the image leaves out" in done.stderr


def test_every_name_that_is_left_out_leaves_something_out() -> None:
    direct = set(re.findall(r'^  "([a-z0-9-]+)', (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE))
    assert set(left_out()) <= direct
    assert set(left_out()) >= HEAVY


def test_the_service_has_no_heavy_library_and_the_other_images_have_what_their_jobs_need() -> None:
    service, worker, trainer = exported("api"), exported("worker"), exported("trainer")
    assert not service & HEAVY
    assert {"fastapi", "uvicorn", "psycopg", "psycopg-binary", "ai-edge-litert"} <= service
    assert {"apache-beam", "tensorflow-cpu", "confluent-kafka", "paho-mqtt", "mlflow-skinny"} <= worker
    assert {"apache-beam", "tensorflow-cpu", "mlflow-skinny", "optuna", "matplotlib"} <= trainer
    assert worker < trainer


def test_every_package_is_installed_by_its_hash() -> None:
    installs = re.findall(r"\bpip .*?\binstall .*", DOCKERFILE)
    assert len(installs) == 5
    assert all("--require-hashes" in each or "--no-deps --no-index" in each for each in installs)


def test_nothing_runs_as_root_and_every_image_says_what_it_runs() -> None:
    assert "USER 10001:10001" in stage("runtime")
    assert DOCKERFILE.count("USER ") == 1
    for target in ("api", "worker", "trainer"):
        assert f"FROM runtime AS {target}\n" in DOCKERFILE
        assert stage(target).count('CMD ["gridcast", ') >= 1
    assert all("HEALTHCHECK" in stage(target) for target in ("api", "worker"))


def test_the_version_of_the_images_is_that_of_the_package() -> None:
    (version,) = re.findall(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)
    assert f"ARG VERSION={version}\n" in DOCKERFILE


def test_nothing_is_sent_to_the_builder_but_what_is_named() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    copied = {
        word.rstrip("/")
        for words in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, flags=re.MULTILINE)
        for word in words.split()
    }
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert copied == allowed


@pytest.mark.parametrize("service", ["api", "demo", "keys", "stream"])
def test_the_stack_is_built_from_the_same_file(service: str) -> None:
    stack: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"][service]
    target = stack["build"]["target"]
    assert f"FROM runtime AS {target}\n" in DOCKERFILE
    assert stack["image"].startswith(f"gridcast-{target}:")
