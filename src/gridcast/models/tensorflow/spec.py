"""What a network looks like and how it learns: plain values, so that settings can carry them without TensorFlow."""

from dataclasses import dataclass
from datetime import timedelta


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
    """

    width: int = 128
    blocks: int = 2
    encoder_width: int = 64
    summary: int = 16
    embedding: int = 8
    dropout: float = 0.1


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
    """

    epochs: int = 8
    windows_per_epoch: int = 24_576
    batch_size: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    held_out_blocks: int = 16
    patience: int = 4
    seed: int = 0
