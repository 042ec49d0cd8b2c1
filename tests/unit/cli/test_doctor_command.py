"""`gridcast doctor` from outside: what it prints, its exit code, and that a broken part does not hide the others."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gridcast.cli.app import app

GRIDCAST = Path(sys.executable).with_name("gridcast")
CHECKS = {
    "python",
    "packages",
    "settings",
    "extras",
    "processor",
    "time zones",
    "data folder",
    "clock",
    "readings",
    "sources",
    "store",
    "models",
    "backups",
    "secrets",
    "service",
    "brokers",
    "traces",
}


def asked(*options: str, code: int) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["doctor", *options, "--format", "json"], catch_exceptions=False)
    assert done.exit_code == code, done.stdout
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def of(found: dict[str, Any], check: str, state: str) -> list[str]:
    return [each["found"] for each in found["checks"] if (each["check"], each["state"]) == (check, state)]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for the settings, in the folder in which the command runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRIDCAST_APP__SERVICE__PORT", "0")
    (tmp_path / "config").mkdir()
    return tmp_path / "config"


def test_an_installation_that_has_just_been_made_has_warnings_and_no_failure(config: Path) -> None:
    found = asked(code=0)

    assert {each["check"] for each in found["checks"]} == CHECKS
    assert all(each.keys() == {"check", "state", "found", "what_to_do"} for each in found["checks"])
    assert found["failures"] == 0
    assert found["warnings"] >= 1
    assert list(config.parent.iterdir()) == [config], "nothing was made"


def test_each_file_of_the_settings_that_cannot_be_used_is_named_with_its_line(config: Path) -> None:
    (config / "model_config.yaml").write_text("training:\n  epoch: 3\n")
    (config / "pipeline_config.yaml").write_text("interval: [\n")

    found = asked(code=1)

    one, other = of(found, "settings", "failure")
    assert "config/model_config.yaml:2" in one
    assert "config/pipeline_config.yaml" in other
    assert of(found, "settings", "ok") == ["app: built-in defaults"]
    assert of(found, "sources", "warning") == ["not checked: it rests on pipeline_config.yaml"]
    assert of(found, "data folder", "ok")


def test_without_the_settings_of_the_app_what_rests_on_them_is_not_checked(config: Path) -> None:
    (config / "app_config.yaml").write_text("data_dirr: x\n")

    found = asked(code=1)

    assert "data_dirr" in of(found, "settings", "failure")[0]
    for check in ("data folder", "clock", "readings", "store", "models", "service", "traces"):
        assert of(found, check, "warning") == ["not checked: it rests on app_config.yaml"]
    assert of(found, "python", "ok")


def test_files_and_brokers_that_the_settings_name_are_looked_for(config: Path) -> None:
    (config / "pipeline_config.yaml").write_text(
        "sources:\n"
        "  scada: {kind: mqtt, host: 127.0.0.1, port: 1, topic: a, password_file: secret}\n"
        "  meters: {kind: files, readings: meters.csv}\n"
        "hierarchy: {file: tree.csv}\n"
    )

    found = asked(code=1)

    assert {text.partition(":")[0] for text in of(found, "sources", "failure")} == {
        "hierarchy.file",
        "sources.meters.readings",
    }
    assert "source scada: no broker can be reached" in of(found, "brokers", "failure")[0]
    assert of(found, "secrets", "failure") == ["secret is not there"]


def test_a_store_in_a_database_that_does_not_answer_is_named_without_its_password(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDCAST_STORE_URL", "postgresql://gridcast:s3cret@127.0.0.1:1/gridcast")

    found = asked(code=1)

    assert of(found, "store", "failure")
    assert "s3cret" not in json.dumps(found)


def test_half_of_it_broken_at_once_ends_with_code_1_and_no_traceback(config: Path) -> None:
    data = config.parent / "data"
    (data / "registry").mkdir(parents=True)
    (data / "gridcast.db").write_bytes(b"no database" * 999)
    (data / "registry" / "mlflow.db").write_bytes(b"no database" * 999)
    (data / "registry" / "catalogue.json").write_text("{")
    (data / "processed").mkdir()
    (data / "processed" / "manifest.json").write_text("[]")
    (config / "model_config.yaml").write_bytes(b"\xff\xfe")

    done = subprocess.run(
        [GRIDCAST, "doctor", "--backups", "nowhere"], cwd=config.parent, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "Traceback" not in done.stderr + done.stdout
    failed = {line.split("  ")[0] for line in done.stdout.splitlines() if " failure " in line}
    assert {"settings", "store", "models", "backups"} <= failed
