"""What the newest search for drift found, kept in a file of the data folder."""

import io
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl

from gridcast.ingestion.atomic import write_files

DRIFT_EVENT: Final = "drift"
"""Kind of the event when a detector begins to fire."""
RECOVERED_EVENT: Final = "drift_recovered"
"""Kind of the event when it no longer does."""
DRIFT_SCORES: Final = pl.Schema(
    {
        "series_id": pl.String(),
        "detector": pl.String(),
        "score": pl.Float64(),
        "limit": pl.Float64(),
        "fires": pl.Boolean(),
    }
)
"""Newest score of each series and detector. It `fires` from above its limit on, until it has fallen to half of it."""


@dataclass(frozen=True, slots=True, eq=False)
class DriftState:
    """Scores (`DRIFT_SCORES`), when they were taken and of which model."""

    scores: pl.DataFrame
    checked_at: datetime
    model_version: str

    @property
    def fired(self) -> frozenset[tuple[str, str]]:
        """Series and detector of those that fire."""
        return frozenset(self.scores.filter("fires").select("series_id", "detector").iter_rows())

    def write(self, path: Path) -> None:
        """Keep it, whole or not at all.

        Raises:
            GridcastError: the disk is full or cannot be written to.
        """
        facts = {
            "checked_at": self.checked_at.isoformat(),
            "model_version": self.model_version,
            "scores": json.loads(self.scores.write_json()),
        }
        write_files({path: json.dumps(facts, indent=1).encode()}, scratch=path.parent / f".writing_{path.name}")


def read_drift(path: Path) -> DriftState | None:
    """What was kept; None if there is nothing that can be read."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        scores = pl.read_json(io.StringIO(json.dumps(facts["scores"])), schema=DRIFT_SCORES)
        return DriftState(scores, datetime.fromisoformat(facts["checked_at"]), str(facts["model_version"]))
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError):
        return None
