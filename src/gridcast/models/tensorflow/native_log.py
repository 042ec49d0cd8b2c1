"""Silence for native libraries that greet on standard error as they load."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def native_log_muted() -> Iterator[None]:
    """Send what native code writes to standard error nowhere; Python's exceptions still come through.

    With GRIDCAST_DEBUG set nothing is muted.
    """
    if os.environ.get("GRIDCAST_DEBUG"):
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device, not a file
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
