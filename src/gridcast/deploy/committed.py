"""Files of kubernetes/ that are made from others: the rules of Prometheus as an object, and the rendered overlays."""

from pathlib import Path
from typing import Final

from gridcast.deploy.rendering import render
from gridcast.domain.errors import UsageError

_RULES: Final = Path("components/monitoring/prometheus_rule.yaml")
_HEAD: Final = """\
# Made from config/prometheus/gridcast_alerts.yml by "gridcast deploy render".
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: gridcast
spec:
"""


def prometheus_rule(alerts: str) -> str:
    r"""The alert rules as an object of the Prometheus operator.

    >>> print(prometheus_rule("# Comment.\ngroups: []\n").partition("spec:")[2])
    <BLANKLINE>
      groups: []
    <BLANKLINE>
    """
    lines = [line for line in alerts.splitlines() if not line.startswith("#")]
    return _HEAD + "".join(f"  {line}\n" if line else "\n" for line in lines)


def write_rule(folder: Path) -> tuple[Path, str]:
    """The path of the object with the alert rules, and what belongs in it.

    Raises:
        UsageError: the rules are not beside.
    """
    alerts = folder.parent / "config/prometheus/gridcast_alerts.yml"
    try:
        return folder / _RULES, prometheus_rule(alerts.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{alerts} cannot be read ({error}); expected {folder} in a clone of gridcast.") from error


def rendered(folder: Path, *, kubectl: str = "kubectl") -> dict[Path, str]:
    """Every overlay, rendered, by the path where it is kept."""
    overlays = sorted(each.parent for each in folder.glob("overlays/*/kustomization.yaml"))
    if not overlays:
        raise UsageError(f"{folder}: no overlays; expected a folder like kubernetes/ of gridcast.")
    return {folder / f"rendered/{each.name}.yaml": _head(each) + render(each, kubectl=kubectl) for each in overlays}


def _head(overlay: Path) -> str:
    return f'# Made from overlays/{overlay.name} by "gridcast deploy render".\n'
