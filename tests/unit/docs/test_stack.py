"""The compose file: pinned, hardened, without a password in it, in words that gridcast and PostgreSQL understand."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from support.postgres import PASSWORD, USER, running_postgres
from support.services import require_programs

from gridcast.cli.app import app
from gridcast.settings.app import AppSettings
from gridcast.store.schema import METADATA
from gridcast.store.store import Store

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "compose.yaml").read_text()
STACK: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = STACK["services"]
PAGE = (ROOT / "docs/dashboards.md").read_text()
ONCE = {name for name, each in SERVICES.items() if each.get("restart") == "no"}

each_service = pytest.mark.parametrize("name", sorted(SERVICES))


@each_service
def test_a_service_is_pinned_restarts_or_ends_and_says_when_it_is_well(name: str) -> None:
    service = SERVICES[name]
    image, _, tag = service["image"].rpartition(":")
    assert image
    assert re.search(r"\d+\.\d+", tag), "a version, not a moving name"
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert ("healthcheck" in service) == (name not in ONCE)
    assert name in ONCE or service["restart"] == "unless-stopped"


@each_service
def test_a_service_waits_for_what_it_needs_and_listens_on_this_machine_only(name: str) -> None:
    for other, needs in SERVICES[name].get("depends_on", {}).items():
        ends = "service_completed_successfully" if other in ONCE else "service_healthy"
        assert needs["condition"] == ends
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


def test_every_password_comes_from_a_variable_that_the_page_writes_and_none_has_a_default() -> None:
    asked = dict(re.findall(r"\$\{(\w+)(.*?)\}", TEXT))
    assert all(rest.startswith(":?") for rest in asked.values())
    (names,) = re.findall(r"^for name in ([A-Z_ ]+);", PAGE, flags=re.MULTILINE)
    assert set(asked) == set(names.split())
    for service in SERVICES.values():
        for key, value in service.get("environment", {}).items():
            assert "PASSWORD" not in key or re.fullmatch(r"\$\{\w+:\?[^}]*\}", value), key


def test_the_page_writes_random_passwords_into_a_file_that_is_not_committed(tmp_path: Path) -> None:
    require_programs("openssl")
    (block,) = (
        each for each in re.findall(r"^```bash\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE) if ".env" in each
    )
    lines = [line for line in block.splitlines() if not line.startswith("docker ")]
    subprocess.run(["bash", "-ec", "\n".join(lines)], cwd=tmp_path, check=True)
    values = [line.split("=")[1] for line in (tmp_path / ".env").read_text().splitlines()]
    assert len(set(values)) == 3
    assert all(re.fullmatch("[0-9a-f]{48}", value) for value in values)
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_commands_and_settings_of_the_stack_are_those_of_gridcast(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: Any = typer.main.get_command(app)
    shown = [word for each in SERVICES.values() for word in [each.get("command", [])] if word[:1] == ["gridcast"]]
    for words in [*shown, shlex.split("gridcast key create --name prometheus --role viewer --format json")]:
        found = commands.commands[words[1]]
        found = found.commands[words[2]] if hasattr(found, "commands") else found
        known = {option for parameter in found.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known
    settings = AppSettings.model_validate({"service": {"host": "0.0.0.0", "behind_tls_proxy": True}})  # noqa: S104
    assert settings.service.is_encrypted
    environment = SERVICES["api"]["environment"]
    assert environment["GRIDCAST_APP__SERVICE__HOST"] == settings.service.host
    assert yaml.safe_load(environment["GRIDCAST_APP__SERVICE__BEHIND_TLS_PROXY"]) is True


def test_grafana_is_given_every_variable_that_its_files_ask_for() -> None:
    asked = {
        name
        for path in (ROOT / "dashboards/provisioning").rglob("*.yaml")
        for name in re.findall(r"\$(\w+)", path.read_text())
    }
    assert asked <= SERVICES["grafana"]["environment"].keys()


def test_what_goes_into_the_image_is_there() -> None:
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert [name for name in kept if not (ROOT / name).exists()] == []
    assert {"src", "pyproject.toml", "uv.lock", "README.md"} <= set(kept)


def test_the_reader_of_the_store_may_read_what_the_page_says_and_nothing_else() -> None:
    sql = STACK["configs"]["reader"]["content"]
    (granted,) = re.findall(r"GRANT SELECT ON (.*) TO grafana;", sql)
    assert re.findall(r"GRANT SELECT ON (.*) TO grafana;", PAGE) == [granted]
    assert set(granted.split(", ")) <= METADATA.tables.keys()
    with running_postgres() as server:
        psql = server.programs / "psql"
        if not psql.exists():
            (found,) = require_programs("psql")
            psql = Path(found)
        url = server.new_database()
        Store.open(url).close()
        for _ in range(2):
            done = subprocess.run(
                [psql, url, *SERVICES["reader"]["command"][1:-2], "--file=-"],
                input=sql,
                env={"READER_PASSWORD": PASSWORD},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        reader = url.replace(f"//{USER}:", "//grafana:")
        for table, code in (("forecasts", 0), ("api_keys", 1), ("audit_log", 1)):
            asked = [psql, reader, "--no-psqlrc", "--command", f"TABLE {table}"]
            assert subprocess.run(asked, capture_output=True, check=False).returncode == code, table
