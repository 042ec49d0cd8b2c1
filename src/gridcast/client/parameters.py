"""What a request asks for, as text."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from gridcast.domain.errors import UsageError


def moment_text(time: datetime | None) -> str | None:
    """A time as ISO 8601 with Z.

    Raises:
        UsageError: it has no UTC offset.
    """
    if time is None:
        return None
    if time.tzinfo is None:
        raise UsageError(f"{time} has no UTC offset; expected a time such as datetime(2008, 6, 29, 6, tzinfo=UTC).")
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def length_text(length: timedelta | None) -> str | None:
    """A length of time as ISO 8601, whole seconds.

    >>> length_text(timedelta(hours=24))
    'PT86400S'
    """
    return None if length is None else f"PT{length // timedelta(seconds=1)}S"


def path_part(name: str) -> str:
    """A name as one part of a path.

    Raises:
        UsageError: it would lead elsewhere.
    """
    if not name or "/" in name or name in {".", ".."}:
        raise UsageError(f"{name!r} has no address in the API; expected the name of a series, a table or an override.")
    return quote(name, safe="")


def json_body(members: Mapping[str, Any]) -> bytes:
    """A JSON object of the members that are given."""
    return json.dumps({name: value for name, value in members.items() if value is not None}).encode()
