"""Every alert, typed: its expression, how long it must last, how bad it is, and its section of docs/operations.md."""

import enum
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gridcast.monitoring import metric_names as names

RUNBOOK: Final = "docs/operations.md"
_MODEL: Final = '{layer="model"}'
_SAME: Final = "on (job, instance, series_id, lead_bucket)"


class Severity(enum.StrEnum):
    """Who is to be told."""

    CRITICAL = "critical"
    """Somebody, at any hour."""
    WARNING = "warning"
    """Somebody, in office hours."""
    INFO = "info"
    """Whoever looks."""
    NONE = "none"
    """A program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert: it fires once its expression has had a result for so long. `{{ }}` of the summary are Prometheus'."""

    name: str
    expression: str
    severity: Severity
    summary: str
    lasting: timedelta = timedelta(0)

    @property
    def anchor(self) -> str:
        """Of its section in `RUNBOOK`."""
        return self.name.lower()


MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

ALERTS: Final = (
    Alert(
        name="GridcastSourceStale",
        expression=f"{names.SOURCE_AGE.name} > 7200",
        lasting=10 * MINUTE,
        severity=Severity.CRITICAL,
        summary="Source {{ $labels.source }} has brought nothing for {{ $value | humanizeDuration }}.",
    ),
    Alert(
        name="GridcastReadingsOld",
        expression=f'{names.READING_AGE.name}{{level="system"}} > 10800',
        lasting=5 * MINUTE,
        severity=Severity.CRITICAL,
        summary="The newest load of the system is {{ $value | humanizeDuration }} old.",
    ),
    Alert(
        name="GridcastSeriesLate",
        expression=f"{names.LATE_SHARE.name} > 0.05",
        lasting=15 * MINUTE,
        severity=Severity.WARNING,
        summary="{{ $value | humanizePercentage }} of the series of level {{ $labels.level }} are late.",
    ),
    Alert(
        name="GridcastQualityCollapse",
        expression=f'sum without (quality) ({names.CLEAN_READINGS.name}{{quality=~"good|edited"}}) '
        f"/ sum without (quality) ({names.CLEAN_READINGS.name}) < 0.9",
        lasting=15 * MINUTE,
        severity=Severity.WARNING,
        summary="Only {{ $value | humanizePercentage }} of the readings of the newest 24 hours are measured.",
    ),
    Alert(
        name="GridcastForecastMissing",
        expression=f"absent({names.FORECAST_AGE.name}{_MODEL}) and on () ({names.STORE_UP.name} == 1)",
        lasting=10 * MINUTE,
        severity=Severity.CRITICAL,
        summary="There is no forecast at all.",
    ),
    Alert(
        name="GridcastForecastOld",
        expression=f"{names.FORECAST_AGE.name}{_MODEL} > 7200",
        lasting=5 * MINUTE,
        severity=Severity.CRITICAL,
        summary="The newest forecast is {{ $value | humanizeDuration }} old.",
    ),
    Alert(
        name="GridcastForecastDegraded",
        expression=f"{names.DEGRADED.name} > 0.5",
        lasting=HOUR,
        severity=Severity.WARNING,
        summary="{{ $value | humanizePercentage }} of the newest forecast is degraded.",
    ),
    Alert(
        name="GridcastErrorAboveBacktest",
        expression=f"{names.MAE.name}{_MODEL} > {_SAME} {names.MAE_LIMIT.name} "
        f"and {_SAME} {names.POINTS.name}{_MODEL} >= 24",
        lasting=HOUR,
        severity=Severity.WARNING,
        summary="MAE of {{ $labels.series_id }} at {{ $labels.lead_bucket }} is {{ $value | humanize }} MW, above its "
        "backtest.",
    ),
    Alert(
        name="GridcastWorseThanNaive",
        expression=f"{names.PINBALL.name}{_MODEL} > {names.NAIVE_PINBALL.name}{_MODEL} "
        f"and {names.POINTS.name}{_MODEL} >= 72",
        lasting=HOUR,
        severity=Severity.WARNING,
        summary="Forecasts of {{ $labels.series_id }} at {{ $labels.lead_bucket }} are worse than last week repeated.",
    ),
    Alert(
        name="GridcastCoverageOff",
        expression=f'({names.COVERAGE.name}{{layer="model", band="80"}} < 0.6 '
        f'or {names.COVERAGE.name}{{layer="model", band="80"}} > 0.97) '
        f"and ignoring (band) {names.POINTS.name}{_MODEL} >= 168",
        lasting=HOUR,
        severity=Severity.WARNING,
        summary="The 80 % band of {{ $labels.series_id }} at {{ $labels.lead_bucket }} holds "
        "{{ $value | humanizePercentage }} of the loads.",
    ),
    Alert(
        name="GridcastDrift",
        expression=f"{names.DRIFT.name} > 1",
        severity=Severity.WARNING,
        summary="{{ $labels.detector }} of {{ $labels.series_id }} has drifted: {{ $value | humanize }} of its limit.",
    ),
    Alert(
        name="GridcastDriftUnchecked",
        expression=f"{names.DRIFT_AGE.name} > 172800",
        lasting=10 * MINUTE,
        severity=Severity.WARNING,
        summary="Nobody has looked for drift for {{ $value | humanizeDuration }}.",
    ),
    Alert(
        name="GridcastStreamBehind",
        expression=f"{names.STREAM_LAG.name} > 50000",
        lasting=15 * MINUTE,
        severity=Severity.WARNING,
        summary="The stream has {{ $value | humanize }} readings still to take.",
    ),
    Alert(
        name="GridcastReadingsSlow",
        expression="histogram_quantile(0.95, sum by (le) "
        f'(rate({names.LATENCY.name}_bucket{{stage="received_visible"}}[30m]))) > 60',
        lasting=15 * MINUTE,
        severity=Severity.WARNING,
        summary="One reading in twenty takes longer than {{ $value | humanizeDuration }} to show in a forecast.",
    ),
    Alert(
        name="GridcastStoreErrors",
        expression=f"{names.STORE_UP.name} == 0",
        lasting=2 * MINUTE,
        severity=Severity.CRITICAL,
        summary="The store does not answer.",
    ),
    Alert(
        name="GridcastPromotionRefused",
        expression=f'increase({names.EVENTS.name}{{kind="promotion_refused"}}[1h]) > 0',
        severity=Severity.INFO,
        summary="A model was not promoted.",
    ),
    Alert(
        name="GridcastShadowBetter",
        expression=f"avg by (job, instance) ({names.SHADOW_SKILL.name}) > 0.02 "
        f"and on (job, instance) min by (job, instance) ({names.SHADOW_TIME.name}) >= 259200",
        lasting=HOUR,
        severity=Severity.INFO,
        summary="For three days the model on trial has been better than the one in charge, by "
        "{{ $value | humanizePercentage }}.",
    ),
    Alert(
        name="GridcastForecastImpossible",
        expression=f"{names.IMPOSSIBLE.name} > 0",
        lasting=MINUTE,
        severity=Severity.CRITICAL,
        summary="{{ $value }} intervals of the forecast of {{ $labels.series_id }} cannot be true.",
    ),
    Alert(
        name="GridcastForecastJump",
        expression=f"{names.JUMP.name} > 1",
        severity=Severity.WARNING,
        summary="The forecast of {{ $labels.series_id }} moved by {{ $value | humanize }} widths of its 80 % band.",
    ),
    Alert(
        name="GridcastServiceErrors",
        expression=f'sum by (job, instance) (rate({names.REQUESTS.name}{{status_class="5xx"}}[5m])) '
        f"/ sum by (job, instance) (rate({names.REQUESTS.name}[5m])) > 0.05",
        lasting=5 * MINUTE,
        severity=Severity.CRITICAL,
        summary="{{ $labels.instance }} fails at {{ $value | humanizePercentage }} of its requests.",
    ),
    Alert(
        name="GridcastServiceSlow",
        expression="histogram_quantile(0.95, sum by (job, instance, le) "
        f"(rate({names.REQUEST_TIME.name}_bucket[5m]))) > 1",
        lasting=15 * MINUTE,
        severity=Severity.WARNING,
        summary="One request in twenty to {{ $labels.instance }} waits longer than {{ $value | humanizeDuration }}.",
    ),
    Alert(
        name="GridcastCredentialsGuessed",
        expression=f'sum by (job, instance) (increase({names.REFUSALS.name}{{reason="unauthenticated"}}[15m])) > 100',
        severity=Severity.WARNING,
        summary="{{ $value | humanize }} requests to {{ $labels.instance }} in a quarter of an hour had no valid "
        "credential.",
    ),
    Alert(
        name="GridcastDown",
        expression='up{job="gridcast"} == 0',
        lasting=2 * MINUTE,
        severity=Severity.CRITICAL,
        summary="{{ $labels.instance }} does not answer Prometheus.",
    ),
    Alert(
        name="GridcastWatchdog",
        expression="vector(1)",
        severity=Severity.NONE,
        summary="Always there: whoever stops hearing it knows that alarms no longer arrive.",
    ),
)
