"""What CI compares and refuses: licences, scores of a fresh model, benchmarks against those before."""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ON_RECORD = ROOT / "tests/fixtures/sample_scores.json"


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(ROOT / ".ci")
    yield
    for name in ("licences", "compare_scores", "benchmark_history"):
        sys.modules.pop(name, None)


def script(name: str) -> ModuleType:
    return import_module(name)


def listed() -> str:
    command = [Path(sys.executable).with_name("uv"), "export", "--frozen", "--no-dev", "--no-emit-project"]
    plain = ["--no-hashes", "--no-annotate", "--no-header", "--extra=api", "--extra=postgres", "--extra=telemetry"]
    return subprocess.run([*command, *plain], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_every_package_of_an_installation_has_a_licence_that_is_allowed_or_a_reason(tmp_path: Path) -> None:
    licences = script("licences")
    table = tmp_path / "build/licences.md"
    assert licences.main(table, listed().splitlines(), licences.Rules.read()) == 0
    rows = [line.split(" | ") for line in table.read_text().splitlines()[2:]]
    assert len(rows) > 80
    assert [row for row in rows if not row[2].strip()] == []
    reasons = {row[0].removeprefix("| ") for row in rows if row[3].removesuffix(" |").strip()}
    assert reasons == {"psycopg", "psycopg-binary"}


def test_without_a_reason_a_licence_that_is_not_allowed_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    licences = script("licences")
    rules = licences.Rules.read()
    strict = licences.Rules(rules.allowed, rules.names, rules.stated, reasons={})
    assert licences.main(tmp_path / "table", listed().splitlines(), strict) == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert all("LGPL-3.0-only; expected a licence that" in line for line in told)


def test_no_list_of_packages_is_no_list_without_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    licences = script("licences")
    assert licences.main(tmp_path / "table", [], licences.Rules.read()) == 1
    assert "no package was listed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("licence", "is_allowed"),
    [
        ("MIT", True),
        ("AGPL-3.0-only", False),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("MIT AND (Apache-2.0 OR GPL-2.0-only)", False),
        ("(MIT OR Apache-2.0) AND ISC", True),
        ("none told", False),
    ],
)
def test_an_expression_is_allowed_if_it_can_be_met_with_what_is_allowed(licence: str, *, is_allowed: bool) -> None:
    assert script("licences").Rules.read().allow(licence) is is_allowed


@pytest.mark.parametrize(
    ("told", "licence"),
    [
        ({"license_expression": "ISC", "classifier": ["License :: OSI Approved :: MIT License"]}, "ISC"),
        ({"classifier": ["License :: OSI Approved :: MIT License"], "license": "Copyright (c) me\nall of it"}, "MIT"),
        ({"license": "Apache 2.0"}, "Apache-2.0"),
        ({"license": "Do what you want"}, "Do what you want"),
        ({}, "none told"),
    ],
)  # fmt: skip
def test_a_licence_is_read_from_whatever_the_metadata_says(told: dict[str, Any], licence: str) -> None:
    assert script("licences").Rules.read().licence("some-package", told) == licence


def scores(**changed: float | str) -> dict[str, Any]:
    recorded = json.loads(ON_RECORD.read_text())
    return {**recorded["task"], **{name: each["recorded"] for name, each in recorded["scores"].items()}, **changed}


