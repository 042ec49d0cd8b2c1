"""Where one installation keeps its files."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Workspace:
    """Paths below one data folder."""

    data_dir: Path

    @property
    def raw(self) -> Path:
        """Readings, weather and holidays as received."""
        return self.data_dir / "raw"

    @property
    def processed(self) -> Path:
        """Clean readings of every series with their temperature."""
        return self.data_dir / "processed"

    @property
    def store(self) -> Path:
        """The database of the real-time path."""
        return self.data_dir / "gridcast.db"

    @property
    def turn(self) -> Path:
        """Name of the job on a runner whose turn it is."""
        return self.data_dir / "stream.turn"

    @property
    def registry(self) -> Path:
        """Registered models."""
        return self.data_dir / "registry"

    @property
    def snapshots(self) -> Path:
        """Clean histories that registered models were trained on, each once."""
        return self.data_dir / "snapshots"

    @property
    def backtest(self) -> Path:
        """What the newest backtest of each model, and of each schedule of trainings, measured."""
        return self.data_dir / "backtest"

    @property
    def comparisons(self) -> Path:
        """Models against each other on the same points."""
        return self.backtest / "compare"

    @property
    def evaluation(self) -> Path:
        """What the newest evaluation of each model on new data measured."""
        return self.data_dir / "evaluation"

    @property
    def explanations(self) -> Path:
        """What moved forecasts."""
        return self.data_dir / "explanations"

    @property
    def drift(self) -> Path:
        """What the newest search for drift found."""
        return self.data_dir / "drift.json"

    @property
    def unfinished_training(self) -> Path:
        """How far a training is that was interrupted."""
        return self.data_dir / "training.unfinished.npz"

    @property
    def tuning(self) -> Path:
        """Trials of settings."""
        return self.data_dir / "tuning"

    @property
    def report(self) -> Path:
        """The page to look at."""
        return self.data_dir / "report.html"
