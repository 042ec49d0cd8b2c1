"""A headless Chromium, and what is looked at on every page: what it complains of, where it asks, who can read it."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright
from support.services import require_programs

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_CHECKS = Path(__file__).with_name("page_checks.js").read_text(encoding="utf-8")
Scheme = Literal["light", "dark"]


@dataclass
class Watched:
    """A page with all that it asked for and complained of."""

    page: Page
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def hosts(self) -> set[str]:
        """Every host that was asked for anything."""
        return {urlsplit(each).netloc for each in self.asked}

    def faults(self) -> list[str]:
        """What keeps people from reading or using the page as it is now."""
        found: list[str] = self.page.evaluate(_CHECKS)
        return found


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; absent, it is a reason to skip."""
    (program,) = require_programs("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def watched(browser: Browser, *, width: int = 1360, height: int = 900, scheme: Scheme = "light") -> Iterator[Watched]:
    """A new window of its own."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, locale="en-GB")
    context.set_default_timeout(15_000)
    try:
        found = Watched(context.new_page())
        found.page.on("request", lambda request: found.asked.append(request.url))
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.on(
            "console", lambda said: found.complaints.append(said.text) if said.type in {"error", "warning"} else None
        )
        yield found
    finally:
        context.close()


def kept_by(page: Page) -> dict[str, Any]:
    """What a page has left in the browser."""
    text = page.evaluate(
        "JSON.stringify({session: {...sessionStorage}, local: {...localStorage}, cookie: document.cookie})"
    )
    found: dict[str, Any] = json.loads(text)
    return found
