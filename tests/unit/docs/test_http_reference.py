"""The table of paths in the API reference is that of the service."""

import re
from pathlib import Path

from fastapi import FastAPI

from gridcast.app.application import ROUTERS

REFERENCE = (Path(__file__).parents[3] / "docs/api_reference.md").read_text()


def test_the_reference_lists_every_path_with_its_parameters() -> None:
    app = FastAPI()
    for router in ROUTERS:
        app.include_router(router)
    served = {
        f"{method.upper()} {path}": {
            each["name"].lower() for each in described.get("parameters", ()) if each["in"] != "path"
        }
        for path, methods in app.openapi()["paths"].items()
        for method, described in methods.items()
    }
    table = REFERENCE.split("## HTTP")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([A-Z]+ /[^`]+)` \| (.*?) \|", table, flags=re.MULTILINE)
    told = {path: {name.lower() for name in re.findall(r"`([^`]+)`", parameters)} for path, parameters in rows}
    assert told == served
