"""What the cluster refuses, and what went wrong after it was changed."""

from gridcast.domain.errors import GridcastError


class RefusedError(GridcastError):
    """The cluster said no.

    Attributes:
        status: of HTTP; 0 where nothing answered.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class ConflictsError(RefusedError):
    """Somebody else set fields that the manifests set to other values; nothing was changed."""


class RolloutError(GridcastError):
    """A rollout, a task or the test after it failed."""
