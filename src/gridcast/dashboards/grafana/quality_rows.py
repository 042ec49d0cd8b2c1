"""SQL of the board Data quality."""

from typing import Final

from gridcast.dashboards.grafana.queries import ZONES, bucket_of, time_of, within

_OF_ZONES: Final = f"FROM readings WHERE series_id IN ({ZONES}) AND {within('valid_time')}"


def _share(*flags: str) -> str:
    listed = ", ".join(f"'{flag}'" for flag in flags)
    return f"count(*) FILTER (WHERE quality IN ({listed}))::double precision / count(*)"


FLAGS: Final = f"""
SELECT {bucket_of("valid_time")} AS "time", quality AS "metric", count(*) AS "value"
{_OF_ZONES} GROUP BY 1, 2 ORDER BY 1, 2
"""
"""Intervals by quality flag."""

SHARES: Final = f"""
SELECT {bucket_of("valid_time")} AS "time", {_share("estimated")} AS "estimated",
  {_share("bad", "missing")} AS "without a load"
{_OF_ZONES} GROUP BY 1 ORDER BY 1
"""
"""Shares of intervals that were not measured."""

BY_SERIES: Final = f"""
SELECT series_id AS "series", count(*) AS "intervals", {_share("good", "edited")} AS "measured",
  {_share("estimated")} AS "estimated", {_share("bad")} AS "bad", {_share("missing")} AS "missing"
{_OF_ZONES} GROUP BY 1 ORDER BY 3, 1
"""
"""Flags by series, the worst first."""

LATE: Final = f"""
WITH newest AS (
  SELECT series.series_id, found.valid_time
  FROM (SELECT series_id FROM latest_runs WHERE layer = 'model') AS series CROSS JOIN LATERAL (
    SELECT valid_time FROM readings WHERE series_id = series.series_id AND load_mw IS NOT NULL
    ORDER BY valid_time DESC LIMIT 1
  ) AS found
)
SELECT series_id AS "series", {time_of("valid_time")} AS "newest load",
  ((SELECT max(valid_time) FROM newest) - valid_time) / 1e6 AS "behind the others"
FROM newest ORDER BY valid_time, series_id LIMIT 100
"""  # noqa: S608
"""Newest load of each series, the oldest first."""

RULES: Final = f"""
SELECT split_part(rule, '+', 1) AS "rule", count(*) AS "intervals" {_OF_ZONES} AND rule <> '' GROUP BY 1 ORDER BY 2 DESC
"""
"""Intervals by what changed them."""

CORRECTIONS: Final = f"""
SELECT {bucket_of("valid_time")} AS "time", count(*) AS "replaced"
FROM readings_superseded WHERE series_id IN ({ZONES}) AND {within("valid_time")} GROUP BY 1 ORDER BY 1
"""  # noqa: S608
"""Clean readings that were replaced later."""

EVENTS: Final = f"""
SELECT {time_of("at")} AS "time", kind, message FROM events WHERE {within("at")} ORDER BY event_id DESC LIMIT 200
"""  # noqa: S608
"""What happened."""
