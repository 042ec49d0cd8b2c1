"""SQL of the board Models."""

from typing import Final

from gridcast.dashboards.grafana.annotations import TAKEN_OVER
from gridcast.dashboards.grafana.queries import SERIES, ZONES, bucket_of, mean, time_of, within

_KINDS: Final = ", ".join(f"'{kind}'" for kind in (*TAKEN_OVER, "promotion_refused", "model_refused"))
_OF_ZONES: Final = f"FROM scores WHERE series_id IN ({ZONES}) AND layer = 'model' AND {within('issue_time')} AND n > 0"

IN_CHARGE: Final = f"""
SELECT model_version AS "version", to_char({time_of("issue_time")}, 'YYYY-MM-DD HH24:MI') AS "newest forecast, UTC"
FROM latest_runs WHERE series_id = {SERIES} AND layer = 'model'
"""  # noqa: S608
"""Which model the newest forecast of the series is from."""

VERSIONS: Final = f"""
SELECT {bucket_of("issue_time")} AS "time", 'model ' || model_version AS "metric", count(*) AS "value"
FROM runs WHERE series_id IN ({ZONES}) AND layer = 'model' AND {within("issue_time")} GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608
"""Forecasts by the model they are from."""

ERRORS: Final = f"""
SELECT {bucket_of("issue_time")} AS "time", 'model ' || model_version AS "metric", {mean("mae_mw")} AS "value"
{_OF_ZONES} GROUP BY 1, 2 ORDER BY 1, 2
"""
"""Mean absolute error by model."""

SCORES: Final = f"""
SELECT model_version AS "version", lead_bucket AS "lead", sum(n) AS "intervals", {mean("mae_mw")} AS "MAE",
  {mean("bias_mw")} AS "bias", {mean("pinball_mw")} AS "pinball", {mean("coverage_80")} AS "in 80 % band",
  {mean("coverage_90")} AS "in 90 % band"
{_OF_ZONES} GROUP BY 1, 2 ORDER BY min(split_part(lead_bucket, '–', 1)::integer), 1
"""
"""Scores by lead bucket and model."""

HISTORY: Final = f"""
SELECT {time_of("at")} AS "time", kind, message FROM events
WHERE kind IN ({_KINDS}) AND {within("at")} ORDER BY event_id DESC LIMIT 100
"""  # noqa: S608
"""Promotions, refusals and roll-backs."""
