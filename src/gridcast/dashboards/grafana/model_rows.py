"""SQL of the board Models."""

from typing import Final

from gridcast.dashboards.grafana.annotations import TAKEN_OVER
from gridcast.dashboards.grafana.queries import SERIES, ZONES, bucket_of, mean, time_of, within

_ON_TRIAL: Final = ("shadow_started", "shadow_refused", "shadow_ended")
_KINDS: Final = ", ".join(f"'{kind}'" for kind in (*TAKEN_OVER, *_ON_TRIAL, "promotion_refused", "model_refused"))
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

_AGAINST: Final = f"""
FROM scores AS shadow JOIN scores AS model ON model.series_id = shadow.series_id
  AND model.issue_time = shadow.issue_time AND model.lead_bucket = shadow.lead_bucket AND model.n = shadow.n
  AND model.layer = 'model'
WHERE shadow.series_id IN ({ZONES}) AND shadow.layer = 'shadow' AND {within("shadow.issue_time")} AND shadow.n > 0
"""

TRIAL: Final = f"""
SELECT {bucket_of("shadow.issue_time")} AS "time",
  sum(model.pinball_mw * model.n) / NULLIF(sum(model.n), 0) AS "in charge",
  sum(shadow.pinball_mw * shadow.n) / NULLIF(sum(shadow.n), 0) AS "on trial"
{_AGAINST} GROUP BY 1 ORDER BY 1
"""
"""Pinball of the model on trial and of the one in charge at the same points."""

TRIALS: Final = f"""
SELECT shadow.model_version AS "on trial", model.model_version AS "in charge", shadow.series_id AS "series",
  sum(shadow.n) AS "intervals", sum(shadow.mae_mw * shadow.n) / sum(shadow.n) AS "MAE on trial",
  sum(model.mae_mw * model.n) / sum(model.n) AS "MAE in charge",
  1 - sum(shadow.pinball_mw * shadow.n) / NULLIF(sum(model.pinball_mw * model.n), 0) AS "better by"
{_AGAINST} GROUP BY 1, 2, 3 ORDER BY 7 DESC
"""
"""How each model on trial does by series, the best first."""

HISTORY: Final = f"""
SELECT {time_of("at")} AS "time", kind, message FROM events
WHERE kind IN ({_KINDS}) AND {within("at")} ORDER BY event_id DESC LIMIT 100
"""  # noqa: S608
"""Promotions, refusals, roll-backs and trials."""
