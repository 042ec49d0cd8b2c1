"""The security page says what the code does: its roles, its settings, its commands and its SQL."""

import contextlib
import json
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from support.postgres import PASSWORD, Server, running_postgres

from gridcast.app.guard.access import ACCESS
from gridcast.cli import main
from gridcast.settings.app import AppSettings
from gridcast.store import audit
from gridcast.store.errors import StoreError
from gridcast.store.store import Store

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/security.md").read_text()
ENTRY = audit.Entry(at=datetime(2026, 1, 1, tzinfo=UTC), actor="a", role="admin", action="x", target="y")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)


def test_the_table_of_roles_is_the_access_table() -> None:
    section = PAGE.split("## Roles")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+) (\S+)` \| (\w+) \|$", section, flags=re.MULTILINE)
    assert {(method, path): need for method, path, need in rows} == {key: str(need) for key, need in ACCESS.items()}
    assert len(rows) == len(ACCESS)


@pytest.mark.parametrize("text", blocks("yaml"))
def test_the_settings_shown_can_be_read(text: str) -> None:
    AppSettings.model_validate(yaml.safe_load(text))


def test_the_limits_named_are_settings() -> None:
    names = set(re.findall(r"`service\.limits\.(\w+)`", PAGE))
    assert names == set(type(AppSettings().service.limits).model_fields)


def test_the_commands_on_keys_and_the_audit_log_run_as_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    def typed(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["gridcast", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        output = capsys.readouterr()
        assert not ended.value.code, (words, output.err)
        return output.out

    lines = [
        line for block in blocks("bash") for line in block.splitlines() if re.match(r"gridcast (key|audit) ", line)
    ]
    assert len(lines) > 5
    for line in lines:
        words = shlex.split(line)[1:]
        if "KEY_ID" in words:
            words[words.index("KEY_ID")] = json.loads(typed("key", "list", "--format", "json"))["keys"][0]["key_id"]
        if "HEAD" in words:
            words[words.index("HEAD")] = json.loads(typed("audit", "verify", "--format", "json"))["head"]
        assert typed(*words)


def test_every_dependency_has_an_exact_version_and_hashes_and_comes_from_one_place() -> None:
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    others = [each for each in packages if each["name"] != "gridcast"]
    assert len(others) > 100
    assert {each["source"].get("registry") for each in others} == {"https://pypi.org/simple"}
    files = [
        file for each in others for file in [*each.get("wheels", []), *([each["sdist"]] if "sdist" in each else [])]
    ]
    assert all(re.fullmatch("sha256:[0-9a-f]{64}", file["hash"]) for file in files)


@pytest.fixture
def server() -> Iterator[Server]:
    with running_postgres() as found:
        yield found


def test_with_the_sql_shown_the_service_adds_to_the_log_and_cannot_switch_its_protection_off(server: Server) -> None:
    (statements,) = blocks("sql")
    server.execute(f"CREATE ROLE operations LOGIN PASSWORD '{PASSWORD}'")
    server.execute("CREATE DATABASE store")
    server.execute("GRANT CREATE ON SCHEMA public TO operations", database="store")
    url = server.url("store").replace("//gridcast:", "//operations:")
    with contextlib.closing(Store.open(url)) as store:
        audit.append(store, ENTRY)
        for statement in filter(str.strip, statements.split(";")):
            server.execute(re.sub(r"\bgridcast\b", "operations", statement), database="store")
        audit.append(store, ENTRY)
        assert audit.verify(store)[::2] == (2, None)
        for refused in (
            "DELETE FROM audit_log",
            "UPDATE audit_log SET actor = 'b'",
            "DROP TRIGGER audit_log_keeps_rows ON audit_log",
            "ALTER TABLE audit_log DISABLE TRIGGER ALL",
            "CREATE OR REPLACE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN END $$",
            "DROP TABLE audit_log",
            "SET session_replication_role = replica",
        ):
            with pytest.raises(StoreError, match=r"permission denied|must be owner"), store.transaction() as connection:
                connection.exec_driver_sql(refused)
    with contextlib.closing(Store.open(url)) as store:
        assert audit.verify(store)[::2] == (2, None)
