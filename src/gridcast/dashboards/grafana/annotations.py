"""Lines across charts: now, when the forecast shown was issued, and what happened to models."""

from collections.abc import Collection
from typing import Final

from gridcast.dashboards.grafana import theme
from gridcast.dashboards.grafana.queries import POSTGRES, rows, time_of, within
from gridcast.dashboards.grafana.sdk import Builder, dashboard, values

Annotation = Builder[values.AnnotationQuery]
TAKEN_OVER: Final = ("promoted", "rolled_back", "model_took_over")
"""Kinds of events after which another model may be in charge."""


def now() -> Annotation:
    """The present."""
    return _annotation("Now", 'SELECT now() AS "time", \'now\' AS "text"', color=theme.between("muted"))


def issued(run: str) -> Annotation:
    """When the forecast shown was issued; `run` is SQL of that time in microseconds."""
    text = f'SELECT {time_of("issue_time")} AS "time", \'issued\' AS "text" FROM (SELECT {run} AS issue_time) AS run'  # noqa: S608
    return _annotation("Issued", text, color=theme.between("issue"))


def models() -> Annotation:
    """When another model came into charge."""
    return _annotation("Models", happened(TAKEN_OVER), color=theme.between("good"))


def happened(kinds: Collection[str]) -> str:
    """SQL of the events of some kinds in the time range: `time`, `text`, `tags`."""
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    return (
        f'SELECT {time_of("at")} AS "time", message AS "text", kind AS "tags" FROM events '  # noqa: S608
        f"WHERE kind IN ({listed}) AND {within('at')} ORDER BY 1"
    )


def _annotation(name: str, text: str, *, color: str) -> Annotation:
    return dashboard.AnnotationQuery().name(name).datasource(POSTGRES).enable(True).icon_color(color).target(rows(text))
