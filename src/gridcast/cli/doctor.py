"""`gridcast doctor`: whether an installation can do its work, and what to do where it cannot."""

from pathlib import Path
from typing import Annotated

import typer

from gridcast.cli.options import ConfigOption, Format, FormatOption
from gridcast.cli.output import show


def doctor(
    config: ConfigOption = None,
    backups: Annotated[
        Path | None, typer.Option(help="Folder with backups; its newest must be less than a week old.")
    ] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Check this installation: packages, settings, data, store, models, clock, secrets, ports, brokers.

    Each check is by itself and says ok, warning or failure, what was found and what to do. Nothing is changed. Exit
    code 1 when a check failed; warnings leave it at 0.

    \b
    Examples:
      gridcast doctor
      gridcast doctor --config /etc/gridcast --backups /var/backups/gridcast
      gridcast doctor --format json
    """
    from gridcast.cli.examined import Examined
    from gridcast.workflows.watching.doctor import State, examine

    found = list(examine(Examined(config, backups).checks()))
    failures, warnings = (sum(each.state is state for each in found) for state in (State.FAILURE, State.WARNING))
    rows = [
        {"check": each.check, "state": each.state.value, "found": each.found, "what_to_do": each.advice}
        for each in found
    ]
    show(
        {"checks": rows, "failures": failures, "warnings": warnings},
        rows=[{name.replace("_", " "): value for name, value in row.items()} for row in rows],
        last_line=f"{len(found)} findings: {failures} failures, {warnings} warnings.",
        output=output,
    )
    if failures:
        raise typer.Exit(1)
