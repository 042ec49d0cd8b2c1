"""What MkDocs does beyond mkdocs.yml: pages that lie beside the code belong to the site, other files do not."""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
SHOWN = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "models/tensorflow/README.md",
    "src/gridcast/ingestion/gefcom2012/README.md",
)
"""Pages of the repository that the site shows below `repository/`."""
_BESIDE = "repository"
_FENCE = re.compile(r"(^```.*?^```$)", flags=re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def on_files(files: Files, *, config: Any) -> Files:
    """The files of docs/ and the pages that lie beside the code."""
    for path in SHOWN:
        content = (ROOT / path).read_text(encoding="utf-8")
        files.append(File.generated(config, f"{_BESIDE}/{path}", content=content))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """The text with links that lead out of docs/ turned into pages of the site, or into the path of the file."""
    uri = page.file.src_uri
    parts = _FENCE.split(markdown)
    return "".join(
        part if part.startswith("```") else _LINK.sub(lambda found: _link(found, uri=uri), part) for part in parts
    )


def _link(found: re.Match[str], *, uri: str) -> str:
    picture, text, target = found.groups()
    path, hash_mark, anchor = target.partition("#")
    if not path or "://" in target or target.startswith("mailto:"):
        return found[0]
    here = uri.removeprefix(f"{_BESIDE}/") if uri.startswith(f"{_BESIDE}/") else f"docs/{uri}"
    aim = posixpath.normpath(posixpath.join(posixpath.dirname(here), path))
    if aim in SHOWN:
        inside = f"{_BESIDE}/{aim}"
    elif aim.startswith("docs/"):
        inside = aim.removeprefix("docs/")
    else:
        return text if aim in text or f"`{aim}`" == text else f"{text} (`{aim}`)"
    return f"{picture}[{text}]({posixpath.relpath(inside, posixpath.dirname(uri))}{hash_mark}{anchor})"
