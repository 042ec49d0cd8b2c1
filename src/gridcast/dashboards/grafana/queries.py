"""What panels ask: PostgreSQL, where times are whole microseconds since 1970, and Prometheus."""

import enum
from dataclasses import dataclass
from typing import Final

from gridcast.dashboards.grafana.sdk import Builder, Dataquery, prometheus, shapes
from gridcast.domain.lead_time import LEAD_BUCKETS

POSTGRES: Final = shapes.DataSourceRef(type_val="grafana-postgresql-datasource", uid="${datasource}")
PROMETHEUS: Final = shapes.DataSourceRef(type_val="prometheus", uid="${metrics}")

FROM: Final = "($__unixEpochFrom()::bigint * 1000000)"
TO: Final = "($__unixEpochTo()::bigint * 1000000)"
"""Ends of the time range, microseconds: columns are compared as they are stored, so that keys are used."""

SERIES: Final = "${series:sqlstring}"
ZONES: Final = "${zones:sqlstring}"
LONGEST_LEAD: Final = int(LEAD_BUCKETS[-1].end.total_seconds()) * 1_000_000


class Shape(enum.StrEnum):
    """How Grafana reads an answer."""

    TABLE = "table"
    """Every column is a field with its name."""
    LONG = "time_series"
    """Columns `time`, `metric` and a value: a field for each metric, named by it."""


@dataclass(frozen=True, slots=True)
class Sql(Dataquery):
    """One query of PostgreSQL."""

    text: str
    shape: Shape = Shape.TABLE
    ref_id: str = "A"

    def to_json(self) -> dict[str, object]:
        """As Grafana keeps it."""
        return {
            "datasource": POSTGRES,
            "editorMode": "code",
            "format": self.shape.value,
            "rawQuery": True,
            "rawSql": self.text.strip(),
            "refId": self.ref_id,
        }


@dataclass(frozen=True, slots=True)
class Asked(Builder[Dataquery]):
    """A query as builders of the SDK want it."""

    query: Sql

    def build(self) -> Dataquery:
        """The query itself."""
        return self.query


def rows(text: str, *, shape: Shape = Shape.TABLE) -> Asked:
    """The query of a panel: SQL that may hold Grafana's macros and the board's variables."""
    return Asked(Sql(text, shape))


def samples(expression: str, *, legend: str, ref_id: str = "A", is_instant: bool = False) -> prometheus.Dataquery:
    """The query of a panel: PromQL over the time range, or at its end."""
    query = prometheus.Dataquery().datasource(PROMETHEUS).expr(expression).legend_format(legend).ref_id(ref_id)
    return query.instant() if is_instant else query.range()


def time_of(column: str) -> str:
    """SQL of the time that a column of microseconds holds."""
    return f"to_timestamp({column} / 1e6)"


def bucket_of(column: str) -> str:
    """SQL of the start of the step, as the board's reader chose it, that a column of microseconds falls into."""
    return f"to_timestamp($__unixEpochGroup({column} / 1000000, $step))"


def local(column: str) -> str:
    """SQL of the wall time, in the zone the board is looked at in, that a column of microseconds holds."""
    return f"({time_of(column)} AT TIME ZONE '${{__timezone}}')"


def within(column: str) -> str:
    """SQL of whether a column of microseconds lies in the time range."""
    return f"{column} BETWEEN {FROM} AND {TO}"


def mean(metric: str) -> str:
    """SQL of a metric of `scores`, the mean over its intervals."""
    return f"sum({metric} * n) / NULLIF(sum(n) FILTER (WHERE {metric} IS NOT NULL), 0)"
