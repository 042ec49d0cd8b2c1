"""The report's colours, each halfway between its light and its dark tone: one board serves both themes of Grafana."""

from typing import Final

from gridcast.dashboards.report.theme import DARK, LIGHT

ACTUAL: Final = "text"
"""Grafana's own colour of text: dark on light, light on dark."""

OF_BUCKETS: Final = ("#3b8ccf", "#d98a1f", "#3aa572", "#cf4689", "#8a78d6", "#8b96a3")
"""In the order of lead buckets or versions; neighbours differ in lightness too."""


def between(name: str) -> str:
    """The colour `name` of the report halfway between its tones on light and on dark pages.

    >>> between("model")
    '#368ccf'
    """
    tones = [[int(table[name][place : place + 2], 16) for place in (1, 3, 5)] for table in (LIGHT, DARK)]
    return "#" + "".join(f"{(light + dark) // 2:02x}" for light, dark in zip(*tones, strict=True))


def faded(color: str, *, opacity: float) -> str:
    """A colour seen through: what a band looks like in the legend.

    >>> faded("#368ccf", opacity=0.4)
    'rgba(54, 140, 207, 0.4)'
    """
    red, green, blue = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"
