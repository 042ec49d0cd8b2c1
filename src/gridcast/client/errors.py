"""What the service said no to, or why it could not be asked."""

from collections.abc import Mapping
from typing import Any

from gridcast.domain.errors import GridcastError


class ApiError(GridcastError):
    """The service refused a request, or could not be reached; the text is the service's own where it gave one.

    Attributes:
        status: of the answer; None where there was none.
        problem: the members of the problem document; empty where there was none.
        is_passing: whether the next attempt may do better.
        wait: in how many seconds, where the service said so.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        problem: Mapping[str, Any] | None = None,
        is_passing: bool = False,
        wait: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.problem = dict(problem or {})
        self.is_passing = is_passing
        self.wait = wait
