"""Every file that Grafana is provisioned from, by its path below the folder of boards."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from gridcast.dashboards.grafana.accuracy import accuracy
from gridcast.dashboards.grafana.board import rendered
from gridcast.dashboards.grafana.data_quality import data_quality
from gridcast.dashboards.grafana.models import models
from gridcast.dashboards.grafana.operations import operations
from gridcast.dashboards.grafana.provisioning import PROVISIONED
from gridcast.dashboards.grafana.sdk import dashboard
from gridcast.dashboards.grafana.system_health import system_health


def boards() -> Iterator[dashboard.Dashboard]:
    """All boards, in the order of a day: what is coming first."""
    yield from (operations(), accuracy(), data_quality(), models(), system_health())


def files() -> Mapping[PurePosixPath, bytes]:
    """Path → content: the boards as JSON, data sources and where boards lie as YAML."""
    made = {}
    for each in boards():
        made[PurePosixPath("boards", f"{each.build().uid}.json")] = rendered(each)
    return {**made, **{PurePosixPath(path): text.encode() for path, text in PROVISIONED.items()}}
