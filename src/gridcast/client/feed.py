"""Server-sent events: text lines to names and data."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple


class ServerEvent(NamedTuple):
    """One event of a stream."""

    name: str
    data: Any


def read_events(lines: Iterable[str]) -> Iterator[ServerEvent]:
    """The events in the lines of a stream, their data read as JSON; comments are left out.

    >>> list(read_events(["event: forecast", 'data: {"n": 1}', "", ": still here", ""]))
    [ServerEvent(name='forecast', data={'n': 1})]
    """
    name, data = "message", list[str]()
    for line in lines:
        field, _, value = line.partition(":")
        if field == "event":
            name = value.removeprefix(" ")
        elif field == "data":
            data.append(value.removeprefix(" "))
        elif not line:
            if data:
                yield ServerEvent(name, json.loads("\n".join(data)))
            name, data = "message", []
