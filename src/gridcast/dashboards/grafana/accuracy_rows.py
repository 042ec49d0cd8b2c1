"""SQL of the board Forecast accuracy: means over scored intervals, forecasts by their issue time."""

from typing import Final

from gridcast.dashboards.grafana import runs
from gridcast.dashboards.grafana.queries import SERIES, ZONES, bucket_of, local, mean, within

_OF_SERIES: Final = f"FROM scores WHERE series_id = {SERIES} AND layer = 'model' AND {within('issue_time')} AND n > 0"
_OF_ZONES: Final = f"FROM scores WHERE series_id IN ({ZONES}) AND layer = 'model' AND {within('issue_time')} AND n > 0"
_FIRST_LEAD: Final = "split_part(lead_bucket, '–', 1)::integer"
_IS_KNOWN: Final = "FILTER (WHERE naive_mae_mw IS NOT NULL)"
_MEASURED: Final = "quality IN ('good', 'edited')"


def over_time(metric: str) -> str:
    """A metric of the series by issue time, a line for each lead bucket."""
    return f"""
SELECT {bucket_of("issue_time")} AS "time", lead_bucket AS "metric", {mean(metric)} AS "value"
{_OF_SERIES} GROUP BY 1, 2 ORDER BY 1, min({_FIRST_LEAD})
"""


def _paired(metric: str) -> str:
    """The mean of a metric over the intervals whose week before is known."""
    return f"sum({metric} * n) {_IS_KNOWN} / NULLIF(sum(n) {_IS_KNOWN}, 0)"


AGAINST_NAIVE: Final = f"""
SELECT {bucket_of("issue_time")} AS "time", {_paired("mae_mw")} AS "model",
  {_paired("naive_mae_mw")} AS "last week repeated"
{_OF_SERIES} GROUP BY 1 ORDER BY 1
"""
"""Mean absolute errors of model and weekly naive at the same points."""

COVERAGE: Final = f"""
SELECT {bucket_of("issue_time")} AS "time", {mean("coverage_80")} AS "80 % band", {mean("coverage_90")} AS "90 % band",
  0.8 AS "nominal 80 %", 0.9 AS "nominal 90 %"
{_OF_SERIES} GROUP BY 1 ORDER BY 1
"""
"""Share of actuals inside the bands."""

BY_LEAD: Final = f"""
SELECT lead_bucket AS "lead", {mean("mae_mw")} AS "MAE", {mean("pinball_mw")} AS "pinball", {mean("bias_mw")} AS "bias"
{_OF_SERIES} GROUP BY 1 ORDER BY min({_FIRST_LEAD})
"""
"""Errors of the series by lead bucket."""

BY_HOUR: Final = f"""
WITH actual AS (
  SELECT valid_time, load_mw FROM readings
  WHERE series_id = {SERIES} AND {within("valid_time")} AND {_MEASURED}
)
SELECT to_char({local("actual.valid_time")}, 'HH24') AS "hour", avg(abs(p50 - load_mw)) AS "MAE",
  avg(p50 - load_mw) AS "bias"
FROM actual {runs.last_before()} GROUP BY 1 ORDER BY 1
"""  # noqa: S608
"""Errors of the series by local hour of the interval."""

BY_ZONE: Final = f"""
SELECT series_id AS "series", sum(n) AS "intervals", {mean("mae_mw")} AS "MAE", {mean("bias_mw")} AS "bias",
  {mean("pinball_mw")} AS "pinball",
  1 - ({_paired("pinball_mw")}) / NULLIF({_paired("naive_pinball_mw")}, 0) AS "skill",
  {mean("coverage_80")} AS "in 80 % band", {mean("coverage_90")} AS "in 90 % band"
{_OF_ZONES} GROUP BY 1 ORDER BY 3 DESC
"""
"""Errors by series, the largest first."""

_SIX_HOURS: Final = 6 * 3600 * 1_000_000

AGAINST_OTHERS: Final = f"""
SELECT said.model_version AS "source", said.series_id AS "series", said.lead_bucket AS "lead",
  sum(said.n) AS "intervals", sum(ours.mae_mw * said.n) / sum(said.n) AS "MAE",
  sum(said.mae_mw * said.n) / sum(said.n) AS "MAE of source", sum(said.bias_mw * said.n) / sum(said.n) AS "its bias",
  1 - sum(ours.mae_mw * said.n) / NULLIF(sum(said.mae_mw * said.n), 0) AS "better by"
FROM scores AS said CROSS JOIN LATERAL (
  SELECT mae_mw FROM scores WHERE series_id = said.series_id AND layer = 'model' AND lead_bucket = said.lead_bucket
    AND issue_time BETWEEN said.issue_time - {_SIX_HOURS} AND said.issue_time AND n > 0
  ORDER BY issue_time DESC LIMIT 1
) AS ours
WHERE said.series_id IN ({ZONES}) AND said.layer = 'external' AND {within("said.issue_time")} AND said.n > 0
GROUP BY 1, 2, 3 ORDER BY 2, min(split_part(said.lead_bucket, '–', 1)::integer), 1
"""  # noqa: S608
"""How forecasts of others did beside ours, of which the last that was issued in the six hours before counts."""

VALUE_ADDED: Final = f"""
SELECT operator.series_id AS "series", count(*) AS "intervals", avg(abs(model.p50 - load_mw)) AS "model",
  avg(abs(operator.p50 - load_mw)) AS "operator",
  avg(abs(model.p50 - load_mw) - abs(operator.p50 - load_mw)) AS "value added"
FROM runs JOIN forecasts AS operator ON operator.issue_time = runs.issue_time AND operator.series_id = runs.series_id
  AND operator.layer = 'operator'
JOIN forecasts AS model ON model.issue_time = operator.issue_time AND model.series_id = operator.series_id
  AND model.valid_time = operator.valid_time AND model.layer = 'model'
JOIN readings ON readings.series_id = operator.series_id AND readings.valid_time = operator.valid_time AND {_MEASURED}
WHERE runs.series_id IN ({ZONES}) AND runs.layer = 'operator' AND {within("runs.issue_time")}
GROUP BY 1 ORDER BY 5
"""  # noqa: S608
"""By how much overrides made the mean absolute error smaller, the worst first."""
