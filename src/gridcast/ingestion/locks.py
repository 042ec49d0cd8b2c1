"""Locks of folders: between processes and threads, and gone with the process that holds one."""

import contextlib
import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from gridcast.domain.errors import GridcastError
from gridcast.ingestion.atomic import disk_error


class SourceInUseError(GridcastError):
    """Another process reads this source into the same data folder."""


@contextlib.contextmanager
def writing(directory: Path) -> Iterator[None]:
    """Wait for whoever writes to the raw folder `directory`, then keep the others waiting.

    Raises:
        GridcastError: the folder cannot be written to.
    """
    with _opened(directory, "raw-folder") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def archiving(directory: Path, *, source: str) -> Iterator[None]:
    """Likewise, for whoever takes a live source's readings from the store's log to the raw folder."""
    with _opened(directory, f"{source}-archive") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def reading_alone(directory: Path, *, source: str) -> Iterator[None]:
    """Be the one who reads `source` into `directory`: two would take turns in moving one position.

    Raises:
        GridcastError: the folder cannot be written to.
        SourceInUseError: another process does.
    """
    taken = SourceInUseError(
        f"source {source!r}: another process reads it; expected one at a time for each source of a data "
        'folder. Let it end or stop it (it may be a "gridcast listen"), or choose other sources with --source.'
    )
    with _alone(directory, source, taken=taken):
        yield


@contextlib.contextmanager
def tuning_alone(directory: Path) -> Iterator[None]:
    """Be the one who searches settings in `directory`.

    Raises:
        GridcastError: another process does, or the folder cannot be written to.
    """
    taken = GridcastError(
        f"{directory}: another process tunes here; expected one at a time. Let it end, or stop it: the trials it has "
        "made are kept."
    )
    with _alone(directory, "tuning", taken=taken):
        yield


@contextlib.contextmanager
def retraining_alone(directory: Path) -> Iterator[None]:
    """Be the one who renews the model of a data folder.

    Raises:
        GridcastError: another process does, or the folder cannot be written to.
    """
    taken = GridcastError(
        f"{directory}: another process retrains here; expected one at a time. Let it end, or stop it: the next one "
        "goes on where it was."
    )
    with _alone(directory, "retraining", taken=taken):
        yield


@contextlib.contextmanager
def streaming_alone(directory: Path, *, wait: Callable[[], bool] | None = None) -> Iterator[None]:
    """Be the one who works off the log of a data folder: two would commit ticks against each other.

    The lock goes with the process that holds it, however that ends. With `wait`, called between tries, others stand by
    until they get it or it says false.

    Raises:
        GridcastError: another process does, or the folder cannot be written to.
    """
    taken = GridcastError(
        f"{directory}: another process streams here; expected one at a time. Let it end or stop it, or start this one "
        "with --standby to take over then."
    )
    with _alone(directory, "stream", taken=taken, wait=wait):
        yield


@contextlib.contextmanager
def _alone(
    directory: Path, name: str, *, taken: GridcastError, wait: Callable[[], bool] | None = None
) -> Iterator[None]:
    """Hold a lock that no other process may hold, or raise `taken` at once or when `wait` says false."""
    with _opened(directory, name) as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if wait is None or not wait():
                    raise taken from error
        yield


@contextlib.contextmanager
def _opened(directory: Path, name: str) -> Iterator[IO[str]]:
    path = directory / "locks" / f"{name}.lock"
    with contextlib.ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context(path.open("a", encoding="utf-8"))
        except OSError as error:
            raise disk_error(error, path) from error
        yield lock
