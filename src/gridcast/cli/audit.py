"""`gridcast audit`: who changed what, who was refused, and whether the log of it is whole."""

from typing import Annotated

import typer

from gridcast.cli.options import ConfigOption, Format, FormatOption
from gridcast.cli.output import show
from gridcast.domain.errors import UsageError

audit_app = typer.Typer(
    help="Read the audit log and check that it is whole.", no_args_is_help=True, rich_markup_mode=None
)


@audit_app.command("list")
def show_log(
    newest: Annotated[int, typer.Option(min=1, help="How many rows.")] = 50,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show the newest rows of the audit log, newest first.

    \b
    Example:
      gridcast audit list --newest 20
    """
    from gridcast.cli.installation import Installation
    from gridcast.store import audit

    with Installation.open(config).store() as store:
        found, head = audit.newest(store, limit=newest), audit.head(store)
    names = ("audit_id", "at", "actor", "role", "action", "target")
    rows = [{name: getattr(each, name) for name in names} for each in found]
    show(
        {"rows": [{**row, "detail": each.detail, "hash": each.hash} for row, each in zip(rows, found, strict=True)]},
        rows=rows,
        last_line=f"{head.audit_id:,} rows in all.",
        output=output,
    )


@audit_app.command()
def verify(
    head: Annotated[
        str | None,
        typer.Option(help="A head printed before, as NUMBER:HASH: the log must still contain it. [default: not asked]"),
    ] = None,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Check every row against the one before it, and print the head: keep it where nobody here can change it.

    Exits with 1 and names the first row that was changed, removed or slipped in.

    \b
    Example:
      gridcast audit verify
    """
    from gridcast.cli.installation import Installation
    from gridcast.domain.errors import GridcastError
    from gridcast.store import audit

    published = None if head is None else audit.Head(*_head(head))
    with Installation.open(config).store() as store:
        found = audit.verify(store, published=published)
    if found.fault is not None:
        raise GridcastError(
            f"audit log: {found.fault}; expected a chain without a break. Rows 1 to {found.rows} hold; keep the "
            "database as it is and find out who could write to it."
        )
    text = f"{found.head.audit_id}:{found.head.hash}"
    show(
        {"rows": found.rows, "head": text},
        last_line=f"all {found.rows:,} rows hold together; head {text}",
        output=output,
    )


def _head(text: str) -> tuple[int, str]:
    number, _, value = text.partition(":")
    if not number.isdigit() or len(value) != 64:
        raise UsageError(
            f"{text[:100]!r} is no head; expected a number, a colon and a hash, as 'gridcast audit verify' prints them."
        )
    return int(number), value.lower()
