"""Commands that go on until they are asked to stop."""

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def stop_asked() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set instead of ending the process; afterwards they do as before."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
