"""docs/reference/cli.md: every command, its options and examples, as `--help` has them."""

import enum
from collections.abc import Iterator
from typing import Any

import typer.main

from gridcast.cli.app import app

_HEAD = """# Commands

Made from the command line itself by `python docs/site/write_references.py`; `--help` of each command prints the same.
What the JSON of each command holds: [API reference](../api_reference.md#commands). Exit codes:
[user guide](../user_guide.md#exit-codes).
"""


def page() -> str:
    """The whole page."""
    found = dict(leaves(typer.main.get_command(app)))
    rows = [
        f"| [{name}](#gridcast-{name.replace(' ', '-')}) | {_first_line(each.help)} |" for name, each in found.items()
    ]
    table = "\n".join(["| command | what it does |", "|---|---|", *rows])
    return "\n".join([_HEAD, table, *(_section(name, each) for name, each in found.items())]) + "\n"


def leaves(group: Any, *words: str) -> Iterator[tuple[str, Any]]:
    """Every command that is shown to people, by its words, those of groups one by one."""
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from leaves(command, *words, name)
        else:
            yield " ".join((*words, name)), command


def _section(name: str, command: Any) -> str:
    told = [f"\n## gridcast {name}\n"]
    for part in filter(None, (command.help or "").split("\n\n")):
        if not part.startswith("\b"):
            told.append(f"{' '.join(part.split())}\n")
            continue
        title, *lines = part.removeprefix("\b\n").splitlines()
        block = "\n".join(line.strip() for line in lines)
        told.append(f"```bash\n{block}\n```\n" if title.startswith("Example") else f"```text\n{title}\n{block}\n```\n")
    told.append("| argument, option | value | default | meaning |\n|---|---|---|---|")
    told += [_row(each) for each in command.params if not each.hidden]
    return "\n".join(told)


def _row(parameter: Any) -> str:
    is_option = parameter.opts[0].startswith("-")
    names = ", ".join(f"`{each}`" for each in (*parameter.opts, *parameter.secondary_opts))
    meaning = " ".join((parameter.help or "").split())
    default = parameter.default
    if "[default:" in meaning:
        meaning, _, default = meaning.removesuffix("]").partition(" [default: ")
    elif isinstance(default, enum.Enum):
        default = f"`{default.value}`"
    elif default in (None, False, ()) or callable(default):
        default = "needed" if parameter.required else ""
    else:
        default = f"`{default}`"
    several = " (may be repeated)" if parameter.multiple or parameter.nargs == -1 else ""
    cells = (names if is_option else f"{names}", _value(parameter), str(default), f"{meaning}{several}")
    return "| " + " | ".join(each.replace("|", "\\|") for each in cells) + " |"


def _value(parameter: Any) -> str:
    if getattr(parameter, "is_flag", False):
        return ""
    kind = parameter.type_descriptor.annotation
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return ", ".join(f"`{each.value}`" for each in kind)
    return {"str": "text", "Path": "path", "int": "number", "float": "number"}.get(
        getattr(kind, "__name__", ""), "text"
    )


def _first_line(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split()).replace("|", "\\|")
