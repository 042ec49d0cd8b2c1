"""Images built for real from the Dockerfile by buildah, and run for real by podman."""

import contextlib
import json
import os
import resource
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.services import require_programs

ROOT = Path(__file__).parents[2]
LOCAL_BASE = "localhost/gridcast-base:bookworm"
USER = 10_001
_SETTINGS_OF_PACKAGE_CLIENTS = ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt", "/etc/uv/uv.toml")
_BUILD_SECONDS = 1_200
_MOST_PROCESSES = 10_000


def ran(*command: str | Path, seconds: float = 120) -> str:
    """What a command printed; one that fails fails the test."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=seconds)
    assert done.returncode == 0, f"{command[:3]} gave {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def built(target: str) -> str:
    """Name of the image of a target, built from the tree as it is. Without buildah: a reason to skip.

    GRIDCAST_BASE_IMAGE names the base; without it one is made from Debian's packages, once on a machine.
    """
    require_programs("buildah", "podman")
    tag = f"localhost/gridcast-{target}:test"
    mounts = [f"--volume={each}:{each}:ro" for each in _SETTINGS_OF_PACKAGE_CLIENTS if Path(each).exists()]
    ran(
        "buildah", "build", "--isolation=chroot", "--network=host", "--format=docker", "--layers", "--timestamp=0",
        *mounts, f"--build-arg=BASE={_base()}", f"--target={target}", f"--tag={tag}", ".",
        seconds=_BUILD_SECONDS,
    )  # fmt: skip
    return tag


def _base() -> str:
    given = os.environ.get("GRIDCAST_BASE_IMAGE")
    if given:
        return given
    if not ran("buildah", "images", "--quiet", "--filter", f"reference={LOCAL_BASE}").strip():
        require_programs("debootstrap")
        ran(ROOT / ".ci/base-image", LOCAL_BASE, seconds=_BUILD_SECONDS)
    return LOCAL_BASE


def inspected(image: str) -> dict[str, Any]:
    """What the image says of itself."""
    found: dict[str, Any] = json.loads(ran("podman", "image", "inspect", image))[0]
    return found


def pulled_bytes(image: str, folder: Path) -> int:
    """Bytes that a registry keeps of the image and a machine downloads: its compressed layers."""
    ran("buildah", "push", "--quiet", "--compression-format=gzip", image, f"oci:{folder}:image", seconds=_BUILD_SECONDS)
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())


@dataclass(frozen=True, slots=True)
class Container:
    """A container that runs."""

    name: str

    def shell(self, line: str) -> subprocess.CompletedProcess[str]:
        """A line of shell inside it, as the user that it runs as."""
        return subprocess.run(
            ["podman", *_runtime(), "exec", self.name, "sh", "-c", line],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def log(self) -> str:
        return ran("podman", "logs", self.name)

    def finished(self) -> str:
        """What it printed, once it has ended by itself with 0."""
        assert ran("podman", *_runtime(), "wait", self.name).strip() == "0", self.log()
        return self.log()

    def ends_with(self) -> int:
        """Exit code after SIGTERM; it gets ten seconds to end."""
        ran("podman", *_runtime(), "stop", "--time=10", self.name)
        return int(ran("podman", "inspect", "--format={{.State.ExitCode}}", self.name))


@contextlib.contextmanager
def container(
    image: str, *command: str, data: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Container]:
    """The image as it should run in earnest: read-only, no capabilities, no new privileges, only /data to write to."""
    name = ran(
        "podman", *_runtime(), "create", "--network=host", "--read-only", "--cap-drop=all",
        "--security-opt=no-new-privileges", "--no-healthcheck", f"--volume={data}:/data:U", *_limits(),
        *(f"--env={key}={value}" for key, value in (environment or {}).items()), image, *command,
    ).strip()  # fmt: skip
    try:
        ran("podman", *_runtime(), "start", name)
        yield Container(name)
    finally:
        ran("podman", *_runtime(), "rm", "--force", "--time=1", name)


def _runtime() -> list[str]:
    """Where cgroups are of the old kind, Debian's crun does not start, and runc does."""
    return [] if Path("/sys/fs/cgroup/cgroup.controllers").exists() else ["--runtime=runc"]


def _limits() -> list[str]:
    """podman's own may be above what this process may set."""
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    return [f"--ulimit=nofile={files}:{files}", f"--ulimit=nproc={_MOST_PROCESSES}:{_MOST_PROCESSES}"]
