"""Whose turn it is of the jobs that a runner has been handed: the newest one's."""

from dataclasses import dataclass
from pathlib import Path

from gridcast.ingestion.atomic import write_files


@dataclass(frozen=True, slots=True)
class Turn:
    """The turn of one job. A runner goes on with it although whoever handed it over is gone, and another may follow.

    Attributes:
        file: holds the name of the job whose turn it is; every worker sees it.
        name: of this job, unlike that of any other.
    """

    file: Path
    name: str

    def take(self) -> None:
        """Let it be this job's turn from now on.

        Raises:
            GridcastError: the file cannot be written.
        """
        write_files({self.file: self.name.encode()}, scratch=self.file.with_suffix(".part"))

    def has_passed(self) -> bool:
        """Whether another job has taken it since."""
        try:
            return self.file.read_text(encoding="utf-8") != self.name
        except FileNotFoundError:
            return False
