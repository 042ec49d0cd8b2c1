import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from gridcast import __version__
from gridcast.cli.app import app

GRIDCAST = Path(sys.executable).with_name("gridcast")
ALL = typer.main.get_command(app).commands  # type: ignore[attr-defined]
COMMANDS = {name: command for name, command in ALL.items() if not command.hidden}

HELP_THEN_LIST_MODULES = """
import sys
from gridcast.cli import main
sys.argv = ["gridcast", "--help"]
try:
    main()
except SystemExit:
    pass
print("loaded:", *sorted({name.partition(".")[0] for name in sys.modules}))
"""


def gridcast(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([GRIDCAST, *arguments], capture_output=True, text=True, check=False, cwd=cwd)


def test_help_loads_no_heavy_library(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELP_THEN_LIST_MODULES], capture_output=True, text=True, check=True, cwd=tmp_path
    )

    loaded = set(done.stdout.partition("loaded:")[2].split())
    assert "gridcast" in loaded
    heavy = {"tensorflow", "keras", "apache_beam", "mlflow", "optuna", "polars", "numpy", "sqlalchemy", "matplotlib"}
    assert not loaded & heavy


def test_help_names_every_command_and_the_exit_codes(tmp_path: Path) -> None:
    done = gridcast("--help", cwd=tmp_path)

    assert done.returncode == 0
    assert all(f"\n  {command} " in done.stdout for command in COMMANDS)
    assert "3 refused by a gate" in " ".join(done.stdout.split())


def leaves() -> Iterator[tuple[str, Any]]:
    """Every command by its words, those of groups one by one."""
    for name, command in COMMANDS.items():
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
        else:
            yield from ((f"{name} {word}", each) for word, each in inner.items())


@pytest.mark.parametrize(("words", "command"), [pytest.param(*each, id=each[0]) for each in leaves()])
def test_every_command_shows_an_example_and_takes_config_and_format(words: str, command: Any) -> None:
    assert f"gridcast {words}" in command.help.partition("Example")[2]
    options = {option for parameter in command.params for option in parameter.opts}
    without = {"serve": {"--format"}, "dashboards": {"--config"}, "deploy": {"--config"}, "deploy task": {"--format"}}
    lacking = without.get(words.partition(" ")[0], set()) | without.get(words, set())
    assert options >= {"--config", "--format"} - lacking


def test_the_version_is_the_packages(tmp_path: Path) -> None:
    assert gridcast("--version", cwd=tmp_path).stdout == f"gridcast {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("predict",), id="unknown command"),
        pytest.param(("status", "--fomat", "json"), id="misspelt option"),
        pytest.param(("status", "--format", "xml"), id="unknown format"),
    ],
)
def test_an_unusable_command_line_exits_with_2_and_writes_nothing(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = gridcast(*arguments, cwd=tmp_path)

    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
