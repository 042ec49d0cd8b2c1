"""The page of HTTP paths is that of the service."""

import re
from pathlib import Path

from fastapi import FastAPI

from gridcast.app.application import ROUTERS
from gridcast.app.guard.access import ACCESS

PAGE = (Path(__file__).parents[3] / "docs/reference/http.md").read_text()


def test_the_page_lists_every_path_with_its_parameters_and_its_role() -> None:
    app = FastAPI()
    for router in ROUTERS:
        app.include_router(router)
    served = {
        (method.upper(), path): {each["name"] for each in described.get("parameters", ())}
        for path, methods in app.openapi()["paths"].items()
        for method, described in methods.items()
    }
    sections = re.findall(r"^## ([A-Z]+) (/\S+)\n(.*?)(?=^## )", PAGE, flags=re.DOTALL | re.MULTILINE)
    told = {(method, path): set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)) for method, path, text in sections}
    assert told == served
    assert all(f"Role: {ACCESS[method, path]}.\n" in text for method, path, text in sections)
