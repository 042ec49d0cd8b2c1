"""Options that several commands share."""

import enum
from pathlib import Path
from typing import Annotated

import typer


class Format(enum.StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"


ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Folder with the three configuration files. [default: ./config if it exists]"),
]
FormatOption = Annotated[Format, typer.Option("--format", help="How to print the result.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would happen and change nothing.")]
