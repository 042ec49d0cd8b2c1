"""Writes the licences of what an installation consists of as a table, and refuses those that nobody has allowed.

uv export --frozen --no-dev --no-hashes ... | python .ci/licences.py TABLE
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

RULES = Path(__file__).with_name("licences.toml")


@dataclass(frozen=True, slots=True)
class Rules:
    """Which licences are allowed, and under which names they go."""

    allowed: frozenset[str]
    names: dict[str, str]
    stated: dict[str, str]
    reasons: dict[str, str]

    @classmethod
    def read(cls, path: Path = RULES) -> "Rules":
        """The rules of a file."""
        given = tomllib.loads(path.read_text())
        return cls(frozenset(given["allowed"]), given["names"], given["stated"], given["reasons"])

    def licence(self, name: str, told: Mapping[str, Any]) -> str:
        """An SPDX expression if there is any way to tell, else the first line of what the metadata says."""
        kinds = [each.rsplit(" :: ")[-1] for each in told.get("classifier", []) if each.startswith("License ::")]
        written = told.get("license", "").strip().partition("\n")[0]
        found = self.stated.get(name) or told.get("license_expression")
        if found is None and written in self.names.keys() | self.allowed:
            found = self.names.get(written, written)
        return found or " OR ".join(self.names.get(each, each) for each in kinds) or written or "none told"

    def allow(self, licence: str) -> bool:
        """Whether allowed licences are enough; in an expression with brackets, every licence must be one."""
        if "(" in licence:
            return self.allowed.issuperset(re.split(r"[() ]+(?:AND|OR)[() ]+", licence.strip("() ")))
        return any(self.allowed.issuperset(each.split(" AND ")) for each in licence.split(" OR "))


def installed(lines: Iterable[str]) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Name, version and metadata of each requirement that is meant for this machine.

    Raises:
        SystemExit: one of them is not installed.
    """
    wanted = [Requirement(line.strip()) for line in lines if "==" in line and not line.startswith((" ", "#", "-"))]
    names = sorted({each.name for each in wanted if each.marker is None or each.marker.evaluate()})
    try:
        return [(name, metadata(name)["Version"], metadata(name).json) for name in names]
    except PackageNotFoundError as error:
        raise SystemExit(f"{error}; expected every listed package installed. Run make licences.") from error


def main(table: Path, lines: Iterable[str], rules: Rules) -> int:
    """Write the table; the result is 1 if a licence is refused, else 0."""
    rows, refused = ["| package | version | licence | why it may be used |", "|---|---|---|---|"], []
    for name, version, told in installed(lines):
        licence = rules.licence(name, told)
        reason = "" if rules.allow(licence) else rules.reasons.get(name)
        if reason is None:
            refused.append(
                f"{name} {version}: {licence}; expected a licence that {RULES} allows. Replace it or add why."
            )
        rows.append(f"| {name} | {version} | {licence} | {reason or ''} |")
    table.parent.mkdir(parents=True, exist_ok=True)
    table.write_text("\n".join([*rows, ""]))
    sys.stderr.writelines(f"{each}\n" for each in refused)
    if not rows[2:]:
        sys.stderr.write("no package was listed; expected the output of uv export on standard input\n")
    return 1 if refused or not rows[2:] else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.stdin, Rules.read()))
