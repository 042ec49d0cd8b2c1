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

from gridcast.domain.day_parts import day_part
from gridcast.domain.quantiles import MEDIAN, QUANTILE_LEVELS
from gridcast.evaluation.conformal import stretched
from gridcast.evaluation.kin import Kinship, kinship, with_kin
from gridcast.evaluation.refresh import Evidence, refreshed_factors
from gridcast.features.panel import Panel
from gridcast.features.weather_grid import are_forecasts
from gridcast.features.windows import RECENT_DAYS, Inputs, intervals_per_day
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.workflows.forecasts.baselines import lead_buckets
from gridcast.workflows.forecasts.kin import Kin, cold_rows, inputs_as, kin_of
from gridcast.workflows.forecasts.known import DAYS_KNOWN, EVIDENCE_DAYS, Known, known_panel

Floats = npt.NDArray[np.floating]
Places = npt.NDArray[np.int64]

EVIDENCE = timedelta(days=EVIDENCE_DAYS)
BETWEEN_ORIGINS = timedelta(hours=13)
"""Between the origins looked at, so that in time they come at every hour of the day."""
REFRESH_DELAY = timedelta(hours=1)
"""For which the first forecasts of a day still rest on the evidence of the day before: time to gather the new one."""
FEWEST_DAYS = 2
"""With readings before an origin below which its forecast says nothing of others."""
MOST_WINDOWS = 20_000
"""Of many series, origins further apart are looked at, so that no more than this are forecast again."""


@dataclass(frozen=True, slots=True, eq=False)
class Refresh:
    """How a model's forecasts of the series of a panel are adapted.

    Attributes:
        factors: (series, bucket, day part, gap), what gaps between quantiles are stretched by.
        bucket: (lead,) number of the bucket of each lead.
        cold: (cold,), rows of the series that the model has never seen.
        kin: whom these can be forecast as.
        kinship: what each of them counts.
    """

    factors: Floats
    bucket: Places
    cold: Places
    kin: Kin
    kinship: Kinship

    def forecast(self, forecaster: Forecaster, panel: Panel, *, series: npt.ArrayLike, origin: npt.ArrayLike) -> Floats:
        """`Forecaster.forecast`, adapted; the panel's series are those of the refresh, in their order."""
        inputs = self.inputs(forecaster, panel, series=series, origin=origin, leads=forecaster.leads)
        return self.told(forecaster.predict(inputs), inputs, series=series)

    def inputs(
        self, forecaster: Forecaster, panel: Panel, *, series: npt.ArrayLike, origin: npt.ArrayLike, leads: int
    ) -> Inputs:
        """Inputs of all that the model is asked for: windows as their own series, then cold ones as their kin."""
        rows, origins = np.asarray(series), np.asarray(origin)
        numbers = np.array([forecaster.series_index(each) for each in panel.series_ids])
        kin, window = self._asked(rows)
        number = np.concatenate([numbers[rows], self.kin.number[kin]])
        mix = np.concatenate([panel.mix_of_series[rows], self.kin.mix[kin]])
        everything = np.concatenate([np.arange(len(rows)), window])
        return inputs_as(panel, Kin(number, mix), series=rows[everything], origin=origins[everything], leads=leads)

    def told(self, quantiles_mw: Floats, inputs: Inputs, *, series: npt.ArrayLike) -> Floats:
        """Forecasts (window, lead, quantile), MW, from the model's answers (asked, lead, quantile) to its inputs."""
        rows = np.asarray(series)
        quantiles = quantiles_mw[: len(rows)].astype(np.float64)
        cold = np.flatnonzero(np.isin(rows, self.cold))
        if len(cold):
            as_kin = np.zeros((len(self.kin.number), len(rows), quantiles.shape[1]))
            as_kin[0] = quantiles[..., MEDIAN]
            as_kin[self._asked(rows)] = quantiles_mw[len(rows) :, :, MEDIAN]
            quantiles[cold] = self._kinship_of(rows[cold]).moved(quantiles[cold], as_kin[:, cold])
        part = day_part(inputs["hour_of_day"][: len(rows)])
        return stretched(quantiles, self.factors[rows[:, np.newaxis], self.bucket, part])

    def _asked(self, rows: Places) -> tuple[Places, Places]:
        """Kin and window of what the model is asked for besides the windows as they are."""
        cold = np.flatnonzero(np.isin(rows, self.cold))
        kin, of_cold = np.nonzero(self._kinship_of(rows[cold]).share.T[1:])
        return kin + 1, cold[of_cold]

    def _kinship_of(self, rows: Places) -> Kinship:
        return Kinship(*(each[np.searchsorted(self.cold, rows)] for each in self.kinship))


