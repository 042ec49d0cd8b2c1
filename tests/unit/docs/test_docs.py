"""What README and docs tell people to type, open and set is really there."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest
import typer.main
from apache_beam.options.pipeline_options import PipelineOptions
from pydantic import BaseModel

from gridcast.cli.app import app
from gridcast.settings.app import AppSettings
from gridcast.settings.model import ModelSettings
from gridcast.settings.pipeline import PipelineSettings

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("models/**/*.md"),
        ROOT / "src/gridcast/ingestion/gefcom2012/README.md",
    ],
    key=str,
)
SETTINGS = {"APP": AppSettings, "MODEL": ModelSettings, "PIPELINE": PipelineSettings}

each_page = pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES])


def options_of_commands() -> dict[str, set[str]]:
    """Every command of the real command line with its long options; commands of a group as "group command"."""
    group: Any = typer.main.get_command(app)
    found = {}
    for name, command in group.commands.items():
        inner = {f"{name} {each}": leaf for each, leaf in getattr(command, "commands", {}).items()}
        for words, leaf in (inner or {name: command}).items():
            found[words] = {option for parameter in leaf.params for option in parameter.opts} | {"--help"}
    return found


def fenced(text: str, *languages: str) -> Iterator[str]:
    """The contents of fenced blocks in one of the languages."""
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
        if language in languages:
            yield block


def typed(text: str, program: str) -> Iterator[list[str]]:
    """The words behind each call of a program, in shell blocks and in inline code."""
    shell = "\n".join(fenced(text, "bash", "crontab")).replace("\\\n", " ")
    inline = "\n".join(
        re.findall(r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    )
    call = rf"(?:^|[\s;&|('])(?:[\w./]*/)?{program}((?:[ ]+[^\s;&|#']+)*)"
    for found in re.findall(call, f"{shell}\n{inline}", flags=re.MULTILINE):
        yield found.split()


def parted(words: list[str], names: set[str]) -> list[list[str]]:
    """A call, or of one that `deploy task` passes on: what is for that, and the command that is run in the cluster."""
    inner = next((place for place, word in enumerate(words) if place > 1 and word in names), None)
    if words[:2] != ["deploy", "task"] or inner is None:
        return [words]
    return [words[:inner], words[inner:]]


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings make."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def accepts(section: Any, keys: list[str]) -> bool:
    """Whether a settings class has a key below a path."""
    if not keys:
        return True
    section = get_args(section)[0] if get_origin(section) is Annotated else section
    if get_origin(section) is dict:
        return accepts(get_args(section)[1], keys[1:])
    if isinstance(section, UnionType):
        return any(accepts(each, keys) for each in get_args(section))
    is_section = isinstance(section, type) and (issubclass(section, BaseModel) or is_dataclass(section))
    types = get_type_hints(section, include_extras=True) if is_section else {}
    return keys[0] in types and accepts(types[keys[0]], keys[1:])


def literals(path: Path) -> Iterator[str]:
    """Every text in a module, "…" where a value goes."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def beam_options() -> set[str]:
    """What Beam and its runners take on a command line."""
    return {f"--{name}" for name in PipelineOptions([]).get_all_options()}


@each_page
def test_every_gridcast_command_and_option_shown_exists(page: Path) -> None:
    commands = options_of_commands()
    for call in filter(None, typed(page.read_text(), "gridcast")):
        names = {name.split()[0] for name in commands}
        for words in parted(call, names):
            both = " ".join(words[:2])
            first, rest = (both, words[2:]) if both in commands else (words[0], words[1:])
            is_named_only = not rest and first in names
            assert first in commands or is_named_only or first in {"--help", "--version"}, f"gridcast {first}"
            known = commands.get(first, set()) | (beam_options() if "--runner" in rest else set())
            for word in rest:
                if word.startswith("--"):
                    assert word.split("=")[0] in known, f"gridcast {first} {word}"


@each_page
def test_every_make_target_shown_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert {word for words in typed(page.read_text(), "make") for word in words} <= targets


@each_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        aim = (page.parent / path).resolve() if path else page
        assert aim.exists(), target
        assert not anchor or anchor in anchors(aim), target


@each_page
def test_every_setting_named_as_an_environment_variable_exists(page: Path) -> None:
    for name, path in re.findall(r"GRIDCAST_(APP|MODEL|PIPELINE)__(\w+)", page.read_text()):
        assert accepts(SETTINGS[name], path.lower().split("__")), f"GRIDCAST_{name}__{path}"


def test_every_message_explained_in_the_user_guide_is_one_that_gridcast_says() -> None:
    said = "\n".join(message for path in (ROOT / "src").rglob("*.py") for message in literals(path))
    rows = (ROOT / "docs/user_guide.md").read_text().split("## When something is refused")[1]
    messages = re.findall(r"^\| `(.+?)` \|", rows, flags=re.MULTILINE)
    assert len(messages) > 10
    assert not [message for message in messages if message not in said]


def test_every_reason_for_a_degraded_forecast_in_the_user_guide_is_one_that_gridcast_gives() -> None:
    said = set(literals(ROOT / "src/gridcast/workflows/forecasts/issue_forecast.py"))
    guide = (ROOT / "docs/user_guide.md").read_text().split("## Forecasts without everything")[1].split("\n## ")[0]
    reasons = set(re.findall(r"\| `([^`]+)` \|$", guide, flags=re.MULTILINE)) - {"degraded_because"}
    assert len(reasons) > 3
    assert {re.sub(r"\d+", "…", reason) for reason in reasons} <= said


def test_every_path_in_the_layout_table_exists() -> None:
    section = (ROOT / "README.md").read_text().split("## Where things are")[1].split("\n## ")[0]
    cells = [line.split(" | ")[1] for line in section.splitlines() if line.startswith("| `")]
    paths = {path for cell in cells for path in re.findall(r"`([\w./]+)`", cell)}
    assert len(paths) > 10
    assert not [path for path in paths if not (ROOT / path).exists()]


@pytest.mark.parametrize(("script", "command"), [("data_ingestion.py", "ingest"), ("train_model.py", "train")])
def test_a_script_is_short_and_passes_its_options_to_its_command(script: str, command: str) -> None:
    path = ROOT / "scripts" / script
    assert len(path.read_text().splitlines()) <= 15
    done = subprocess.run([sys.executable, path, "--help"], capture_output=True, text=True, check=True)
    assert f"{script} {command} [OPTIONS]" in done.stdout
