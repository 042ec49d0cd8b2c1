"""SQL of the board Operations: of the series and the forecast that its reader chose."""

from typing import Final

from gridcast.dashboards.grafana import chances, runs
from gridcast.dashboards.grafana.queries import SERIES, local, time_of, within

_RUN: Final = f"run AS (SELECT {runs.chosen()} AS issue_time)"
_IS_OF_RUN: Final = f"issue_time = (SELECT issue_time FROM run) AND series_id = {SERIES} AND layer = 'model'"  # noqa: S608
_CHANCE: Final = chances.above("bound.limit_mw")

FACTS: Final = f"""
SELECT to_char({local("issue_time")}, 'YYYY-MM-DD HH24:MI') AS "issued", model_version AS "model",
  (SELECT to_char({local("max(valid_time)")}, 'YYYY-MM-DD HH24:MI') FROM readings WHERE series_id = {SERIES})
  AS "newest reading"
FROM runs WHERE series_id = {SERIES} AND layer = 'model' AND issue_time = {runs.chosen()}
"""  # noqa: S608
"""Which forecast is shown."""

PEAK: Final = f"""
WITH {_RUN}, bound AS (SELECT {chances.limit("(SELECT issue_time FROM run)")} AS limit_mw)
SELECT max(p50) AS "median", max(p90) AS "upper end, 80 % band", max({_CHANCE}) AS "above the limit",
  min(limit_mw) AS "limit"
FROM forecasts CROSS JOIN bound
WHERE {_IS_OF_RUN} AND valid_time < (SELECT issue_time FROM run) + 86400000000 HAVING count(*) > 0
"""  # noqa: S608
"""The peak of the next 24 hours."""

DAYS: Final = f"""
WITH {_RUN}, bound AS (SELECT {chances.limit("(SELECT issue_time FROM run)")} AS limit_mw)
SELECT to_char({local("valid_time")}, 'YYYY-MM-DD') AS "day", max(p50) AS "p50", max(p90) AS "p90",
  to_char((array_agg({local("valid_time")} ORDER BY p50 DESC))[1], 'HH24:MI') AS "hour of p50",
  max({_CHANCE}) AS "above the limit"
FROM forecasts CROSS JOIN bound WHERE {_IS_OF_RUN} GROUP BY 1 ORDER BY 1
"""  # noqa: S608
"""Peaks by local day."""

CHANGE: Final = f"""
WITH {_RUN}, before AS (
  SELECT max(issue_time) AS issue_time FROM runs
  WHERE series_id = {SERIES} AND layer = 'model' AND issue_time < (SELECT issue_time FROM run)
)
SELECT {time_of("newer.valid_time")} AS "time", newer.p50 - older.p50 AS "change"
FROM forecasts AS newer JOIN forecasts AS older USING (series_id, valid_time, layer)
WHERE newer.issue_time = (SELECT issue_time FROM run) AND older.issue_time = (SELECT issue_time FROM before)
AND series_id = {SERIES} AND layer = 'model' AND {within("newer.valid_time")} ORDER BY 1
"""  # noqa: S608
"""Change of the median since the issue before."""

OVERRIDES: Final = f"""
SELECT series_id AS "series", {time_of("start")} AS "start", {time_of('"end"')} AS "end", operation, value, author,
  reason, {time_of("expires_at")} AS "expires"
FROM overrides WHERE withdrawn_at IS NULL AND expires_at > {runs.chosen()} ORDER BY "start"
"""  # noqa: S608
"""What operators set that changes the forecast shown."""
