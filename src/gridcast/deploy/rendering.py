"""From a kustomization to manifests."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from gridcast.deploy.manifests import Manifest, read_manifests
from gridcast.domain.errors import UsageError

FLAGS: Final = ("--load-restrictor", "LoadRestrictionsNone")
"""Boards are read from dashboards/, which is outside the kustomizations."""
_SECONDS: Final = 60


def load(source: Path, *, kubectl: str = "kubectl") -> list[Manifest]:
    """The objects of a rendered file, or of a kustomization folder.

    Raises:
        UsageError: there is no such thing, or it cannot be rendered.
    """
    if source.is_dir():
        return read_manifests(render(source, kubectl=kubectl), source=str(source))
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{source} cannot be read ({error}); expected a file of manifests or a kustomization folder, such as "
            "kubernetes/rendered/production.yaml or kubernetes/overlays/production."
        ) from error
    return read_manifests(text, source=str(source))


def render(folder: Path, *, kubectl: str = "kubectl") -> str:
    """What kustomize makes of a folder.

    Raises:
        UsageError: neither kubectl nor kustomize is installed, or the kustomization is wrong.
    """
    program = shutil.which(kubectl)
    other = shutil.which("kustomize")
    if program is not None:
        command = [program, "kustomize", *FLAGS, str(folder)]
    elif other is not None:
        command = [other, "build", *FLAGS, str(folder)]
    else:
        raise UsageError(
            f"{folder} is a folder and neither {kubectl} nor kustomize is installed; expected one of them, or a "
            "rendered file such as kubernetes/rendered/production.yaml."
        )
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    if done.returncode:
        raise UsageError(f"{folder}: {done.stderr.strip()[-500:]}; expected a folder that kustomize can render.")
    return done.stdout
