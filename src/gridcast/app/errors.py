"""What routes cannot do, with the status of the answer."""

from collections.abc import Mapping
from typing import Any, ClassVar

from gridcast.domain.errors import GridcastError


class RequestError(GridcastError):
    """A request that is not done; `more` are further members of the problem it is answered with."""

    status: ClassVar[int] = 400

    def __init__(self, text: str, *, more: Mapping[str, Any] | None = None) -> None:
        super().__init__(text)
        self.more = dict(more or {})


class BadRequestError(RequestError):
    """It asks for something that makes no sense."""

    status = 422


class NotFoundError(RequestError):
    """What it names is not there."""

    status = 404


class ConflictError(RequestError):
    """What is there does not go with it."""

    status = 409


class TooLargeError(RequestError):
    """It sends, or asks for, too much at once."""

    status = 413
