"""New forecasts, told as they come: server-sent events."""

from collections.abc import AsyncIterator
from typing import Final

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from gridcast.app.answers import json_bytes
from gridcast.app.changes import Changes
from gridcast.app.service import Here

router = APIRouter(prefix="/v1/stream", tags=["forecasts"])

_SILENCE: Final = 15.0
"""Seconds after which a comment tells that the connection lives."""


@router.get(
    "",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Events."}},
)
async def stream(here: Here) -> StreamingResponse:
    """An event `forecast` with `issue_time` and `model_version`: the newest at once, then whenever one is new."""
    return StreamingResponse(_told(here.changes), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def _told(changes: Changes) -> AsyncIterator[bytes]:
    seen = None
    while True:
        mark = await changes.after(seen, within=_SILENCE)
        if mark is None or mark == seen:
            yield b": nothing new\n\n"
            continue
        seen = mark
        data = json_bytes({"issue_time": mark.issue_time, "model_version": mark.model_version})
        yield b"event: forecast\ndata: " + data + b"\n\n"