def test_the_scores_on_record_are_within_what_is_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    assert script("compare_scores").main(ON_RECORD, scores()) == 0
    assert "pinball_model                1.6500  on record 1.65" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        pytest.param({"pinball_model": 1.8}, "pinball_model: 1.8; expected at most 1.7", id="a larger loss"),
        pytest.param({"coverage_80": 0.7}, "coverage_80: 0.7; expected 0.76 to 0.84", id="bands too narrow"),
        pytest.param({"coverage_80": 0.9}, "coverage_80: 0.9; expected 0.76 to 0.84", id="bands too wide"),
        pytest.param({"pinball_naive": 6.6}, "pinball_naive: 6.6; expected 6.555 to 6.567", id="another yardstick"),
        pytest.param({"weather": "as_issued"}, "weather: as_issued; expected observed", id="another task"),
        pytest.param({"mape_system": float("nan")}, "mape_system: nan; expected at most", id="no score"),
    ],
)
def test_worse_or_incomparable_scores_are_refused(
    changed: dict[str, Any], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert script("compare_scores").main(ON_RECORD, scores(**changed)) == 1
    assert capsys.readouterr().err.startswith(told)


def run(ratio: float | None, *, ok: bool = True, target: float = 1.0, name: str = "api") -> dict[str, Any]:
    return {"name": name, "ratio": ratio, "target": target, "ok": ok}


@pytest.mark.parametrize(
    ("before", "now", "is_worse"),
    [
        pytest.param([1.5, 1.5, 1.5], run(1.2), True, id="higher is better and it fell"),
        pytest.param([1.5, 1.5, 1.5], run(1.4), False, id="it fell a little"),
        pytest.param([1.5, 1.5, 1.5], run(3.0), False, id="it rose"),
        pytest.param([0.5, 0.5, 0.5], run(0.7), True, id="lower is better and it rose"),
        pytest.param([0.5, 0.5, 0.5], run(0.2), False, id="it fell where lower is better"),
        pytest.param([1.5, 1.5], run(1.1), False, id="too few to tell"),
        pytest.param([], run(0.9, ok=False), True, id="misses its target"),
        pytest.param([], run(None), False, id="skipped"),
    ],
)
def test_a_benchmark_is_judged_by_its_target_and_its_own_past(
    before: list[float], now: dict[str, Any], *, is_worse: bool
) -> None:
    judgement = script("benchmark_history").judgement(now, [run(each) for each in before])
    assert (judgement is not None) is is_worse


def test_runs_are_added_to_the_history_whatever_else_was_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history = tmp_path / "benchmarks.jsonl"
    printed = ["== api", '{"progress": 1}', json.dumps(run(1.5)), "== store", json.dumps(run(2.0, name="store"))]
    main = script("benchmark_history").main
    for _ in range(3):
        assert main(history, "abc", printed) == 0
    assert main(history, "def", [json.dumps(run(1.1)), json.dumps(run(2.0, name="store"))]) == 1
    assert capsys.readouterr().err == "api: ratio 1.1, 36% worse than the median 1.5 of 3 runs before\n"
    kept = [json.loads(line) for line in history.read_text().splitlines()]
    assert [(each["name"], each["commit"]) for each in kept] == [("api", "abc"), ("store", "abc")] * 3 + [
        ("api", "def"),
        ("store", "def"),
    ]
    assert main(history, "def", ["make: nothing came of it"]) == 1


def test_the_nightly_history_is_a_branch_that_grows(tmp_path: Path) -> None:
    steps = yaml.safe_load((ROOT / ".github/workflows/nightly.yml").read_text())["jobs"]["benchmarks"]["steps"]
    (step,) = [each["run"] for each in steps if "git worktree" in each.get("run", "")]
    origin = tmp_path / "origin"
    git(tmp_path, "init", "--quiet", "--bare", str(origin))
    git(tmp_path, "clone", "--quiet", str(origin), str(tmp_path / "first"))
    make_commit(tmp_path / "first")
    for night in range(2):
        clone = tmp_path / f"night_{night}"
        git(tmp_path, "clone", "--quiet", str(origin), str(clone))
        (clone / ".ci").symlink_to(ROOT / ".ci")
        (clone / ".venv").symlink_to(Path(sys.prefix))
        (clone / "benchmarks.log").write_text(json.dumps(run(1.5)) + "\n")
        done = subprocess.run(
            ["bash", "-e", "-c", step], cwd=clone, env={"PATH": "/usr/bin:/bin", "GITHUB_SHA": f"commit{night}"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    kept = git(origin, "show", "benchmarks:benchmarks.jsonl").splitlines()
    assert [json.loads(line)["commit"] for line in kept] == ["commit0", "commit1"]
    assert git(origin, "ls-tree", "--name-only", "benchmarks").split() == ["benchmarks.jsonl"]


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


def make_commit(clone: Path) -> None:
    (clone / "README").write_text("a project\n")
    git(clone, "add", "README")
    git(clone, "-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "--quiet", "--message=first")
    git(clone, "push", "--quiet", "origin", "HEAD")
