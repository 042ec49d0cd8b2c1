"""The documentation site: built without a warning and without the network, its generated pages those of the code."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
DECISIONS = sorted(path for path in (DOCS / "architecture").glob("*.md") if path.name != "index.md")
NO_NETWORK = (
    "import socket\nsocket.socket.connect = socket.create_connection = None\nfrom mkdocs.__main__ import cli\ncli()"
)


class Fetched(HTMLParser):
    """Addresses that a browser asks for by itself when it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        address = named.get("src") or (named.get("href") if tag == "link" else None)
        if address:
            self.addresses.append(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-c", NO_NETWORK, "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


def test_the_site_has_every_page(site: Path) -> None:
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).with_suffix("")
        built = site / name.parent / "index.html" if name.name == "index" else site / name / "index.html"
        assert built.is_file(), name


def test_no_page_fetches_anything_from_another_host(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        parser = Fetched()
        parser.feed(page.read_text(encoding="utf-8"))
        assert parser.addresses
        assert not [each for each in parser.addresses if re.match(r"(https?:)?//", each)], page


def test_no_style_sheet_fetches_anything_from_another_host(site: Path) -> None:
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert not re.findall(r"(?:url\(|@import\s+)['\"]?(?:https?:)?//[^)'\"]+", text), sheet


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r"[\w/.-]+\.md\b", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    assert pages <= listed


def references() -> ModuleType:
    spec = spec_from_file_location("write_references", DOCS / "site/write_references.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES: dict[str, Callable[[], str]] = references().PAGES


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_generated_page_is_what_the_code_gives_now(name: str) -> None:
    committed = (DOCS / "reference" / name).read_text(encoding="utf-8")
    assert committed == PAGES[name](), 'run "python docs/site/write_references.py"'


@pytest.mark.parametrize("page", [pytest.param(path, id=path.stem) for path in DECISIONS])
def test_a_decision_tells_context_decision_measurement_and_consequences(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    titles = re.findall(r"^#+ .+$", text, flags=re.MULTILINE)
    assert titles[1:] == ["## Context", "## Decision", "## Measured", "## Consequences"]
    assert f"]({page.name})" in (DOCS / "architecture/index.md").read_text(encoding="utf-8")


def test_every_file_that_a_page_names_is_there() -> None:
    named = {
        (page.name, path)
        for page in DOCS.rglob("*.md")
        for path in re.findall(
            r"`((?:tests|benchmarks|src|scripts|config|dashboards|docs)/[\w./-]+)`", page.read_text()
        )
    }
    assert len(named) > 20
    assert not [(page, path) for page, path in named if not (ROOT / path).exists()]


def test_every_benchmark_that_the_accuracy_page_names_can_be_run() -> None:
    names = set(re.findall(r"python -m (benchmarks[\w.]*)", (DOCS / "accuracy.md").read_text(encoding="utf-8")))
    assert len(names) > 4
    for name in names:
        path = ROOT / name.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), name


def test_figures_of_the_accuracy_page_are_those_of_the_readme_and_of_the_model() -> None:
    page = (DOCS / "accuracy.md").read_text(encoding="utf-8")
    headline = (ROOT / "README.md").read_text(encoding="utf-8").split("<!-- headline:start -->")[1].split("<!--")[0]
    model = (ROOT / "models/tensorflow/README.md").read_text(encoding="utf-8")
    rows = [line for line in headline.splitlines() if re.search(r"\d", line)]
    contestants = re.findall(r"^\| [\w ,.'-]+ \| [\d.]+ \| [\d.]+ \| [\d.]+ \|$", model, flags=re.MULTILINE)
    assert len(rows) > 5
    assert len(contestants) > 5
    assert not [row for row in (*rows, *contestants) if row not in page]


def test_the_settings_of_mkdocs_ask_for_no_font_of_another_host() -> None:
    text = re.sub(r"!!python/\S+", "", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    settings = yaml.safe_load(text)
    assert settings["theme"]["font"] is False
    assert settings["strict"] is True
