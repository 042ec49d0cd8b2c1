"""A disk that is soon full, for the tests of what happens then."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from support.services import without


@contextlib.contextmanager
def small_disk_in(folder: Path, *, size: str) -> Iterator[Path]:
    """A tmpfs of `size` below `folder`. Without the rights to mount one, skip, or fail where nothing may be skipped."""
    disk = folder / "disk"
    disk.mkdir()
    reason = mount(disk, f"size={size}")
    if reason:
        without(reason)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def mount(disk: Path, options: str) -> str:
    """Mount a tmpfs on `disk`; says why not, or nothing."""
    if shutil.which("mount") is None:
        return "there is no mount command to make a small disk with"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"a small disk cannot be mounted: {done.stderr.strip()}" if done.returncode else ""
