"""Outside services that tests start: absent, they are a reason to skip, or to fail where nothing may be skipped."""

import os
import shutil
import socket
from typing import NoReturn

import pytest


def without(reason: str) -> NoReturn:
    """Skip the test, or fail it under GRIDCAST_REQUIRE_SERVICES=1."""
    if os.environ.get("GRIDCAST_REQUIRE_SERVICES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def require_programs(*names: str) -> list[str]:
    """Paths of programs; one that is not installed is a reason."""
    found = {name: shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") for name in names}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        without(f"{' and '.join(missing)} not installed")
    return [str(path) for path in found.values()]


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
