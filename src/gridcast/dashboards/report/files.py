"""Files appear whole or not at all."""

import os
import tempfile
from pathlib import Path


def write_whole(data: bytes, *, path: Path) -> Path:
    """Puts `data` at `path` in one step and returns `path`; a reader never sees half, a failure leaves nothing.

    Missing parent folders are made.

    Raises:
        OSError: the folder cannot be written or the disk is full; an earlier file at `path` is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.chmod(0o644)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return path
