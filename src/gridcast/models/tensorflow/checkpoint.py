"""How far a training run has come, kept in one file after every epoch, so that it can go on after an interruption."""

import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

DIGEST_BYTES = 32


class MemberState(NamedTuple):
    """A member after an epoch; a finished one is what it was after its last."""

    losses: Sequence[tuple[float, float]]
    """(training, held-out) of each epoch."""
    variables: Sequence[Array]
    """Of the network, with the state of its random layers."""
    optimizer: Sequence[Array]
    """Variables of the optimizer."""
    best: Sequence[Array]
    """Weights of the network after the best epoch."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file with the state of every member begun so far.

    Attributes:
        path: the file: a SHA-256 digest, then an .npz archive.
        identity: of data and settings; the state of another run is ignored.
    """

    path: Path
    identity: str

    def content(self) -> bytes:
        """The file as it is; nothing where there is none."""
        try:
            return self.path.read_bytes()
        except OSError:
            return b""

    def states(self, content: bytes) -> dict[int, MemberState]:
        """States of the members by their number, finished or not.

        None where nothing of this run was kept, or not as it was written.
        """
        digest, archive = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
        if hashlib.sha256(archive).digest() != digest:
            return {}
        with np.load(io.BytesIO(archive), allow_pickle=False) as arrays:
            facts = json.loads(str(arrays["facts"]))
            if facts["identity"] != self.identity:
                return {}
            return {int(number): _member(arrays, number, losses) for number, losses in facts["losses"].items()}

    def write(self, members: Mapping[int, MemberState]) -> None:
        """Keep the states, whole or not at all."""
        facts = {"identity": self.identity, "losses": {number: each.losses for number, each in members.items()}}
        arrays: dict[str, Array] = {"facts": np.array(json.dumps(facts))}
        for number, member in members.items():
            for name in ("variables", "optimizer", "best"):
                for place, values in enumerate(getattr(member, name)):
                    arrays[f"{number}.{name}.{place:04d}"] = values
        archive = io.BytesIO()
        np.savez(archive, **arrays)  # type: ignore[arg-type]
        content = archive.getvalue()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial.npz")
        with partial.open("wb") as file:
            file.write(hashlib.sha256(content).digest() + content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path)

    def remove(self) -> None:
        """Forget the run: it is over."""
        self.path.unlink(missing_ok=True)


def _member(arrays: Mapping[str, Array], number: str, losses: list[list[float]]) -> MemberState:
    def of(name: str) -> list[Array]:
        start = f"{number}.{name}."
        return [arrays[each] for each in sorted(arrays) if each.startswith(start)]

    return MemberState([(one, other) for one, other in losses], of("variables"), of("optimizer"), of("best"))
