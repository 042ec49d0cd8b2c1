"""Server-sent events: text lines to names and data, and new forecasts as they are issued."""

import json
import time
from collections.abc import Generator, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from gridcast.client.documents import NewForecast
from gridcast.client.errors import ApiError
from gridcast.client.transport import Transport

_SILENCE: Final = timedelta(seconds=45)
_MOST_WAIT: Final = 30.0


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


def follow(transport: Transport, *, attempts: int) -> Generator[NewForecast, None, None]:
    """The newest forecast, then every one as it is issued, over as many connections as it takes.

    Raises:
        ApiError: the service refuses, or stays away for so many attempts in a row.
    """
    seen, failures = None, 0
    while True:
        try:
            with transport.listen("stream", silence=_SILENCE) as response:
                for event in read_events(response.iter_lines()):
                    failures = 0
                    if event.name != "forecast" or event.data["issue_time"] is None:
                        continue
                    told = NewForecast(datetime.fromisoformat(event.data["issue_time"]), event.data["model_version"])
                    if told != seen:
                        seen = told
                        yield told
        except ApiError as error:
            failures += 1
            if not error.is_passing or failures >= attempts:
                raise
        time.sleep(min(_MOST_WAIT, 2.0 ** (failures - 2)))
