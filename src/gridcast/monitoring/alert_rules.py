"""The rules file of Prometheus; the committed one is what `render_rules` gives."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from gridcast.monitoring.alerts import ALERTS, HOUR, MINUTE, RUNBOOK

_HEAD: Final = (
    "# Made by gridcast.monitoring.alert_rules; change it there. Every alert has a section in docs/operations.md.\n"
)


def render_rules(*, time_scale: float = 1.0) -> str:
    """The rules file. A `time_scale` below one shortens how long things must last, and ranges, for a drill."""
    return _HEAD + "".join(_lines(time_scale))


def _lines(scale: float) -> Iterator[str]:
    yield "groups:\n  - name: gridcast\n    rules:\n"
    for each in ALERTS:
        expression = re.sub(r"\[(\d+)([mh])\]", lambda found: f"[{_scaled_range(found, scale)}]", each.expression)
        yield f"      - alert: {each.name}\n        expr: {json.dumps(expression)}\n"
        if each.lasting:
            yield f"        for: {_duration(each.lasting * scale)}\n"
        yield f"        labels: {{severity: {each.severity.value}}}\n        annotations:\n"
        yield f"          summary: {json.dumps(each.summary, ensure_ascii=False)}\n"
        yield f"          runbook_url: {RUNBOOK}#{each.anchor}\n"


def _scaled_range(found: re.Match[str], scale: float) -> str:
    unit = {"m": MINUTE, "h": HOUR}[found[2]]
    return found[0][1:-1] if scale == 1 else _duration(int(found[1]) * unit * scale)


def _duration(length: timedelta) -> str:
    """As Prometheus writes it: 5m, 1h, or milliseconds."""
    for unit, name in ((HOUR, "h"), (MINUTE, "m"), (timedelta(seconds=1), "s")):
        if length and not length % unit:
            return f"{length // unit}{name}"
    return f"{max(1, length // timedelta(milliseconds=1))}ms"
