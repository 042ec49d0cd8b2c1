"""`gridcast key` and `gridcast audit` as they are typed."""

import contextlib
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from gridcast.cli import main
from gridcast.store import keys


class Terminal:
    """Commands typed in a folder, in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def type(self, *words: str, code: int = 0) -> str:
        """What a call of gridcast that ends with `code` prints."""
        self._monkeypatch.setattr(sys, "argv", ["gridcast", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        output, errors = self._capsys.readouterr()
        assert (ended.value.code or 0) == code, f"{words} gave {ended.value.code}\n{output}\n{errors}"
        return output + errors

    def json(self, *words: str) -> dict[str, Any]:
        result: dict[str, Any] = json.loads(self.type(*words, "--format", "json"))
        return result


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    monkeypatch.chdir(tmp_path)
    return Terminal(monkeypatch, capsys)


def create(terminal: Terminal, *more: str) -> dict[str, Any]:
    return terminal.json("key", "create", "--role", "operator", "--name", "control room", *more)


def test_a_key_is_shown_once_and_then_only_listed(terminal: Terminal) -> None:
    made = create(terminal, "--expires-in", "P365D")
    assert made["key"].startswith(keys.PREFIX)
    assert (made["name"], made["role"]) == ("control room", "operator")
    listed = terminal.type("key", "list", "--format", "json")
    assert made["key"] not in listed
    (kept,) = json.loads(listed)["keys"]
    assert (kept["key_id"], kept["active"], kept["expires_at"]) == (made["key_id"], True, made["expires_at"])


def test_the_table_shows_the_whole_key_on_one_line(terminal: Terminal) -> None:
    printed = terminal.type("key", "create", "--role", "viewer", "--name", "wall screen")
    assert any(len(word) == len(keys.PREFIX) + 43 for word in printed.split())
    assert "is not shown again" in printed


def test_a_revoked_key_is_no_longer_active(terminal: Terminal) -> None:
    made = create(terminal)
    assert "revoked key" in terminal.type("key", "revoke", made["key_id"])
    assert "1 keys, 0 of them active" in terminal.type("key", "list")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        pytest.param(("key", "revoke", "nobody"), "gridcast key list", id="unknown key"),
        pytest.param(("key", "create", "--role", "root", "--name", "x"), "root", id="unknown role"),
        pytest.param(("key", "create", "--role", "viewer", "--name", " "), "printable characters", id="no name"),
        pytest.param(
            ("key", "create", "--role", "viewer", "--name", "x", "--expires-in", "soon"),
            "not a duration",
            id="no duration",
        ),
        pytest.param(("audit", "verify", "--head", "17"), "is no head", id="no head"),
    ],
)
def test_what_cannot_be_meant_is_refused(words: tuple[str, ...], reason: str, terminal: Terminal) -> None:
    assert reason in terminal.type(*words, code=2)


def test_the_audit_log_shows_who_made_which_key(terminal: Terminal) -> None:
    made = create(terminal)
    terminal.type("key", "revoke", made["key_id"])
    rows = terminal.json("audit", "list")["rows"]
    assert [(row["action"], row["role"], row["target"]) for row in rows] == [
        ("key.revoke", "local", made["key_id"]),
        ("key.create", "local", made["key_id"]),
    ]
    assert "key.create" in terminal.type("audit", "list")
    assert "key.create" not in terminal.type("audit", "list", "--newest", "1")


@pytest.mark.parametrize("name", ["[bold]x[/bold]", "[/x]", "[link=https://evil.example]x[/link]", "x' OR 1=1; --"])
def test_a_name_is_shown_as_it_is_and_means_nothing_to_the_terminal(name: str, terminal: Terminal) -> None:
    assert name in terminal.type("key", "create", "--role", "viewer", "--name", name)
    assert name in terminal.type("key", "list")


def test_a_service_that_would_let_nobody_in_does_not_start(terminal: Terminal) -> None:
    assert "gridcast key create --role admin" in terminal.type("serve", "--port", "0", code=2)


def test_a_whole_log_is_verified_with_a_head_that_can_be_asked_for_later(terminal: Terminal) -> None:
    create(terminal)
    head = terminal.json("audit", "verify")["head"]
    create(terminal)
    assert "all 2 rows hold together" in terminal.type("audit", "verify", "--head", head)


def test_verifying_a_log_that_was_tampered_with_names_the_row_and_ends_with_1(
    terminal: Terminal, tmp_path: Path
) -> None:
    for _ in range(3):
        create(terminal)
    head = terminal.json("audit", "verify")["head"]
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "gridcast.db", isolation_level=None)) as database:
        database.execute("DROP TRIGGER audit_log_keeps_rows")
        database.execute("DROP TRIGGER audit_log_keeps_values")
        database.execute("DELETE FROM audit_log WHERE audit_id = 3")
        assert "row 3: missing" in terminal.type("audit", "verify", "--head", head, code=1)
        database.execute("UPDATE audit_log SET actor = 'nobody' WHERE audit_id = 2")
        assert "row 2: was changed" in terminal.type("audit", "verify", code=1)
