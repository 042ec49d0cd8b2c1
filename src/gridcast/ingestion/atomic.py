"""Files each of which appears whole or not at all."""

import contextlib
import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from gridcast.domain.errors import GridcastError


def write_files(contents: Mapping[Path, bytes], *, scratch: Path) -> None:
    """Every file with its content: all are written and synced in `scratch` first, then renamed one after another.

    A full disk shows, as a rule, before the first is renamed; a process killed in between leaves some new, some old.
    `scratch` must lie on the same file system; whatever an interrupted run left there is removed.

    Raises:
        GridcastError: the disk is full or cannot be written to.
    """
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        staged = {target: scratch / f"{number:06d}" for number, target in enumerate(contents)}
        for target, content in contents.items():
            _write_synced(staged[target], content)
        folders = {target.parent for target in contents}
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        for target, temporary in staged.items():
            temporary.replace(target)
        for folder in folders:
            sync_folder(folder)
    except OSError as error:
        raise disk_error(error, scratch) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        with contextlib.suppress(OSError):
            scratch.parent.rmdir()


def disk_error(error: OSError, path: Path) -> GridcastError:
    """What to tell when `path` cannot be written."""
    where = error.filename or path
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return GridcastError(
            f"{where}: the disk is full ({error.strerror}); nothing was half-written. Free some space and run the "
            "command again."
        )
    return GridcastError(
        f"{where}: cannot be written ({error.strerror}); nothing was half-written. Give a folder you may write to."
    )


def sync_folder(folder: Path) -> None:
    """What was renamed in `folder` outlives a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
