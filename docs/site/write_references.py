"""Writes the generated pages of docs/reference: `python docs/site/write_references.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from reference import commands, service, settings

PAGES = {"cli.md": commands.page, "http.md": service.page, "settings.md": settings.page}
FOLDER = Path(__file__).parents[1] / "reference"


def write(folder: Path = FOLDER) -> None:
    """Write every page anew."""
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write()
