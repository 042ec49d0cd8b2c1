"""Headers that every answer carries, also those that the framework gives by itself."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY: Final = (
    b"default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; object-src 'none'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ALWAYS: Final = (
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_TWO_YEARS: Final = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")
_UNKEPT: Final = (b"cache-control", b"no-store")
_ASKED_AGAIN: Final = (b"cache-control", b"private, no-cache")
"""With an entity tag: the caller may keep the answer, nobody between may."""
_UNSAID: Final = frozenset({b"server", b"x-powered-by"})


class SecurityHeaders:
    """Adds what an answer lacks; what a route has set itself stays."""

    def __init__(self, app: ASGIApp, *, is_encrypted: bool) -> None:
        self._app = app
        self._added = (*_ALWAYS, _TWO_YEARS) if is_encrypted else _ALWAYS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and the answer back with its headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_api = scope["path"].startswith("/v1")

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = self._completed(message.get("headers", ()), is_api=is_api)
            await send(message)

        await self._app(scope, receive, dressed)

    def _completed(self, given: list[tuple[bytes, bytes]], *, is_api: bool) -> list[tuple[bytes, bytes]]:
        headers = [(name, value) for name, value in given if name not in _UNSAID]
        names = {name for name, _ in headers}
        headers.extend(each for each in self._added if each[0] not in names)
        if is_api and b"cache-control" not in names:
            headers.append(_ASKED_AGAIN if b"etag" in names else _UNKEPT)
        return headers
