"""`gridcast key`: who may call the API with a key."""

import getpass
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridcast.cli.options import ConfigOption, Format, FormatOption, duration
from gridcast.cli.output import show
from gridcast.domain.roles import Role

if TYPE_CHECKING:
    from gridcast.store.keys import ApiKey, Author

key_app = typer.Typer(
    help="Make, list and revoke the keys that the API is called with.", no_args_is_help=True, rich_markup_mode=None
)
LOCAL = "local"
"""Role, in the audit log, of whoever works on the installation itself."""


@key_app.command()
def create(
    role: Annotated[Role, typer.Option(help="What its bearer may do.")],
    name: Annotated[str, typer.Option(help="Who uses it: stands in the audit log and beside every override.")],
    expires_in: Annotated[
        str | None, typer.Option(help="Lets nobody in after this, ISO 8601 such as P365D. [default: never]")
    ] = None,
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Make a key and show it, this one time.

    \b
    Example:
      gridcast key create --role operator --name "control room" --expires-in P365D
    """
    from gridcast.cli.installation import Installation
    from gridcast.store import keys

    now = datetime.now(UTC)
    expires_at = None if expires_in is None else now + duration(expires_in)
    with Installation.open(config).store() as store:
        new = keys.create(store, name=name, role=role, by=_author(), at=now, expires_at=expires_at)
    until = "does not expire" if expires_at is None else f"expires {expires_at:%Y-%m-%d %H:%MZ}"
    show(
        {**_facts(new.kept), "key": new.key},
        rows=[{"key_id": new.kept.key_id, "name": name, "role": role.value, "key": new.key}],
        last_line=f"made key {new.kept.key_id}; it {until} and is not shown again.",
        output=output,
    )


@key_app.command("list")
def show_keys(config: ConfigOption = None, output: FormatOption = Format.TABLE) -> None:
    """Show every key there ever was, newest first; of the keys themselves only hashes are kept.

    \b
    Example:
      gridcast key list --format json
    """
    from gridcast.cli.installation import Installation
    from gridcast.store import keys

    now = datetime.now(UTC)
    with Installation.open(config).store() as store:
        found = keys.all_keys(store)
    active = sum(key.is_active(now) for key in found)
    rows = [{**_facts(key), "active": key.is_active(now)} for key in found]
    show({"keys": rows}, rows=rows, last_line=f"{len(found)} keys, {active} of them active.", output=output)


@key_app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="Which one, by the key_id of 'gridcast key list'.")],
    config: ConfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Let a key count no longer; a running service refuses it within 5 seconds.

    \b
    Example:
      gridcast key revoke 5f0c6d3be1a2
    """
    from gridcast.cli.installation import Installation
    from gridcast.store import keys

    with Installation.open(config).store() as store:
        gone = keys.revoke(store, key_id, by=_author(), at=datetime.now(UTC))
    show(_facts(gone), last_line=f"revoked key {gone.key_id} of {gone.name}.", output=output)


def _author() -> "Author":
    from gridcast.store.keys import Author

    try:
        return Author(getpass.getuser(), LOCAL)
    except (OSError, KeyError):
        return Author(f"uid {os.getuid()}", LOCAL)


def _facts(key: "ApiKey") -> dict[str, Any]:
    names = ("key_id", "name", "role", "created_by", "created_at", "expires_at", "revoked_at")
    return {name: getattr(key, name) for name in names}
