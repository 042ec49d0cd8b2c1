"""Jars that Java programs of the tests are made of, fetched once for each version of a list."""

import fcntl
import hashlib
import os
import subprocess
from pathlib import Path

from support.services import require_programs, without

_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_FETCH_SECONDS = 900


def jars_of(pom: Path) -> Path:
    """The folder with the jars that a `pom.xml` names. Without Maven or the jars: a reason to skip."""
    (maven,) = require_programs("mvn")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gridcast-tests"
    jars = cache / f"{pom.parent.name}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f".{pom.parent.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (jars / ".complete").exists():
            return jars
        command = [maven, "-q", "-B", "-f", str(pom), _COPY, f"-DoutputDirectory={jars}", "-DincludeScope=runtime"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_FETCH_SECONDS)
        if done.returncode:
            without(f"the jars of {pom.parent.name} cannot be fetched: {(done.stdout + done.stderr)[-500:]}")
        (jars / ".complete").touch()
    return jars
