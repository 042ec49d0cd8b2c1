"""Python, packages, processor and time zones: what gridcast runs on."""

import platform
import sys
import tomllib
import zoneinfo
from collections.abc import Collection, Iterator, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from gridcast.workflows.watching.doctor import Finding, failure, ok, warning

_PACKAGE = "gridcast"
_REINSTALL = 'install again: "make demo" in a clone, or pip install gridcast.'


def python_version() -> Iterator[Finding]:
    """Whether this Python is one that gridcast is made for."""
    wanted = metadata.metadata(_PACKAGE)["Requires-Python"]
    here = platform.python_version()
    if SpecifierSet(wanted).contains(here, prereleases=True):
        yield ok(f"Python {here} in {sys.prefix}")
    else:
        yield failure(f"Python {here}; expected {wanted}", advice="install gridcast under a Python of these.")


def packages(*, requirements: Collection[str] | None = None) -> Iterator[Finding]:
    """Whether every package that gridcast cannot do without is there, in a version it accepts."""
    needed = [each for each in _requirements(requirements) if _is_wanted(each, extra="")]
    faults = [fault for each in needed for fault in _faults(each)]
    if faults:
        yield failure("; ".join(faults), advice=_REINSTALL)
    else:
        yield ok(f"{len(needed)} packages in versions that gridcast accepts")


def locked_versions(lock: Path) -> Iterator[Finding]:
    """Whether packages have the versions of `uv.lock`, which are tested; nothing where there is no such file."""
    if not lock.exists():
        return
    versions: dict[str, set[str]] = {}
    for each in tomllib.loads(lock.read_text(encoding="utf-8"))["package"]:
        versions.setdefault(canonicalize_name(each["name"]), set()).add(each.get("version", ""))
    names = [canonicalize_name(each.name) for each in _requirements(None) if _is_wanted(each, extra="")]
    here = {name: _installed(name) for name in names}
    other = [
        f"{name} {found} (lock: {', '.join(sorted(versions[name]))})"
        for name, found in here.items()
        if found is not None and name in versions and found not in versions[name]
    ]
    if other:
        yield warning(f"not as in {lock.name}: {'; '.join(other)}", advice=f"to get the tested versions, {_REINSTALL}")
    else:
        yield ok(f"versions are those of {lock.name}")


def extras(needed: Mapping[str, str]) -> Iterator[Finding]:
    """Which extras are there; one that the settings need (extra → what for) and that is not there is a failure."""
    known = metadata.metadata(_PACKAGE).get_all("Provides-Extra") or []
    faults = {extra: _faults_of_extra(extra) for extra in known}
    there = [extra for extra in known if not faults[extra]]
    missing = {extra: what for extra, what in needed.items() if faults.get(extra, ["unknown extra"])}
    for extra, what in missing.items():
        yield failure(
            f"extra {extra!r}, needed for {what}: {'; '.join(faults.get(extra, ['unknown extra']))}",
            advice=f"pip install 'gridcast[{extra}]'",
        )
    if not missing:
        yield ok(f"installed: {', '.join(there) or 'none'}; not installed: {_rest(known, there)}")


def processor(cpu_info: Path = Path("/proc/cpuinfo")) -> Iterator[Finding]:
    """Whether the processor has the instructions that TensorFlow was built for."""
    machine = platform.machine()
    if machine != "x86_64" or not cpu_info.exists():
        yield ok(f"{machine}; nothing to check here")
        return
    line = next((each for each in cpu_info.read_text().splitlines() if each.startswith("flags")), "")
    lacking = [each for each in ("avx", "avx2", "fma") if each not in line.split()]
    if "avx" in lacking:
        yield failure(
            "the processor has no AVX, without which TensorFlow ends at once",
            advice="run on another machine, or let the virtual machine pass the processor's features on.",
        )
    elif lacking:
        yield warning(
            f"the processor lacks {' and '.join(lacking)}; training is slow",
            advice="let the virtual machine pass the processor's features on.",
        )
    else:
        yield ok("AVX, AVX2 and FMA")


def time_zones(names: Collection[str]) -> Iterator[Finding]:
    """Whether the rules of every zone that series live by are there."""
    missing = []
    for name in sorted({*names, "UTC", "Europe/London"}):
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            missing.append(name)
    if missing:
        yield failure(
            f"no rules for {', '.join(missing)}", advice="install the package tzdata, or correct the name of the zone."
        )
    else:
        yield ok(f"{len(names)} zones of series; tzdata {_installed('tzdata') or 'of the system'}")


def _requirements(given: Collection[str] | None) -> list[Requirement]:
    return [Requirement(each) for each in (metadata.requires(_PACKAGE) or [] if given is None else given)]


def _is_wanted(requirement: Requirement, *, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _faults_of_extra(extra: str) -> list[str]:
    own = [each for each in _requirements(None) if not _is_wanted(each, extra="") and _is_wanted(each, extra=extra)]
    return [fault for each in own for fault in _faults(each)]


def _faults(requirement: Requirement) -> Iterator[str]:
    found = _installed(requirement.name)
    if found is None:
        yield f"{requirement.name} is not installed"
    elif not requirement.specifier.contains(found, prereleases=True):
        yield f"{requirement.name} is {found}; expected {requirement.specifier}"


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _rest(known: Collection[str], there: Collection[str]) -> str:
    return ", ".join(each for each in known if each not in there) or "none"
