"""Charts as part of the page: inline SVG without ids that clash, in the page's own font and colours."""

import html
import io
import re
from typing import Final

from matplotlib.figure import Figure

from gridcast.dashboards.report.theme import LIGHT

_PREAMBLE: Final = re.compile(r"^.*?(?=<svg )", re.DOTALL)
_UNUSED: Final = re.compile(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL)
_NAMESPACES: Final = re.compile(r'\s+xmlns(:xlink)?="[^"]*"|\s+version="1.1"')
_FONT: Final = re.compile(r"'DejaVu Sans'(, [^;\"]*)?")
_IDS: Final = re.compile(r'\s+id="([^"]*)"')
_GEOMETRY: Final = re.compile(r'\s(d|x|y|width|height|transform)="[^"]*"')
_DECIMALS: Final = re.compile(r"(\.\d\d)\d+")


def inline_svg(figure: Figure, *, name: str, title: str, description: str) -> str:
    """The figure as one `<svg>` element, the same bytes for the same figure.

    `name` prefixes every id, so it must be unique on the page. `title` and `description` are read out by screen
    readers; both are escaped. Theme colours become CSS variables, and nothing refers to another document.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = _UNUSED.sub("", _PREAMBLE.sub("", buffer.getvalue(), count=1))
    text = _scoped_ids(_NAMESPACES.sub("", text).replace("xlink:href", "href"), name=name)
    text = _GEOMETRY.sub(lambda match: _DECIMALS.sub(r"\1", " ".join(match.group(0).split("\n"))), text)
    for variable, colour in LIGHT.items():
        text = text.replace(colour, f"var(--{variable})")
    text = _FONT.sub("var(--font)", text)
    label = f"{name}-title {name}-desc"
    spoken = (
        f'<title id="{name}-title">{html.escape(title)}</title><desc id="{name}-desc">{html.escape(description)}</desc>'
    )
    return re.sub(
        r"<svg ([^>]*)>",
        lambda match: f'<svg role="img" aria-labelledby="{label}" {_sized(match.group(1))}>{spoken}',
        text,
        count=1,
    ).strip()


def _sized(attributes: str) -> str:
    return re.sub(r'(width|height)="[^"]*"\s*', "", attributes).strip()


def _scoped_ids(text: str, *, name: str) -> str:
    """Ids that something refers to get the prefix, the others go."""
    referred = set(re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', text))
    used = {either for pair in referred for either in pair if either}
    text = _IDS.sub(lambda match: f' id="{name}-{match.group(1)}"' if match.group(1) in used else "", text)
    return text.replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
