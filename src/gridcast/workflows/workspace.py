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
    def registry(self) -> Path:
        """Registered models."""
        return self.data_dir / "registry"

    @property
    def backtest(self) -> Path:
        """What the newest backtest measured."""
        return self.data_dir / "backtest"

    @property
    def report(self) -> Path:
        """The page to look at."""
        return self.data_dir / "report.html"
