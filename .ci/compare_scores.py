"""Compares the scores of a model that was just trained on the sample with those on record, and refuses worse ones.

gridcast backtest --format json | python .ci/compare_scores.py tests/fixtures/sample_scores.json
"""

import json
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def other_task(recorded: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """What keeps the two from being compared: other days, points or weather."""
    return [
        f"{name}: {found.get(name)}; expected {wanted}, of which the scores on record are. Record new ones."
        for name, wanted in recorded["task"].items()
        if found.get(name) != wanted
    ]


def outside(recorded: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """Scores that are not within what is allowed."""
    for name, score in recorded["scores"].items():
        low, high = score["allowed"]
        value = found.get(name)
        if value is None or not (-math.inf if low is None else low) <= value <= (math.inf if high is None else high):
            yield (
                f"{name}: {value}; expected {_span(low, high)}, on record is {score['recorded']}. "
                "Find what made it worse, or record it with the reason."
            )


def _span(low: float | None, high: float | None) -> str:
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"{low} to {high}"


def main(file: Path, found: Mapping[str, Any]) -> int:
    """Print the scores beside those on record; the result is 1 if one of them is refused, else 0."""
    recorded = json.loads(file.read_text())
    refused = other_task(recorded, found) or list(outside(recorded, found))
    for name, score in recorded["scores"].items():
        sys.stdout.write(f"{name:28} {found.get(name, math.nan):.4f}  on record {score['recorded']}\n")
    sys.stderr.writelines(f"{each}\n" for each in refused)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), json.load(sys.stdin)))
