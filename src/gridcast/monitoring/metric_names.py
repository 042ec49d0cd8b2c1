"""Every metric, once: its name, what it means and its labels. Units end a name: seconds, megawatts, ratio."""

import enum
from dataclasses import dataclass
from typing import Final


class Kind(enum.StrEnum):
    """What may be done with a metric's numbers."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `name` is what queries use; that of a histogram gets `_bucket` there."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: Kind = Kind.GAUGE


_BY_LEAD: Final = ("series_id", "layer", "lead_bucket")

STORE_UP = Metric("gridcast_store_up", "1 if the store answered when the metrics were collected, else 0.")
STORE_ERRORS = Metric(
    "gridcast_store_errors_total",
    "Collections that the store did not answer, since the process began.",
    (),
    Kind.COUNTER,
)
BUILD = Metric("gridcast_build_info", "1; the version of gridcast.", ("version",))
MODEL = Metric("gridcast_model_info", "1; which registered model has which alias.", ("alias", "version"))

SOURCE_AGE = Metric("gridcast_source_age_seconds", "Since a live source last brought readings.", ("source",))
SOURCE_ROWS = Metric("gridcast_source_rows_total", "Readings landed from a live source.", ("source",), Kind.COUNTER)
READING_AGE = Metric(
    "gridcast_reading_age_seconds", "Since the start of the newest interval with a load, of any series.", ("level",)
)
SERIES = Metric("gridcast_series", "Series that are part of the system now.", ("level",))
LATE_SERIES = Metric(
    "gridcast_late_series", "Of them those whose newest load is older than status.max_reading_age.", ("level",)
)
LATE_SHARE = Metric("gridcast_late_series_ratio", "Share of the series that are late.", ("level",))
CLEAN_READINGS = Metric(
    "gridcast_clean_readings", "Intervals of the 24 hours up to the newest load, all series.", ("quality",)
)
LATENCY = Metric(
    "gridcast_reading_latency_seconds", "How long readings took, stage by stage.", ("stage",), Kind.HISTOGRAM
)
STREAM_LAG = Metric("gridcast_stream_lag_readings", "Readings in the log that the stream has not taken yet.")

FORECAST_AGE = Metric("gridcast_forecast_age_seconds", "Since the newest forecast was issued.", ("layer",))
FORECAST_ROWS = Metric("gridcast_forecast_rows", "Rows of the newest forecast.", ("layer",))
DEGRADED = Metric("gridcast_forecast_degraded_ratio", "Share of the newest forecast's rows that are degraded.")
IMPOSSIBLE = Metric(
    "gridcast_forecast_impossible_rows",
    "Rows of the newest forecast whose median is below zero, where no load was, or above twice the largest load "
    "of four weeks.",
    ("series_id",),
)
JUMP = Metric(
    "gridcast_forecast_jump_ratio",
    "Mean change of the median between the two newest forecasts, in widths of the 80 % band.",
    ("series_id",),
)

POINTS = Metric("gridcast_forecast_scored_points", "Intervals scored in the recent window.", _BY_LEAD)
MAE = Metric("gridcast_forecast_mae_megawatts", "Mean absolute error of the median.", _BY_LEAD)
MAE_LIMIT = Metric(
    "gridcast_forecast_mae_limit_megawatts",
    "Upper edge of the champion's backtest: mean of the daily MAE plus twice its standard deviation.",
    ("series_id", "lead_bucket"),
)
ERROR_SHARE = Metric("gridcast_forecast_error_ratio", "MAE over the mean load of the recent window.", _BY_LEAD)
BIAS = Metric("gridcast_forecast_bias_megawatts", "Mean of forecast − actual.", _BY_LEAD)
PINBALL = Metric("gridcast_forecast_pinball_megawatts", "Mean pinball loss over the quantiles.", _BY_LEAD)
COVERAGE = Metric("gridcast_forecast_coverage_ratio", "Share of actuals inside the band.", (*_BY_LEAD, "band"))
NAIVE_MAE = Metric("gridcast_naive_mae_megawatts", "MAE of the weekly naive at the same points.", _BY_LEAD)
NAIVE_PINBALL = Metric("gridcast_naive_pinball_megawatts", "Pinball of the weekly naive at the same points.", _BY_LEAD)
PEAK_SIZE = Metric(
    "gridcast_forecast_peak_size_error_megawatts",
    "Mean error of the size of the daily peak, last forecast before the local day, last seven days.",
    ("series_id",),
)
PEAK_HOUR = Metric(
    "gridcast_forecast_peak_hour_error_hours", "Mean error of the hour of the daily peak, likewise.", ("series_id",)
)

SHADOW_POINTS = Metric(
    "gridcast_shadow_scored_points",
    "Intervals of the recent window at which the model on trial and the one in charge were both scored.",
    ("series_id",),
)
SHADOW_TIME = Metric("gridcast_shadow_scored_seconds", "From the first to the last forecast of these.", ("series_id",))
SHADOW_SKILL = Metric(
    "gridcast_shadow_skill_ratio",
    "1 − pinball of the model on trial / that of the one in charge, at the same points.",
    ("series_id",),
)

DRIFT = Metric(
    "gridcast_drift_score_ratio", "Newest score of a drift detector over its limit; above 1 is drift.",
    ("series_id", "detector"),
)  # fmt: skip
DRIFT_AGE = Metric("gridcast_drift_check_age_seconds", "Since drift was last looked for.")
EVENTS = Metric("gridcast_events_total", "Events, by kind.", ("kind",), Kind.COUNTER)

REQUESTS = Metric(
    "gridcast_http_requests_total",
    "Requests that this service has answered, since the process began.",
    ("method", "route", "status_class"),
    Kind.COUNTER,
)
REFUSALS = Metric(
    "gridcast_http_refusals_total", "Of them those that were refused, by what the status says.", ("reason",),
    Kind.COUNTER,
)  # fmt: skip
REQUEST_TIME = Metric(
    "gridcast_http_request_seconds", "From a request until its answer began.", ("route",), Kind.HISTOGRAM
)

METRICS: Final[tuple[Metric, ...]] = tuple(each for each in globals().values() if isinstance(each, Metric))
"""All of them, in the order above."""
