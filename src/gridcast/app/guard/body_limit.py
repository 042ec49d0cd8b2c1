"""No body longer than the service takes, whether its length is declared or not."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gridcast.app.guard.refusals import BodyTooLarge, answer


class BodyLimit:
    """Refuses a body by its declared length before reading it, and else as soon as more has arrived."""

    def __init__(self, app: ASGIApp, *, most_bytes: int) -> None:
        self._app = app
        self._most = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, as far as it is short enough."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _declared(scope) > self._most:
            await answer(BodyTooLarge(limit_bytes=self._most), scope, send)
            return
        received = 0
        is_answered = False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._most:
                raise BodyTooLarge(limit_bytes=self._most)
            return message

        async def watched(message: Message) -> None:
            nonlocal is_answered
            is_answered = True
            await send(message)

        try:
            await self._app(scope, counted, watched)
        except BodyTooLarge as refusal:
            if is_answered:
                raise
            await answer(refusal, scope, send)


def _declared(scope: Scope) -> int:
    """The declared length, 0 where none is declared; what is no number is the server's to refuse."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0
