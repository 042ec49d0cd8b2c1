"""`gridcast stream` in a process of its own, watched while it works."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.stream.installation import GRIDCAST

_STOP_SECONDS = 120


@contextlib.contextmanager
def streaming(
    place: Path, *options: str, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[Any]]:
    """One that works in an installation until the block ends; what it prints goes to the installation's stream.log."""
    with (place / "stream.log").open("ab") as log:
        process = subprocess.Popen(
            [GRIDCAST, "stream", *options], cwd=place, env={**os.environ, **(environment or {})}, stdout=log
        )
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            process.wait(_STOP_SECONDS)
        finally:
            process.kill()
            process.wait()


def await_that(is_so: Callable[[], bool], stream: subprocess.Popen[Any], *, look: float, within: float) -> None:
    """Look every so many seconds until it is so; the stream must be alive until then."""
    deadline = time.monotonic() + within
    while not is_so():
        require_alive(stream)
        if time.monotonic() > deadline:
            raise SystemExit(f"the stream did not get there in {within:.0f} s")
        time.sleep(look)


def require_alive(stream: subprocess.Popen[Any]) -> None:
    """End the measurement if the stream has ended."""
    if stream.poll() is not None:
        raise SystemExit(f"the stream ended with {stream.returncode}")
