"""What a network looks like and how it learns: plain values, so that settings can carry them without TensorFlow."""

from dataclasses import dataclass
from datetime import timedelta

from gridcast.domain.errors import UsageError


def _require(fits: bool, name: str, expected: str, spec: object) -> None:
    if not fits:
        raise UsageError(f"{name} is {getattr(spec, name)}; expected a value {expected}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSize:
    """How much the network can hold.

    Attributes:
        width: units of the blocks every lead passes through.
        blocks: how many such blocks.
        encoder_width: units of the blocks that read the recent load.
        summary: numbers that carry the recent load to every lead.
        embedding: numbers that tell series apart.
        dropout: share of units silenced in training.

    Raises:
        UsageError: a value is impossible.
    """

    width: int = 128
    blocks: int = 2
    encoder_width: int = 64
    summary: int = 16
    embedding: int = 8
    dropout: float = 0.1

    def __post_init__(self) -> None:
        for name in ("width", "blocks", "encoder_width", "summary", "embedding"):
            _require(1 <= getattr(self, name) <= 4096, name, "from 1 to 4096", self)
        _require(0 <= self.dropout < 0.5, "dropout", "from 0 to below 0.5", self)


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """What the network looks like.

    Attributes:
        leads: intervals forecast at once.
        interval: length of an interval.
        size: how much it can hold.
    """

    leads: int
    interval: timedelta
    size: NetworkSize = NetworkSize()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSpec:
    """How the network learns.

    Attributes:
        epochs: how often `windows_per_epoch` windows are shown at most.
        windows_per_epoch: windows drawn for one epoch, or all there are if fewer.
        batch_size: windows per step.
        learning_rate: of the first step; it falls to zero over all epochs like a cosine.
        weight_decay: pull of the weights towards zero (AdamW).
        held_out_blocks: blocks of two days and a horizon, spread over the past year, kept for stopping and calibration.
        patience: epochs without progress on them after which training stops.
        seed: of everything random.

    Raises:
        UsageError: a value is impossible.
    """

    epochs: int = 8
    windows_per_epoch: int = 24_576
    batch_size: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    held_out_blocks: int = 16
    patience: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "windows_per_epoch", "batch_size", "held_out_blocks", "patience"):
            _require(getattr(self, name) >= 1, name, "of at least 1", self)
        _require(0 < self.learning_rate <= 1, "learning_rate", "above 0 and at most 1", self)
        _require(0 <= self.weight_decay <= 1, "weight_decay", "from 0 to 1", self)
        _require(0 <= self.seed < 2**32, "seed", "from 0 to 4294967295", self)
