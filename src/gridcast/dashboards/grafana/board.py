"""One board: what all of them share, and its JSON."""

import json
from collections.abc import Sequence
from typing import Final

from gridcast.dashboards.grafana.annotations import Annotation
from gridcast.dashboards.grafana.sdk import JSONEncoder, dashboard, values
from gridcast.dashboards.grafana.variables import Variable

TAG: Final = "gridcast"
REFRESH: Final = "1m"


def board(
    title: str,
    *,
    uid: str,
    description: str,
    span: tuple[str, str],
    variables: Sequence[Variable],
    annotations: Sequence[Annotation] = (),
) -> dashboard.Dashboard:
    """A board without panels, linked to the others, whose times and choices go with the reader.

    Args:
        title: its name.
        uid: its identity, which links and bookmarks keep.
        description: what it answers.
        span: its time range at first.
        variables: what its reader chooses.
        annotations: lines across its charts.
    """
    others = dashboard.DashboardLink("Boards").type(values.DashboardLinkType.DASHBOARDS).tags([TAG])
    made = dashboard.Dashboard(title).uid(uid).description(description).tags([TAG]).timezone("browser").readonly()
    made = made.time(*span).refresh(REFRESH).tooltip(values.DashboardCursorSync.CROSSHAIR).variables(list(variables))
    made = made.link(others.as_dropdown(False).keep_time(True).include_vars(True))
    return made.annotations(list(annotations)) if annotations else made


def rendered(made: dashboard.Dashboard) -> bytes:
    """The board as the JSON that Grafana provisions: panels numbered in their order, keys sorted, a new line last."""
    built = made.build()
    number = 0
    for panel in built.panels or ():
        for each in (panel, *(panel.panels if isinstance(panel, values.RowPanel) else ())):
            number += 1
            each.id_val = number
    return (json.dumps(built, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
