"""checkov, the scanner that platform teams use, finds nothing in the manifests."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.services import without

ROOT = Path(__file__).parents[3]
CHECKOV = "checkov==3.3.8"
NOT_ASKED_FOR = {"CKV_K8S_43": "digests of images are known when they are built: docs/deployment.md"}
_SECONDS = 600


def checkov(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A run in an environment of its own, which uv makes and keeps."""
    uvx = shutil.which("uvx", path=str(Path(sys.executable).parent)) or shutil.which("uvx")
    if uvx is None:
        without("uv not installed")
    return subprocess.run(
        [uvx, "--quiet", "--python", sys.executable, "--from", CHECKOV, "checkov", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )


@pytest.fixture(scope="module")
def program() -> None:
    done = checkov("--version")
    if done.returncode:
        without(f"{CHECKOV} cannot be fetched: {done.stderr[-300:]}")


def failed(*files: Path) -> set[str]:
    named = [word for file in files for word in ("--file", str(file))]
    done = checkov("--quiet", "--compact", "--framework", "kubernetes", "--skip-download", "--output", "json", *named)
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 10
    return {each["check_id"] for each in report["results"]["failed_checks"]}


@pytest.mark.usefixtures("program")
def test_nothing_is_found_in_what_is_applied() -> None:
    files = sorted((ROOT / "kubernetes/rendered").glob("*.yaml"))
    assert len(files) == 3
    assert failed(*files) == set(NOT_ASKED_FOR)


@pytest.mark.usefixtures("program")
def test_what_is_found_is_not_nothing_where_something_is_wrong(tmp_path: Path) -> None:
    text = (ROOT / "kubernetes/rendered/dev.yaml").read_text()
    file = tmp_path / "dev.yaml"
    file.write_text(text.replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"))
    assert failed(file) == {*NOT_ASKED_FOR, "CKV_K8S_22"}
