"""The workflows are pinned, ask for few rights, end in time, and call what is there."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
WHO_MAY_WRITE = {
    ("docs", "deploy"): {"id-token", "pages"},
    ("nightly", "benchmarks"): {"contents"},
    ("release", "attest"): {"attestations", "id-token"},
    ("release", "images"): {"id-token", "packages"},
    ("release", "publish"): {"contents", "id-token"},
    ("release", "pypi"): {"id-token"},
}


def parsed(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text())
    return found


JOBS = [pytest.param(file, name, id=f"{file.stem}-{name}") for file in FILES for name in parsed(file)["jobs"]]
each_file = pytest.mark.parametrize("file", [pytest.param(file, id=file.stem) for file in FILES])
each_job = pytest.mark.parametrize(("file", "name"), JOBS)


def lines_run(file: Path) -> str:
    return "\n".join(
        step["run"] for job in parsed(file)["jobs"].values() for step in job.get("steps", []) if "run" in step
    )


def test_there_is_a_workflow_for_each_thing_that_is_done() -> None:
    assert {file.stem for file in FILES} == {"ci", "docs", "images", "model", "nightly", "release"}


@each_file
def test_every_action_is_pinned_by_its_full_commit_with_its_version_beside(file: Path) -> None:
    used = re.findall(r"uses: (.*)$", file.read_text(), flags=re.MULTILINE)
    assert used
    assert [each for each in used if not PINNED.fullmatch(each)] == []


@each_file
def test_an_action_has_the_same_pin_everywhere(file: Path) -> None:
    pins = {
        name: commit
        for each in FILES
        for name, commit in re.findall(r"uses: ([\w./-]+)@([0-9a-f]{40})", each.read_text())
    }
    assert all(pins[name] == commit for name, commit in re.findall(r"uses: ([\w./-]+)@(\w+)", file.read_text()))


@each_file
def test_a_workflow_gives_no_rights_to_write_by_default(file: Path) -> None:
    assert parsed(file)["permissions"] in ({}, {"contents": "read"})


@each_job
def test_a_job_may_write_only_what_it_is_there_to_write(file: Path, name: str) -> None:
    rights = parsed(file)["jobs"][name].get("permissions", {})
    written = {what for what, how in rights.items() if how == "write"}
    assert written == WHO_MAY_WRITE.get((file.stem, name), set())


@each_job
def test_a_job_ends_in_time_on_a_named_machine(file: Path, name: str) -> None:
    job = parsed(file)["jobs"][name]
    assert 0 < job["timeout-minutes"] <= 350
    assert re.fullmatch(r"ubuntu-\d\d\.\d\d", job["runs-on"])


@each_file
def test_only_what_pushes_keeps_the_credentials_of_the_checkout(file: Path) -> None:
    for job in parsed(file)["jobs"].values():
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                pushes = any("git -C history push" in each.get("run", "") for each in job["steps"])
                assert step.get("with", {}).get("persist-credentials", True) is pushes


@each_file
def test_what_it_calls_of_ours_is_there(file: Path) -> None:
    lines = lines_run(file)
    made = {
        word
        for words in re.findall(r"\bmake ([^\n|]*)", lines)
        for word in words.split()
        if re.fullmatch("[a-z]+", word)
    }
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert made <= targets
    for path in re.findall(r"(?<![\w/])(\.ci/[\w./-]+|tests/[\w./-]+|config/[\w./-]+)", lines):
        assert (ROOT / path).is_file(), path


@each_file
def test_no_text_from_outside_gets_into_a_shell(file: Path) -> None:
    assert "${{" not in lines_run(file)


@each_file
def test_paths_that_start_it_are_there(file: Path) -> None:
    starts: dict[str, Any] = parsed(file)[True]  # YAML reads the key "on" as true
    named = [path for each in starts.values() if isinstance(each, dict) for path in each.get("paths", [])]
    assert [path for path in named if not next(ROOT.glob(path.removesuffix("/**")), None)] == []


def test_the_matrix_is_of_the_versions_that_the_package_says_it_supports() -> None:
    tested = parsed(ROOT / ".github/workflows/ci.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    said = re.findall(r"Programming Language :: Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    assert tested == said


@pytest.mark.parametrize("workflow", ["images", "release"])
def test_every_image_is_built(workflow: str) -> None:
    jobs = parsed(ROOT / f".github/workflows/{workflow}.yml")["jobs"]
    (targets,) = [job["strategy"]["matrix"]["target"] for job in jobs.values() if "strategy" in job]
    (named,) = re.findall(r"^IMAGES \?= (.*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert targets == named.split()


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(each, id=each.name)
        for each in sorted((ROOT / ".ci").iterdir())
        if each.is_file() and not each.suffix
    ],
)
def test_a_script_is_one_that_bash_reads_and_stops_at_the_first_error(script: Path) -> None:
    assert script.stat().st_mode & 0o111
    assert "set -euo pipefail" in script.read_text()
    assert subprocess.run(["bash", "-n", script], capture_output=True, check=False).stderr == b""


def test_everything_that_is_pinned_is_kept_from_growing_old() -> None:
    updates = parsed(ROOT / ".github/dependabot.yml")["updates"]
    assert {each["package-ecosystem"] for each in updates} == {"docker", "github-actions", "pip", "uv"}
    assert all(each["schedule"]["interval"] == "weekly" for each in updates)
    assert all((ROOT / each["directory"].lstrip("/")).is_dir() for each in updates)
