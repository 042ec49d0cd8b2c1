"""What lies in the folder of an exported model, and the proof that it is whole; no TensorFlow here."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from gridcast.domain.errors import GridcastError
from gridcast.features.station_mix import StationMix

MANIFEST = "manifest.json"
SIGNATURE = "signature.json"
LITERT = "model.tflite"
SAVED_MODEL = "saved_model"
OUTPUT = "load_mw"
STATION_MIX = "station_mix"
"""Key of the metadata under which a model's station mix is kept."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Facts of an exported model.

    Attributes:
        files: path inside the folder → SHA-256.
        gridcast: version that wrote it.
        series_ids: series it knows; position + 1 is the `series` input, 0 any other series.
        leads: intervals forecast at once.
        interval: length of an interval.
        quantiles: levels of the last output axis.
        lead_correlation: of the errors of two leads, by how many intervals they are apart, (lead,).
        trained_from: first interval of the history, ISO 8601, UTC.
        trained_until: exclusive end of it.
        seed: of the training run.
        spec: settings of network and training.
        held_out_scores: of the windows it was stopped and calibrated on, see the function of that name.
        metadata: whatever the caller wanted kept.
    """

    files: Mapping[str, str]
    gridcast: str
    series_ids: tuple[str, ...]
    leads: int
    interval: timedelta
    quantiles: tuple[float, ...]
    lead_correlation: tuple[float, ...]
    trained_from: str
    trained_until: str
    seed: int
    spec: Mapping[str, Any]
    metadata: Mapping[str, Any]
    held_out_scores: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> str:
        """The text of manifest.json."""
        facts = {name: getattr(self, name) for name in self.__slots__ if name != "interval"}
        return json.dumps({**facts, "interval_minutes": self.interval / timedelta(minutes=1)}, indent=1)


def read_manifest(directory: Path) -> Manifest:
    """The manifest of a model folder, once every file it names has been found unchanged.

    Raises:
        GridcastError: the folder, the manifest or a file is missing, or a file has changed.
    """
    path = directory / MANIFEST
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        interval = timedelta(minutes=facts.pop("interval_minutes"))
        for name in ("series_ids", "quantiles", "lead_correlation", "held_out_scores"):
            facts[name] = tuple(facts[name])
        manifest = Manifest(interval=interval, **facts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, f"cannot be read ({type(error).__name__})") from error
    for name, expected in manifest.files.items():
        if not (directory / name).is_file():
            raise _damaged(directory / name, "is missing")
        if sha256(directory / name) != expected:
            raise _damaged(directory / name, "is not what was exported (its SHA-256 differs from the manifest)")
    return manifest


def station_mix_of(manifest: Manifest) -> StationMix | None:
    """How a model mixes the temperatures of stations, if it says so.

    Raises:
        GridcastError: what it says is no station mix.
    """
    facts = manifest.metadata.get(STATION_MIX)
    return None if facts is None else StationMix.from_facts(facts)


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(path: Path, what: str) -> GridcastError:
    return GridcastError(
        f'model artefact {path} {what}; expected an unchanged export. Train again with "gridcast train", '
        "or restore the folder from a copy."
    )
