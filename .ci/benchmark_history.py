"""Adds what benchmarks have printed to a history of JSON lines, and tells which got worse.

make bench | python .ci/benchmark_history.py HISTORY COMMIT
"""

import json
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Run = Mapping[str, Any]
LOOK_BACK = 10
FEWEST = 3
TOLERANCE = 0.2
"""Ratios are against a peer in the same run, so what remains is the unrest of a shared machine."""


def figures(lines: Iterable[str]) -> list[Run]:
    """The figures among the lines: JSON objects with a name and whether their target is met."""
    found = []
    for line in lines:
        if line.startswith("{"):
            told = json.loads(line)
            if {"name", "ok"} <= told.keys():
                found.append(told)
    return found


def key(run: Run) -> tuple[Any, Any]:
    """What a run may be compared by: the benchmark and its data."""
    return run["name"], run.get("dataset", run.get("data"))


def judgement(run: Run, earlier: Sequence[Run]) -> str | None:
    """What is wrong with a run: it misses its target, or its ratio is a fifth worse than the median before; else None.

    Earlier runs that met their target tell on which side of it is better.
    """
    if not run["ok"]:
        return f"{run['name']}: misses its target, ratio {run['ratio']}, target {run['target']}"
    ratios = [each["ratio"] for each in earlier if each["ok"] and each["ratio"] is not None][-LOOK_BACK:]
    if len(ratios) < FEWEST or run["ratio"] is None:
        return None
    usual = statistics.median(ratios)
    change = run["ratio"] / usual - 1 if usual < run["target"] else usual / run["ratio"] - 1
    if change <= TOLERANCE:
        return None
    return (
        f"{run['name']}: ratio {run['ratio']}, {change:.0%} worse than the median {usual} of {len(ratios)} runs before"
    )


def main(history: Path, commit: str, lines: Iterable[str]) -> int:
    """Add the runs to the history; the result is 1 if one is worse or none was there, else 0."""
    before = figures(history.read_text().splitlines()) if history.exists() else []
    runs = figures(lines)
    told = [judgement(run, [each for each in before if key(each) == key(run)]) for run in runs]
    at = datetime.now(UTC).isoformat(timespec="seconds")
    with history.open("a") as file:
        file.writelines(json.dumps({"at": at, "commit": commit, **run}) + "\n" for run in runs)
    worse = [each for each in told if each is not None] if runs else ["no benchmark told its figures"]
    sys.stderr.writelines(f"{each}\n" for each in worse)
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.stdin))
