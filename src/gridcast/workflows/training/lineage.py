"""Where a model comes from: code revision and the packages that can run it."""

import importlib.metadata
import shutil
import subprocess
from pathlib import Path

_RUNTIME = ("ai-edge-litert", "keras", "numpy", "tensorflow-cpu", "tensorflow")


def git_revision() -> str:
    """Commit of the checkout this code runs from, with '+changes' if it differs; 'unknown' outside a checkout."""
    git, here = shutil.which("git"), Path(__file__).parent
    if git is None:
        return "unknown"
    known = subprocess.run([git, "ls-files", "--error-unmatch", __file__], cwd=here, capture_output=True, check=False)
    head = subprocess.run([git, "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False)
    if known.returncode != 0 or head.returncode != 0:
        return "unknown"
    changes = subprocess.run([git, "status", "--porcelain", "."], cwd=here, capture_output=True, text=True, check=False)
    return head.stdout.strip() + ("+changes" if changes.stdout.strip() else "")


def pip_requirements() -> tuple[str, ...]:
    """Exact versions of gridcast and of what an exported model needs, as pip reads them."""
    installed = {each.name.lower(): each.version for each in importlib.metadata.distributions()}
    return tuple(f"{name}=={installed[name]}" for name in ("gridcast", *_RUNTIME) if name in installed)
