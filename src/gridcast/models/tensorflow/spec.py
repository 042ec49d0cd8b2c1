"""What a network looks like and how it learns: plain values, so that settings can carry them without TensorFlow."""

from dataclasses import dataclass
from datetime import timedelta

from gridcast.domain.errors import UsageError

USUAL_LEADS = 48
"""Two days by the hour."""


def _require(fits: bool, name: str, expected: str, spec: object) -> None:
    if not fits:
        raise UsageError(f"{name} is {getattr(spec, name)}; expected a value {expected}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSize:
    """How much the network can hold.

    Attributes:
        width: units of the blocks every lead passes through.
        blocks: how many such blocks.
        encoder_width: units of the blocks that read the recent load and the horizon as a whole.
        summary: numbers that carry what each of these has read to every lead.
        horizon: numbers of each hour of the horizon that they read.
        embedding: numbers that tell series apart.
        dropout: share of units silenced in training.
        noise: standard deviation of what is added to the scaled inputs in training.

    Raises:
        UsageError: a value is impossible.
    """

    width: int = 128
    blocks: int = 2
    encoder_width: int = 64
    summary: int = 16
    horizon: int = 8
    embedding: int = 8
    dropout: float = 0.3
    noise: float = 0.02

    def __post_init__(self) -> None:
        for name in ("width", "blocks", "encoder_width", "summary", "horizon", "embedding"):
            _require(1 <= getattr(self, name) <= 4096, name, "from 1 to 4096", self)
        _require(0 <= self.dropout < 0.5, "dropout", "from 0 to below 0.5", self)
        _require(0 <= self.noise <= 1, "noise", "from 0 to 1", self)


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
        members: networks that learn from other random beginnings; their mean is the forecast.
        epochs: how often `windows_per_epoch` windows are shown to each at most.
        windows_per_epoch: windows of `USUAL_LEADS` intervals in an epoch, see `windows_in_epoch`.
        batch_size: windows of `USUAL_LEADS` intervals per step, see `windows_in_step`.
        learning_rate: of the first step; it falls to zero over all epochs like a cosine.
        weight_decay: pull of the weights towards zero (AdamW).
        half_life_days: age at which a window counts half as much as the newest.
        blind_share: share of the windows that are shown with something missing, so that the network learns to do
            without: weather, the newest readings, older history, or who the series is.
        held_out_blocks: blocks of two days and a horizon, spread over the past year, that members share out and keep to
            themselves for stopping and calibration.
        patience: epochs without progress on them after which a member stops.
        seed: of everything random.

    Raises:
        UsageError: a value is impossible.
    """

    members: int = 4
    epochs: int = 5
    windows_per_epoch: int = 16_384
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.3
    half_life_days: float = 1095.0
    blind_share: float = 0.25
    held_out_blocks: int = 18
    patience: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("members", "epochs", "windows_per_epoch", "batch_size", "held_out_blocks", "patience"):
            _require(getattr(self, name) >= 1, name, "of at least 1", self)
        _require(self.members <= 20, "members", "from 1 to 20", self)
        _require(0 < self.learning_rate <= 1, "learning_rate", "above 0 and at most 1", self)
        _require(0 <= self.weight_decay <= 1, "weight_decay", "from 0 to 1", self)
        _require(self.half_life_days >= 1, "half_life_days", "of at least 1", self)
        _require(0 <= self.blind_share <= 0.9, "blind_share", "from 0 to 0.9", self)
        _require(0 <= self.seed < 2**32, "seed", "from 0 to 4294967295", self)

    def windows_in_epoch(self, windows: int, *, leads: int) -> int:
        """How many of `windows` windows an epoch shows: longer or finer horizons fewer, but a quarter at least.

        Never more than half of them, as windows an interval apart tell nearly the same.

        >>> TrainSpec().windows_in_epoch(1_000_000, leads=48), TrainSpec().windows_in_epoch(1_000_000, leads=168)
        (16384, 4681)
        """
        return max(1, min(int(self.windows_per_epoch * _share_of_usual(leads)), windows // 2))

    def windows_in_step(self, *, leads: int) -> int:
        """Windows per step: of longer or finer horizons fewer, a quarter at least, so that there are as many steps.

        >>> TrainSpec().windows_in_step(leads=48), TrainSpec().windows_in_step(leads=168)
        (64, 18)
        """
        return max(1, int(self.batch_size * _share_of_usual(leads)))


def _share_of_usual(leads: int) -> float:
    return min(1.0, max(USUAL_LEADS / leads, 0.25))
