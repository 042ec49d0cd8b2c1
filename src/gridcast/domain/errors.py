"""What can go wrong, told as: what was received, what was expected, what to do."""


class GridcastError(Exception):
    """A failure the user can act on; the command line prints its text and exits with `exit_code`."""

    exit_code = 1


class UsageError(GridcastError, ValueError):
    """The command line or a configuration file cannot be used; no work has started."""

    exit_code = 2


class GateRefusedError(GridcastError):
    """A quality gate said no; nothing was changed."""

    exit_code = 3


class SeriesError(GridcastError):
    """The readings of one series cannot be used; those of others can."""

    def __init__(self, message: str, series_id: str = "") -> None:
        super().__init__(message)
        self.series_id = series_id
