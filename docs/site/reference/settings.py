"""docs/reference/settings.md: every key of the three configuration files with its default and environment variable."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CONFIG = Path(__file__).parents[3] / "config"
_FILES = {
    "app": "Where things are kept, how the service listens.",
    "model": "What is forecast, how the network learns, what is good enough.",
    "pipeline": "How readings come in, are cleaned and are summed up.",
}
_KEY = re.compile(r"^(?P<indent> *)(?P<key>[a-z_]+):(?: (?P<value>.+))?$")

_HEAD = """# Settings

Made from `config/*.yaml` by `python docs/site/write_references.py`. What is left out of a file keeps its default. An
environment variable overrules the file; its value is YAML. `gridcast doctor` says whether the settings in force can be
used. The keys of each kind of source: `gridcast sources files` and so on.
"""


class Key(NamedTuple):
    """One key: its place, default as YAML, and what it is for."""

    path: tuple[str, ...]
    default: str
    meaning: str


def page() -> str:
    """The whole page."""
    told = [_HEAD]
    for name, about in _FILES.items():
        told += [f"## {name}_config.yaml", "", about, ""]
        told += ["| key | default | environment variable | meaning |", "|---|---|---|---|"]
        for key in keys((CONFIG / f"{name}_config.yaml").read_text(encoding="utf-8")):
            variable = f"GRIDCAST_{name.upper()}__{'__'.join(key.path).upper()}"
            told.append(f"| `{'.'.join(key.path)}` | `{key.default}` | `{variable}` | {key.meaning} |")
        told.append("")
    return "\n".join(told)


def keys(text: str) -> Iterator[Key]:
    """The keys of a commented YAML file that have a value; a comment counts for all keys up to the next one."""
    path: list[str] = []
    comment: list[str] = []
    is_open = False
    for line in text.splitlines():
        found = _KEY.match(line)
        if line.lstrip().startswith("#"):
            comment = [*(comment if is_open else []), line.lstrip().removeprefix("#").strip()]
            is_open = True
        elif found:
            is_open = False
            path = [*path[: len(found["indent"]) // 2], found["key"]]
            if found["value"] is None:
                comment = []
            else:
                yield Key(tuple(path), found["value"], " ".join(comment))
                comment = ["see above"] if comment else []
        elif not line.strip():
            comment, is_open = [], False