def refresh_time(issue_time: datetime) -> datetime:
    """The moment whose knowledge the bands of a forecast rest on: the newest start of a UTC day over an hour ago."""
    return (issue_time - REFRESH_DELAY).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


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
    return refresh_of(evidence, forecaster, panel, at=at)


def unrefreshed(forecaster: Forecaster, panel: Panel) -> Refresh:
    """Forecasts stay as the model gives them, those of series it has never seen too."""
    nothing = evidence_of(forecaster, panel, start=panel.end, end=panel.end)
    return refresh_of(nothing, forecaster, panel, at=panel.end)


def evidence_of(forecaster: Forecaster, panel: Panel, *, start: datetime, end: datetime) -> Evidence:
    """Forecasts for every series of a panel, issued again at regular origins in start ≤ origin < end.

    Series it has never seen are forecast as their possible kin too. Origins that the model was trained beyond, or whose
    horizon leaves the panel, tell nothing, nor do forecasts with next to no readings before them.
    """
    begin = max(start, datetime.fromisoformat(forecaster.manifest.trained_until), panel.moment(0))
    rows, cold = np.arange(len(panel.series_ids)), cold_rows(forecaster, panel)
    windows = len(rows) + len(cold) * len(kin_of(forecaster).number)
    origins = np.array(list(_origins(panel, begin, end, leads=forecaster.leads, windows=windows)), dtype=np.int32)
    valid = origins[:, np.newaxis] + np.arange(forecaster.leads, dtype=np.int32)
    actual = np.where(_has_history(panel, origins)[..., np.newaxis], panel.load_mw[:, valid], np.float32(np.nan))
    tells: npt.NDArray[np.bool_] = np.any(np.isfinite(actual[cold]), axis=-1)
    plain = forecaster.forecast(panel, series=np.repeat(rows, len(origins)), origin=np.tile(origins, len(rows)))
    return Evidence(
        origin=origins,
        day=panel.time[origins].astype("datetime64[D]").astype(np.int64),
        actual_mw=actual,
        known_from=panel.known_from[:, valid],
        part=day_part(panel.calendar.hour_of_day[panel.zone_of_series][:, valid]),
        quantiles_mw=plain.reshape(*actual.shape, len(QUANTILE_LEVELS)),
        cold=cold,
        as_kin_mw=_as_kin(forecaster, panel, cold, origins, tells=tells),
    )


def refresh_of(evidence: Evidence, forecaster: Forecaster, panel: Panel, *, at: datetime) -> Refresh:
    """What evidence says of forecasts, as much of it as was known at a `refresh_time`."""
    labels = lead_buckets(evidence.actual_mw.shape[-1], interval=panel.interval)
    bucket = np.unique(labels, return_inverse=True)[1]
    lately = evidence.before((at - panel.moment(0)) // panel.interval, back=EVIDENCE // panel.interval)
    found = kinship(lately)
    factors = refreshed_factors(with_kin(lately, found), bucket=bucket)
    return Refresh(factors, bucket, evidence.cold, kin_of(forecaster), found)


def _has_history(panel: Panel, origins: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Whether each series has readings of `FEWEST_DAYS` among those that the model looks at, (series, origin)."""
    per_day = intervals_per_day(panel.interval)
    before = np.cumsum(np.isfinite(panel.load_mw), axis=1, dtype=np.int32)
    before = np.pad(before, ((0, 0), (1, 0)))
    count = before[:, origins] - before[:, np.maximum(origins - RECENT_DAYS * per_day, 0)]
    enough: npt.NDArray[np.bool_] = count >= FEWEST_DAYS * per_day
    return enough


def _as_kin(
    forecaster: Forecaster, panel: Panel, cold: Places, origins: npt.NDArray[np.int32], *, tells: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    """Medians (kin, cold, origin, lead), MW, of cold series as each kin; zero where nothing `tells` (cold, origin)."""
    kin, leads = kin_of(forecaster), forecaster.leads
    medians = np.zeros((len(kin.number), *tells.shape, leads), dtype=np.float32)
    row, place = np.nonzero(tells)
    for each, (number, mix) in enumerate(zip(*kin, strict=True) if len(row) else ()):
        alike = Kin(np.full(len(row), number), np.full(len(row), mix))
        inputs = inputs_as(panel, alike, series=cold[row], origin=origins[place], leads=leads)
        medians[each, row, place] = forecaster.predict(inputs)[..., MEDIAN]
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
