"""How a model's bands did in the past weeks, and how far they are stretched for it: no training, no state to keep.

Once a day (UTC) the model forecasts the past twelve weeks again from what was known then, and its bands are stretched
so that they would have held what was said. Batch, stream and backtest come to the same factors.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from gridcast.domain.quantiles import QUANTILE_LEVELS
from gridcast.evaluation.conformal import stretched
from gridcast.evaluation.refresh import Evidence, refreshed_factors
from gridcast.features.panel import Panel
from gridcast.features.weather_grid import are_forecasts
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.workflows.baselines import lead_buckets
from gridcast.workflows.known import DAYS_KNOWN, EVIDENCE_DAYS, Known, known_panel

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int32]

EVIDENCE = timedelta(days=EVIDENCE_DAYS)
BETWEEN_ORIGINS = timedelta(hours=13)
"""Between the origins looked at, so that in time they come at every hour of the day."""
MOST_WINDOWS = 20_000
"""Of many series, origins further apart are looked at, so that no more than this are forecast again."""


@dataclass(frozen=True, slots=True, eq=False)
class Refresh:
    """Factors (series, bucket, gap) that a model's gaps between quantiles are stretched by.

    Attributes:
        factors: of each series of the panel.
        bucket: (lead,) number of the bucket of each lead.
    """

    factors: Floats
    bucket: npt.NDArray[np.int64]

    def apply(self, quantiles_mw: Floats, *, series: npt.ArrayLike) -> Floats:
        """Quantiles (window, lead, quantile), MW, of rows of the panel with their gaps stretched; medians stay."""
        of_lead = self.factors[np.asarray(series)][:, self.bucket]
        return stretched(quantiles_mw, of_lead)


def refresh_time(issue_time: datetime) -> datetime:
    """The moment whose knowledge the bands of a forecast rest on: the start of its UTC day."""
    return issue_time.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def refresh_at(forecaster: Forecaster, known: Known, *, issue_time: datetime) -> Refresh | None:
    """What the forecasts of the past weeks say of the bands of one issued now; None if there were no readings then.

    Args:
        forecaster: who forecasts.
        known: what is known at the issue time, `DAYS_KNOWN` days back.
        issue_time: when.
    """
    at = refresh_time(issue_time)
    then = replace(known, readings=known.readings.filter(pl.col("available_at") <= at, pl.col("valid_time") < at))
    if then.readings.is_empty():
        return None
    is_as_issued = bool(known.weather.select(are_forecasts().any()).item())
    panel, _ = known_panel(forecaster, then, issue_time=at, days=DAYS_KNOWN, as_issued=is_as_issued)
    evidence = evidence_of(forecaster, panel, start=at - EVIDENCE, end=at)
    return refresh_of(evidence, panel, issue_time=issue_time)


def evidence_of(forecaster: Forecaster, panel: Panel, *, start: datetime, end: datetime) -> Evidence:
    """Forecasts for every series of a panel, issued again at regular origins in start ≤ origin < end.

    Origins that the model was trained beyond, or whose horizon leaves the panel, tell nothing.
    """
    begin = max(start, datetime.fromisoformat(forecaster.manifest.trained_until), panel.moment(0))
    origins = np.array(list(_origins(panel, begin, end, leads=forecaster.leads)), dtype=np.int32)
    count, leads = len(panel.series_ids), forecaster.leads
    series, origin = np.repeat(np.arange(count), len(origins)), np.tile(origins, count)
    valid = origins[:, np.newaxis] + np.arange(leads, dtype=np.int32)
    return Evidence(
        origin=origins,
        day=panel.time[origins].astype("datetime64[D]").astype(np.int64),
        actual_mw=panel.load_mw[:, valid],
        known_from=panel.known_from[:, valid],
        quantiles_mw=forecaster.forecast(panel, series=series, origin=origin).reshape(
            count, len(origins), leads, len(QUANTILE_LEVELS)
        ),
    )


def refresh_of(evidence: Evidence, panel: Panel, *, issue_time: datetime) -> Refresh:
    """What evidence known at `refresh_time` says of the bands of a forecast."""
    labels = lead_buckets(evidence.actual_mw.shape[-1], interval=panel.interval)
    bucket = np.unique(labels, return_inverse=True)[1]
    at = (refresh_time(issue_time) - panel.moment(0)) // panel.interval
    lately = evidence.before(at, back=EVIDENCE // panel.interval)
    return Refresh(refreshed_factors(lately, bucket=bucket), bucket)


def _origins(panel: Panel, start: datetime, end: datetime, *, leads: int) -> Iterator[int]:
    """Positions of moments that are the same whatever the panel."""
    spacing = max(1, -(-len(panel.series_ids) * (EVIDENCE // BETWEEN_ORIGINS) // MOST_WINDOWS)) * BETWEEN_ORIGINS
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    moment = epoch - (epoch - start) // spacing * spacing
    while moment < end:
        position = (moment - panel.moment(0)) // panel.interval
        if moment >= start and position + leads <= len(panel.time):
            yield position
        moment += spacing
