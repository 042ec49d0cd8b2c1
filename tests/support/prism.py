"""Beam's own portable runner, Prism, in a process of its own: it streams, keeps state and fires timers."""

import contextlib
import fcntl
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import apache_beam
import grpc
from support.services import free_ports, require_programs, without

_MODULE = "github.com/apache/beam/sdks/v2/go/cmd/prism"
_BUILD_SECONDS = 900


@contextlib.contextmanager
def running_prism(folder: Path) -> Iterator[str]:
    """Its address, of the version of the Python SDK; killed afterwards. Without Go or its modules: a reason to skip."""
    program = _program()
    job, web = free_ports(2)
    with (folder / "prism.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-job_port", str(job), "-web_port", str(web), "-log_level", "warn"],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _await(job, process)
            yield f"127.0.0.1:{job}"
        finally:
            process.kill()
            process.wait()


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    try:
        grpc.channel_ready_future(channel).result(timeout=30)
    finally:
        channel.close()
    assert process.poll() is None


def _program() -> Path:
    """Built once for each version."""
    (go,) = require_programs("go")
    version = f"v{apache_beam.__version__}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gridcast-tests"
    folder = cache / f"prism-{version}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".prism.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "prism").exists():
            began = time.monotonic()
            done = subprocess.run(
                [go, "install", f"{_MODULE}@{version}"],
                env={**os.environ, "GOBIN": str(folder)},
                capture_output=True,
                text=True,
                check=False,
                timeout=_BUILD_SECONDS,
            )
            if done.returncode:
                without(f"Prism {version} cannot be built ({time.monotonic() - began:.0f} s): {done.stderr[-500:]}")
    return folder / "prism"
