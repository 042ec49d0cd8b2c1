"""Colours and type of every chart and page: one table, distinguishable without colour vision, light and dark."""

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import matplotlib as mpl

LIGHT: Final[dict[str, str]] = {
    "page": "#ffffff",
    "surface": "#f5f7f9",
    "line": "#dfe4ea",
    "muted": "#586574",
    "ink": "#16202c",
    "model": "#0a66ad",
    "band-80": "#94c2e6",
    "band-90": "#d2e5f5",
    "linear": "#d97b06",
    "naive": "#8b96a3",
    "tolerance": "#dde3ea",
    "issue": "#a3195b",
    "good": "#12734a",
    "bad": "#b3261e",
    "good-tint": "#e2f3ea",
    "bad-tint": "#fbe7e5",
    "warn-tint": "#fff1d6",
}
"""Name → colour on a light page; charts are drawn in these and the page swaps them by name."""

DARK: Final[dict[str, str]] = {
    "page": "#10161d",
    "surface": "#19212b",
    "line": "#2e3946",
    "muted": "#9fadbc",
    "ink": "#e8edf2",
    "model": "#63b3f2",
    "band-80": "#2a628f",
    "band-90": "#1d3d58",
    "linear": "#f2a33c",
    "naive": "#7d8895",
    "tolerance": "#2b3744",
    "issue": "#f279b2",
    "good": "#5fd39b",
    "bad": "#ff8a80",
    "good-tint": "#143325",
    "bad-tint": "#40201d",
    "warn-tint": "#3d2f12",
}
"""The same names on a dark page."""

FORECASTER_LABELS: Final = {"model": "model", "linear": "linear regression", "naive": "last week repeated"}

_STYLE: Final[Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "text.parse_math": False,
    "text.color": LIGHT["ink"],
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": LIGHT["line"],
    "axes.labelcolor": LIGHT["muted"],
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titlecolor": LIGHT["ink"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LIGHT["line"],
    "grid.linewidth": 0.6,
    "xtick.color": LIGHT["line"],
    "ytick.color": LIGHT["line"],
    "xtick.labelcolor": LIGHT["muted"],
    "ytick.labelcolor": LIGHT["muted"],
    "ytick.major.size": 0.0,
    "xtick.major.size": 3.0,
    "xtick.minor.size": 2.0,
    "legend.frameon": False,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "svg.hashsalt": "gridcast",
}


@contextlib.contextmanager
def chart_style() -> Iterator[None]:
    """Draws in the report's style inside the block, whatever the user's own Matplotlib settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield
