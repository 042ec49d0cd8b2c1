"""Options that several commands share."""

import enum
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from gridcast.domain.errors import UsageError


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


def moment(text: str) -> datetime:
    """The time, UTC, that an option names.

    Raises:
        UsageError: it is none, or has no UTC offset.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is not a time; expected ISO 8601 such as 2008-06-29T06:00Z.") from error
    if found.tzinfo is None:
        raise UsageError(
            f"{text!r} has no UTC offset; expected one, such as 2008-06-29T06:00Z or 2008-06-29T06:00-05:00."
        )
    return found.astimezone(UTC)


def day(text: str) -> date:
    """The local day that an option names.

    Raises:
        UsageError: it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is not a day; expected one such as 2024-12-25.") from error


def duration(text: str) -> timedelta:
    """The length of time that an option names.

    Raises:
        UsageError: it is none, or zero.
    """
    found = re.fullmatch(
        r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?", text
    )
    length = (
        timedelta(**{unit: int(value) for unit, value in found.groupdict().items() if value}) if found else timedelta(0)
    )
    if length <= timedelta(0):
        raise UsageError(f"{text!r} is not a duration; expected ISO 8601 such as P7D, PT1H or PT15M.")
    return length
