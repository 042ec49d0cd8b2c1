"""The files of the page: known ones only, sent once, in the colours of the report."""

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

import gridcast.app
from gridcast.app.problems import answer_problems
from gridcast.app.routes import page
from gridcast.dashboards.report.theme import DARK, LIGHT
from gridcast.domain.series import Level

FOLDER = Path(gridcast.app.__file__).parent / "page"
NAMES = sorted(each.name for each in FOLDER.iterdir())


def ask(path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> httpx.Response:
    async def asked() -> httpx.Response:
        app = FastAPI()
        app.include_router(page.router)
        answer_problems(app)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(asked())


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_sent_as_it_is_and_not_again_while_it_stays_the_same(name: str) -> None:
    found = ask(f"/page/{name}")
    assert found.status_code == 200
    assert found.content == (FOLDER / name).read_bytes()
    assert found.headers["cache-control"] == "no-cache"
    for known in (found.headers["etag"], f'"other", W/{found.headers["etag"]}', "*"):
        again = ask(f"/page/{name}", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == found.headers["etag"]
    assert ask(f"/page/{name}", headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    "name", ["__init__.py", "..%2Fservice.py", "%2e%2e/service.py", "none.js", "board.css%00", "%2Fetc%2Fpasswd"]
)
def test_no_other_file_can_be_reached(name: str) -> None:
    assert ask(f"/page/{name}").status_code == 404


def test_the_first_page_asks_for_known_files_only_and_holds_no_script_or_style_of_its_own() -> None:
    found = ask("/")
    assert found.headers["content-type"] == "text/html; charset=utf-8"
    assert found.text == (FOLDER / "index.html").read_text(encoding="utf-8")
    referred = re.findall(r"""(?:href|src)="([^"#]+)\"""", found.text)
    assert set(referred) == {"page/icon.svg", "page/board.css", "page/board.js"}
    assert not re.search(r"<style|style=|<script(?![^>]* src=)|\son\w+=", found.text)
    assert ask("/", method="HEAD").headers["content-length"] == str(len(found.content))


@pytest.mark.parametrize("name", [each for each in NAMES if each.endswith(".js")])
def test_a_script_imports_only_its_neighbours_and_makes_nothing_of_text(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert {each.removeprefix("./") for each in re.findall(r'from "([^"]+)"', text)} <= set(NAMES)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|localStorage", text
    )


def test_the_picker_knows_every_level_of_the_hierarchy_from_the_top_down() -> None:
    text = (FOLDER / "picker.js").read_text(encoding="utf-8")
    (listed,) = re.findall(r"LEVELS = (\[.*?\]);", text)
    assert json.loads(listed) == [level.value for level in reversed(Level)]


def test_only_the_page_itself_may_be_run_and_asked() -> None:
    policy = dict(each.split(" ", 1) for each in ask("/").headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert {policy[each] for each in ("script-src", "style-src", "img-src", "connect-src")} == {"'self'"}
    assert policy["require-trusted-types-for"] == "'script'"


def test_the_colours_are_those_of_the_report() -> None:
    css = (FOLDER / "board.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", css, flags=re.DOTALL)[:2]
    for block, theme in ((light, LIGHT), (dark, DARK)):
        assert dict(re.findall(r"--([\w-]+): (#\w{6});", block)) == theme
    assert set(re.findall(r"#[0-9a-f]{3,8}\b", css)) <= {*LIGHT.values(), *DARK.values()}
