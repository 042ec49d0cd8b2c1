"""What is made once in a test run: by the first worker that needs it, while the others wait."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest


def run_folder(factory: pytest.TempPathFactory) -> Path:
    """The temporary folder of the whole run, the same in every worker of pytest-xdist."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@contextlib.contextmanager
def in_turn(path: Path) -> Iterator[None]:
    """One worker at a time; `path` is a file of no content."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
