"""The built-in page: the board at `/` and the files it is made of."""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

PAGE_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""What the page may load and run: its own files and nothing else."""

_FIRST: Final = "index.html"
_MEDIA_TYPES: Final[Mapping[str, str]] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file of the page as it is sent."""

    content: bytes
    media_type: str
    etag: str


@functools.cache
def page_files() -> Mapping[str, PageFile]:
    """Every file of the page by its name, read once."""
    folder = resources.files("gridcast.app") / "page"
    found: dict[str, PageFile] = {}
    for each in folder.iterdir():
        media_type = _MEDIA_TYPES.get("." + each.name.rpartition(".")[2])
        if media_type is not None:
            content = each.read_bytes()
            found[each.name] = PageFile(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
    return found


@router.api_route("/", methods=["GET", "HEAD"])
async def show_page(request: Request) -> Response:
    """The board."""
    return _answer(request, _FIRST)


@router.api_route("/page/{name}", methods=["GET", "HEAD"])
async def show_file(request: Request, name: str) -> Response:
    """One of the files the board is made of; no other file can be reached."""
    return _answer(request, name)


def _answer(request: Request, name: str) -> Response:
    file = page_files().get(name)
    if file is None:
        raise HTTPException(404, f"{name!r} is not a file of the page; expected one of those that / refers to.")
    headers = {
        "ETag": file.etag,
        "Cache-Control": "no-cache",
        "Content-Security-Policy": PAGE_POLICY,
    }
    if _is_known(request.headers.get("if-none-match", ""), file.etag):
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)


def _is_known(asked: str, etag: str) -> bool:
    return any(each.strip().removeprefix("W/") in {etag, "*"} for each in asked.split(","))
