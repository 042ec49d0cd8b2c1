"""The commands of a documentation page, typed one block after the other into one shell.

A page's ```bash blocks are run in order; `text` blocks are not. A comment in the line before a block says more:
`<!-- once -->`: what it makes is shared by all pages, so it is run before the first of them;
`<!-- background, until "TEXT" -->`: it is started, the next block waits until it has said TEXT, and it is ended, by
SIGTERM and with exit code 0, after the last one.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_BLOCK = re.compile(r"^(?:<!-- (?P<rule>.+?) -->\n)?```bash\n(?P<commands>.*?)^```", flags=re.DOTALL | re.MULTILINE)
_BACKGROUND = re.compile(r'background, until "(?P<text>.+)"')
_PORT = "127.0.0.1:8080"
"""Where pages say that the service is."""


@dataclass(frozen=True, slots=True)
class Block:
    """Commands that are typed together."""

    commands: str
    is_shared: bool
    until: str | None
    """What it says once others may go on, if it runs in the background."""


@dataclass(frozen=True, slots=True)
class Walk:
    """A page: what its front matter asks of a test, and its blocks."""

    name: str
    test: Mapping[str, Any]
    blocks: tuple[Block, ...]

    @property
    def shared(self) -> tuple[Block, ...]:
        """The blocks whose result all pages share."""
        return tuple(each for each in self.blocks if each.is_shared)


def read_walk(page: Path) -> Walk:
    """The walk that a page describes; a rule before a block that nobody knows is an error."""
    text = page.read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    return Walk(page.stem, yaml.safe_load(front)["test"], tuple(_blocks(body)))


def _blocks(body: str) -> Iterator[Block]:
    for found in _BLOCK.finditer(body):
        rule = found["rule"] or ""
        background = _BACKGROUND.fullmatch(rule)
        if rule not in {"", "once"} and background is None:
            raise AssertionError(f'{rule!r} before a block; expected once, or background, until "…"')
        yield Block(found["commands"], rule == "once", background["text"] if background else None)


def take(blocks: tuple[Block, ...], *, folder: Path, environment: Mapping[str, str], port: int) -> str:
    """Type the blocks in a folder; what they printed. The first command that fails ends the walk and the test."""
    around = {**environment, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    transcript = folder / "transcript.log"
    with ExitStack() as running, transcript.open("w+", encoding="utf-8") as output:
        shell = running.enter_context(_shell(folder, around, output))
        for number, block in enumerate(blocks):
            commands = block.commands.replace(_PORT, f"127.0.0.1:{port}")
            if block.until is not None:
                running.enter_context(_background(commands, block.until, folder=folder, environment=around))
            else:
                _type(shell, commands, number=number, transcript=transcript)
    return transcript.read_text(encoding="utf-8")


@contextmanager
def _shell(folder: Path, environment: Mapping[str, str], output: Any) -> Iterator["subprocess.Popen[str]"]:
    command = ["bash", "-euo", "pipefail"]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def _type(shell: "subprocess.Popen[str]", commands: str, *, number: int, transcript: Path) -> None:
    """Type one block and wait for its end; what it says goes to the transcript."""
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdin.write(f"{{\n{commands}\n}} 1>&2 </dev/null\necho done {number}\n")
    shell.stdin.flush()
    answer = shell.stdout.readline()
    assert answer == f"done {number}\n", f"{commands}\nfailed:\n{transcript.read_text(encoding='utf-8')[-4000:]}"


@contextmanager
def _background(commands: str, until: str, *, folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    with subprocess.Popen(
        ["bash", "-c", f"exec {commands.strip()}"],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if until in line:
                break
        else:
            raise AssertionError(f"{commands} ended before it said {until!r}: {''.join(said)}")
        rest = threading.Thread(target=process.stderr.read)
        rest.start()
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=60)
            rest.join()
        assert code == 0, f"{commands} ended with {code}"


def copy_into(prepared: Path, folder: Path) -> None:
    """What the shared blocks left behind, in a folder of its own."""
    shutil.copytree(prepared, folder, dirs_exist_ok=True)
