"""What the past weeks say of the forecasts to come, without training and without a state to keep.

Once a day (UTC) the model forecasts the past twelve weeks again from what was known then. Series it has never seen are
then forecast as those it knows whose forecasts of their past were best, and all bands are stretched so that they would
have held what was said. Batch, stream and backtest come to the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from gridcast.domain.quantiles import QUANTILE_LEVELS
from gridcast.evaluation.conformal import stretched
from gridcast.evaluation.kin import Kinship, kinship, with_kin
from gridcast.evaluation.refresh import Evidence, refreshed_factors
from gridcast.features.panel import Panel
from gridcast.features.weather_grid import are_forecasts
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.workflows.baselines import lead_buckets
from gridcast.workflows.kin import cold_rows, kin_of, medians_as
from gridcast.workflows.known import DAYS_KNOWN, EVIDENCE_DAYS, Known, known_panel

Floats = npt.NDArray[np.floating]
Places = npt.NDArray[np.int64]

EVIDENCE = timedelta(days=EVIDENCE_DAYS)
BETWEEN_ORIGINS = timedelta(hours=13)
"""Between the origins looked at, so that in time they come at every hour of the day."""
MOST_WINDOWS = 20_000
"""Of many series, origins further apart are looked at, so that no more than this are forecast again."""


@dataclass(frozen=True, slots=True, eq=False)
class Refresh:
    """How a model's forecasts of the series of a panel are adapted.

    Attributes:
        factors: (series, bucket, gap), what gaps between quantiles are stretched by.
        bucket: (lead,) number of the bucket of each lead.
        cold: (cold,), rows of the series that the model has never seen.
        kinship: as whom these are forecast.
    """

    factors: Floats
    bucket: Places
    cold: Places
    kinship: Kinship

    def forecast(self, forecaster: Forecaster, panel: Panel, *, series: npt.ArrayLike, origin: npt.ArrayLike) -> Floats:
        """`Forecaster.forecast`, adapted; the panel's series are those of the refresh, in their order."""
        rows, origins = np.asarray(series), np.asarray(origin)
        quantiles = forecaster.forecast(panel, series=rows, origin=origins).astype(np.float64)
        cold = np.flatnonzero(np.isin(rows, self.cold))
        if len(cold):
            own = Kinship(*(each[np.searchsorted(self.cold, rows[cold])] for each in self.kinship))
            as_kin = _as_kin(forecaster, panel, series=rows[cold], origin=origins[cold], counts=own.share.T > 0)
            quantiles[cold] = own.moved(quantiles[cold], as_kin)
        return stretched(quantiles, self.factors[rows][:, self.bucket])


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

    Series it has never seen are forecast as their possible kin too. Origins that the model was trained beyond, or whose
    horizon leaves the panel, tell nothing.
    """
    begin = max(start, datetime.fromisoformat(forecaster.manifest.trained_until), panel.moment(0))
    rows, cold = np.arange(len(panel.series_ids)), cold_rows(forecaster, panel)
    kin = kin_of(forecaster)
    windows = len(rows) + len(cold) * len(kin)
    origins = np.array(list(_origins(panel, begin, end, leads=forecaster.leads, windows=windows)), dtype=np.int32)
    valid = origins[:, np.newaxis] + np.arange(forecaster.leads, dtype=np.int32)
    actual = panel.load_mw[:, valid]
    tells = np.broadcast_to(np.isfinite(actual[cold]).any(axis=-1), (len(kin), len(cold), len(origins)))
    as_kin = _as_kin(
        forecaster,
        panel,
        series=np.repeat(cold, len(origins)),
        origin=np.tile(origins, len(cold)),
        counts=tells.reshape(len(kin), -1),
    )
    plain = forecaster.forecast(panel, series=np.repeat(rows, len(origins)), origin=np.tile(origins, len(rows)))
    return Evidence(
        origin=origins,
        day=panel.time[origins].astype("datetime64[D]").astype(np.int64),
        actual_mw=actual,
        known_from=panel.known_from[:, valid],
        quantiles_mw=plain.reshape(*actual.shape, len(QUANTILE_LEVELS)),
        cold=cold,
        as_kin_mw=as_kin.reshape(*tells.shape, forecaster.leads),
    )


def refresh_of(evidence: Evidence, panel: Panel, *, issue_time: datetime) -> Refresh:
    """What evidence known at `refresh_time` says of a forecast."""
    labels = lead_buckets(evidence.actual_mw.shape[-1], interval=panel.interval)
    bucket = np.unique(labels, return_inverse=True)[1]
    at = (refresh_time(issue_time) - panel.moment(0)) // panel.interval
    lately = evidence.before(at, back=EVIDENCE // panel.interval)
    found = kinship(lately)
    return Refresh(refreshed_factors(with_kin(lately, found), bucket=bucket), bucket, evidence.cold, found)


def _as_kin(
    forecaster: Forecaster,
    panel: Panel,
    *,
    series: Places,
    origin: npt.NDArray[np.integer],
    counts: npt.NDArray[np.bool_],
) -> npt.NDArray[np.float32]:
    """Medians (kin, window, lead), MW, of windows forecast as each kin where it `counts` (kin, window), else zero."""
    medians = np.zeros((*counts.shape, forecaster.leads), dtype=np.float32)
    for kin, of_kin, windows in zip(kin_of(forecaster), medians, counts, strict=True):
        if windows.any():
            of_kin[windows] = medians_as(kin, forecaster, panel, series=series[windows], origin=origin[windows])
    return medians


def _origins(panel: Panel, start: datetime, end: datetime, *, leads: int, windows: int) -> Iterator[int]:
    """Positions of moments that are the same whatever the panel, so many windows being looked at in each."""
    spacing = max(1, -(-windows * (EVIDENCE // BETWEEN_ORIGINS) // MOST_WINDOWS)) * BETWEEN_ORIGINS
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    moment = epoch - (epoch - start) // spacing * spacing
    while moment < end:
        position = (moment - panel.moment(0)) // panel.interval
        if moment >= start and position + leads <= len(panel.time):
            yield position
        moment += spacing
