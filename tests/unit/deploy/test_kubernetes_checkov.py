"""checkov, the scanner that platform teams use, finds nothing in the manifests."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from support.services import without

ROOT = Path(__file__).parents[3]
CHECKOV = "checkov==3.3.8"
NOT_ASKED_FOR = {"CKV_K8S_43": "digests of images are known when they are built: docs/deployment.md"}
_SECONDS = 600


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """A command in checkov's own environment, which uv makes and keeps."""
    uvx = shutil.which("uvx", path=str(Path(sys.executable).parent)) or shutil.which("uvx")
    if uvx is None:
        without("uv not installed")
    return subprocess.run(
        [uvx, "--quiet", "--python", sys.executable, "--from", CHECKOV, *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )


def failed(*files: Path) -> dict[Path, set[str]]:
    """What is found in each of some files, by one run: most of its time is its start."""
    made = run("python", "-c", "")
    if made.returncode:
        without(f"{CHECKOV} cannot be fetched: {made.stderr[-300:]}")
    named = [word for file in files for word in ("--file", str(file))]
    options = ("--quiet", "--compact", "--framework", "kubernetes", "--skip-download", "--output", "json")
    report = json.loads(run("checkov", *options, *named).stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 10
    found: dict[Path, set[str]] = {file: set() for file in files}
    for each in report["results"]["failed_checks"]:
        found[Path(each["file_abs_path"])].add(each["check_id"])
    return found


def test_nothing_is_found_in_what_is_applied_but_where_something_is_wrong(tmp_path: Path) -> None:
    rendered = sorted((ROOT / "kubernetes/rendered").glob("*.yaml"))
    assert len(rendered) == 3
    wrong = tmp_path / "wrong.yaml"
    text = (ROOT / "kubernetes/rendered/dev.yaml").read_text()
    wrong.write_text(text.replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"))

    found = failed(*rendered, wrong)

    assert set().union(*(found[file] for file in rendered)) == set(NOT_ASKED_FOR)
    assert found[wrong] == {*NOT_ASKED_FOR, "CKV_K8S_22"}
