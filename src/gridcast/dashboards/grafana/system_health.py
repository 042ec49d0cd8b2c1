"""The board of whoever runs the installation: is everything fresh, quick and without errors."""

from collections.abc import Sequence
from typing import Final

from gridcast.dashboards.grafana import panels, theme, variables
from gridcast.dashboards.grafana.board import board
from gridcast.dashboards.grafana.frames import COUNT, SECONDS, SHARE, Drawn, Frame, steps
from gridcast.dashboards.grafana.queries import PROMETHEUS, samples
from gridcast.dashboards.grafana.sdk import Builder, Dataquery, dashboard
from gridcast.monitoring import metric_names as names

_STEP: Final = "1m"
_OF_LEVEL: Final = '{level=~"$level"}'
_NOT_SCRAPED: Final = "nothing scraped: does Prometheus reach /metrics?"


def system_health() -> dashboard.Dashboard:
    """The board."""
    made = board(
        "System health",
        uid="gridcast-system-health",
        description="Whether readings and forecasts are fresh, how long a reading takes to a forecast, and errors.",
        span=("now-6h", "now"),
        variables=[variables.metrics(), variables.level(names.SERIES.name)],
    )
    feeds = (_latency(), _lag(), _sources(), _source_rows())
    service = (_requests(), _refusals(), _request_times())
    for panel in (_up(), _ages(), _late(), *feeds, _forecasts(), _suspicious(), *service, _events(), _error()):
        made = made.with_panel(panel)
    return made


def _up() -> Drawn:
    text = "Whether the store answers: 1 yes, 0 no; beside it the versions of gridcast that are running."
    queries = [samples(f"min({names.STORE_UP.name})", legend="store up", is_instant=True)]
    queries += [samples(f"count by (version) ({names.BUILD.name})", legend="{{version}}", ref_id="B", is_instant=True)]
    frame = _frame("Up", text, queries, width=6)
    return panels.card(frame)


def _ages() -> Drawn:
    text = "How old the newest load of each level is, and the newest forecast of each layer."
    queries = [samples(f"max by (level) ({names.READING_AGE.name}{_OF_LEVEL})", legend="loads, {{level}}")]
    queries += [samples(f"max by (layer) ({names.FORECAST_AGE.name})", legend="forecast, {{layer}}", ref_id="B")]
    return panels.lines(_frame("Freshness", text, queries, unit=SECONDS, width=9), step=_STEP)


def _late() -> Drawn:
    text = "Share of the series of each level whose newest load is older than status.max_reading_age."
    queries = [samples(f"max by (level) ({names.LATE_SHARE.name}{_OF_LEVEL})", legend="{{level}}")]
    return panels.lines(_frame("Late series", text, queries, unit=SHARE, width=9), step=_STEP).min(0).axis_soft_max(0.1)


def _latency() -> Drawn:
    text = (
        "How long readings took from being received to being seen in a forecast, stage by stage: 95 of 100 were faster."
    )
    rate = f"sum by (le, stage) (rate({names.LATENCY.name}_bucket[$__rate_interval]))"
    queries = [samples(f"histogram_quantile(0.95, {rate})", legend="{{stage}}")]
    return panels.lines(_frame("Latency, 95th percentile", text, queries, unit=SECONDS), step=_STEP)


def _lag() -> Drawn:
    text = "Readings in the log that the stream has not taken yet. It should come back to zero with every tick."
    queries = [samples(f"max({names.STREAM_LAG.name})", legend="readings waiting")]
    return panels.lines(_frame("Stream lag", text, queries), step=_STEP).min(0)


def _sources() -> Drawn:
    text = "Since each live source last brought readings."
    queries = [samples(f"max by (source) ({names.SOURCE_AGE.name})", legend="{{source}}")]
    return panels.lines(_frame("Age of sources", text, queries, unit=SECONDS), step=_STEP)


def _source_rows() -> Drawn:
    text = "Readings landed from each live source, per second."
    queries = [samples(f"max by (source) (rate({names.SOURCE_ROWS.name}[$__rate_interval]))", legend="{{source}}")]
    return panels.lines(_frame("Readings per second", text, queries, unit="rowsps"), step=_STEP).min(0)


def _forecasts() -> Drawn:
    text = "Share of the newest forecast's rows that were made without everything they need."
    queries = [samples(f"max({names.DEGRADED.name})", legend="degraded")]
    colors = {"degraded": theme.between("linear")}
    return (
        panels.lines(_frame("Degraded forecasts", text, queries, unit=SHARE), colors=colors, step=_STEP)
        .min(0)
        .axis_soft_max(0.1)
    )


def _suspicious() -> Drawn:
    text = (
        "Rows of the newest forecast that no load was ever near, and the largest mean change from the forecast before, "
        "in widths of the 80 % band."
    )
    queries = [samples(f"sum({names.IMPOSSIBLE.name})", legend="impossible rows")]
    queries += [samples(f"max({names.JUMP.name})", legend="jump, band widths", ref_id="B")]
    colors = {"impossible rows": theme.between("bad"), "jump, band widths": theme.between("issue")}
    return panels.lines(_frame("Suspicious forecasts", text, queries), colors=colors, step=_STEP).axis_soft_min(0)


def _requests() -> Drawn:
    text = "Requests that the services answer per second, by class of status: 5xx are failures of ours."
    rate = f"sum by (status_class) (rate({names.REQUESTS.name}[$__rate_interval]))"
    queries = [samples(rate, legend="{{status_class}}")]
    return panels.lines(_frame("Requests", text, queries, unit="reqps", width=8), step=_STEP).min(0)


def _refusals() -> Drawn:
    text = "Requests that the services refuse per second, by reason: unauthenticated ones may be guesses."
    rate = f"sum by (reason) (rate({names.REFUSALS.name}[$__rate_interval]))"
    queries = [samples(rate, legend="{{reason}}")]
    return panels.lines(_frame("Refusals", text, queries, unit="reqps", width=8), step=_STEP).min(0)


def _request_times() -> Drawn:
    text = "How long requests wait until their answer begins: 95 of 100 were faster."
    rate = f"sum by (le) (rate({names.REQUEST_TIME.name}_bucket[$__rate_interval]))"
    queries = [samples(f"histogram_quantile(0.95, {rate})", legend="95th percentile")]
    return panels.lines(_frame("Request time", text, queries, unit=SECONDS, width=8), step=_STEP).min(0)


def _events() -> Drawn:
    text = "Events of the time range, by kind: promotions, refusals, an unreachable registry."
    queries = [samples(f"sum by (kind) (increase({names.EVENTS.name}[$__range]))", legend="{{kind}}", is_instant=True)]
    return panels.card(_frame("Events", text, queries, height=5))


def _error() -> Drawn:
    text = "Collections that the store did not answer. Anything above zero needs somebody."
    queries = [samples(f"sum(increase({names.STORE_ERRORS.name}[$__range]))", legend="store errors", is_instant=True)]
    frame = _frame("Errors", text, queries, height=5)
    return panels.card(frame, is_colored=True).thresholds(steps((1, "bad")))


def _frame(
    title: str,
    text: str,
    queries: Sequence[Builder[Dataquery]],
    *,
    unit: str = COUNT,
    width: int = 12,
    height: int = 8,
) -> Frame:
    return Frame(
        title,
        description=text,
        queries=queries,
        source=PROMETHEUS,
        no_value=_NOT_SCRAPED,
        unit=unit,
        width=width,
        height=height,
    )
