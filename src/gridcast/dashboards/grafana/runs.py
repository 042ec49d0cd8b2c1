"""SQL of forecasts: of one run, or of the runs that were the last before each interval."""

from typing import Final

from gridcast.dashboards.grafana.queries import LONGEST_LEAD, SERIES, within

BANDS: Final = ("p10", "p25", "p50", "p75", "p90")


def chosen(series: str = SERIES) -> str:
    """SQL of the issue time, microseconds, of the forecast that is shown of a series."""
    return f"(SELECT max(issue_time) FROM runs WHERE series_id = {series} AND layer = 'model' AND issue_time <= $issue)"  # noqa: S608


def last_before(series: str = SERIES) -> str:
    """SQL that joins to `actual` (`valid_time`) the last forecast `said` of its interval, long enough before it."""
    return f"""
CROSS JOIN LATERAL (
  SELECT max(issue_time) AS issue_time FROM runs WHERE series_id = {series} AND layer = 'model'
  AND issue_time <= actual.valid_time - $ahead AND issue_time > actual.valid_time - {LONGEST_LEAD}
) AS past
JOIN forecasts AS said ON said.issue_time = past.issue_time AND said.series_id = {series}
AND said.valid_time = actual.valid_time AND said.layer = 'model'"""  # noqa: S608


def fan(series: str = SERIES) -> str:
    """SQL of a fan chart: up to its issue time the forecasts that went before each interval, then the one shown."""
    quantiles = ", ".join(BANDS)
    of_said = ", ".join(f"said.{name}" for name in BANDS)
    run = "issue_time = (SELECT issue_time FROM run)"
    return f"""
WITH run AS (SELECT {chosen(series)} AS issue_time), actual AS (
  SELECT valid_time, load_mw FROM readings
  WHERE series_id = {series} AND {within("valid_time")} AND load_mw IS NOT NULL
), told AS (
  SELECT valid_time, {quantiles} FROM forecasts
  WHERE {run} AND series_id = {series} AND layer = 'model' AND {within("valid_time")}
  UNION ALL
  SELECT actual.valid_time, {of_said} FROM actual {last_before(series)}
  WHERE actual.valid_time < (SELECT issue_time FROM run)
), operator AS (
  SELECT valid_time, p50 AS operator FROM forecasts
  WHERE {run} AND series_id = {series} AND layer = 'operator' AND {within("valid_time")}
)
SELECT to_timestamp(valid_time / 1e6) AS "time", {quantiles}, operator, load_mw AS "actual"
FROM told FULL JOIN actual USING (valid_time) LEFT JOIN operator USING (valid_time) ORDER BY 1
"""  # noqa: S608
