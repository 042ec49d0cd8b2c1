"""A stream that is killed while it works."""

import contextlib
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from support.installation import Place

from gridcast.domain.tables import CONSUMER
from gridcast.store.store import Store


def kill_after_progress(place: Place, path: Path, command: Sequence[str | Path], *, seconds: float) -> None:
    """Start a stream, let it commit a tick to the store in `path`, and kill it so many seconds later."""
    with contextlib.closing(Store.open(path)) as store:
        before = store.position(CONSUMER)
        process = subprocess.Popen(
            command, cwd=place.directory, env=place.environment(None), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            deadline = time.monotonic() + 120
            while store.position(CONSUMER) == before:
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=seconds)
        finally:
            process.kill()
            process.communicate()
