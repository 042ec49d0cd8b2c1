"""Why a request does not reach its route: status, text and headers, each kind in one place."""

import math
from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

from starlette.exceptions import HTTPException
from starlette.types import Scope, Send

from gridcast.app.answers import PROBLEM_TYPE, problem_bytes

_REALM: Final = 'Bearer realm="gridcast"'


class Refusal(HTTPException):
    """The request is not let through. The text says: what was received, what was expected, what to do."""

    STATUS: ClassVar[int]

    def __init__(self, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(self.STATUS, detail, dict(headers or {}))

    def __str__(self) -> str:
        return self.detail


class Unauthenticated(Refusal):
    """401: who calls is not known."""

    STATUS = 401

    def __init__(self, detail: str, *, is_given: bool) -> None:
        challenge = f'{_REALM}, error="invalid_token"' if is_given else _REALM
        super().__init__(detail, headers={"WWW-Authenticate": challenge})


class Forbidden(Refusal):
    """403: who calls is known and may not do this."""

    STATUS = 403


class UnknownPath(Refusal):
    """404: no route that the access table names."""

    STATUS = 404


class WrongMethod(Refusal):
    """405: the path is asked for with other methods."""

    STATUS = 405

    def __init__(self, method: str, *, allowed: Iterable[str]) -> None:
        text = ", ".join(allowed)
        super().__init__(f"the method is {method[:20]}; expected {text}.", headers={"Allow": text})


class BodyTooLarge(Refusal):
    """413: the body is longer than the service takes."""

    STATUS = 413

    def __init__(self, *, limit_bytes: int) -> None:
        super().__init__(
            f"the body is longer than {limit_bytes:,} bytes; expected at most that. Send it in several requests, or "
            "raise service.limits.body_bytes in config/app_config.yaml.",
            headers={"Connection": "close"},
        )


class TooMany(Refusal):
    """429: later again, not before `wait_s` seconds have passed."""

    STATUS = 429

    def __init__(self, detail: str, *, wait_s: float) -> None:
        seconds = max(1, math.ceil(wait_s))
        super().__init__(f"{detail}; try again in {seconds} s.", headers={"Retry-After": str(seconds)})


class Unavailable(Refusal):
    """503: it cannot be done now."""

    STATUS = 503

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Retry-After": "5"})


async def answer(refusal: Refusal, scope: Scope, send: Send) -> None:
    """Send the refusal as a problem (RFC 9457), where no framework is around to do it."""
    body = problem_bytes(status=refusal.status_code, detail=refusal.detail, path=scope["path"])
    given = {"Content-Type": PROBLEM_TYPE, "Content-Length": str(len(body)), **(refusal.headers or {})}
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in given.items()]
    await send({"type": "http.response.start", "status": refusal.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
