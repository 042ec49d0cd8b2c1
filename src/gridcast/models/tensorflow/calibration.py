"""Conformal calibration: stretch the gaps between quantiles until held-out loads fall below them as often as said."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gridcast.domain.day_parts import DAY_PARTS, day_part
from gridcast.domain.lead_time import bucket_of_lead
from gridcast.evaluation.conformal import GAPS, band_factor, conformal_factors, leaning_on, stretched

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]
Bools = npt.NDArray[np.bool_]


class HeldOut(NamedTuple):
    """Forecasts of windows that the network has not learned from, and what then happened."""

    target_mw: Floats
    """(window, lead), NaN = missing."""
    quantiles_mw: Floats
    """(window, lead, quantile)."""
    hour_of_day: Floats
    """(window, lead), local."""
    series: Ints
    """(window,), rows of the panel; −1 for a series unknown to the model."""
    day: Ints
    """(window,), tells days of issue apart: errors within a day are no independent evidence."""


class GapFactors(NamedTuple):
    """Factors of the gaps between quantiles, outward: first those below the median, then those above."""

    by_lead: npt.NDArray[np.float32]
    """(lead, day part, gap)."""
    by_series: npt.NDArray[np.float32]
    """(series + 1, gap); the first row is of a series unknown to the model."""


def gap_factors(held_out: HeldOut, *, interval: timedelta, series: int) -> GapFactors:
    """Factors that give quantiles their nominal level: by lead bucket, leaning on it by day part, and by series.

    Where the evidence is thin a part of the day leans on its bucket, and a series on all series: see `leaning_on`.
    """
    leads = held_out.target_mw.shape[1]
    by_lead = np.ones((leads, len(DAY_PARTS), GAPS), dtype=np.float32)
    part = day_part(held_out.hour_of_day)
    for inside in _buckets(leads, interval=interval):
        of_bucket = np.broadcast_to(inside, part.shape)
        pooled = _factors(held_out, of_bucket)
        for each in range(len(DAY_PARTS)):
            of_part = of_bucket & (part == each)
            by_lead[inside, each] = leaning_on(pooled, _factors(held_out, of_part), days=_days(held_out, of_part))
    at = np.arange(leads)[np.newaxis, :]
    rest = held_out._replace(quantiles_mw=stretched(held_out.quantiles_mw, by_lead[at, part]))
    by_series = np.ones((series + 1, GAPS), dtype=np.float32)
    for row in np.unique(held_out.series):
        own = np.broadcast_to((held_out.series == row)[:, np.newaxis], part.shape)
        by_series[row + 1] = leaning_on(np.ones(GAPS), _factors(rest, own), days=_days(held_out, own))
    return GapFactors(by_lead, by_series)


def calibrated(held_out: HeldOut, factors: GapFactors) -> Floats:
    """The quantiles (window, lead, quantile), MW, stretched by their factors."""
    at = np.arange(held_out.target_mw.shape[1])[np.newaxis, :]
    of_lead = factors.by_lead[at, day_part(held_out.hour_of_day)]
    return stretched(held_out.quantiles_mw, of_lead * factors.by_series[held_out.series + 1][:, np.newaxis])


def lack_factors(lacking: Iterable[HeldOut], factors: GapFactors) -> list[float]:
    """How much wider forecasts have to be that lack something, one for each set of them; see `LACKS`."""
    return [band_factor(each.target_mw, calibrated(each, factors)) for each in lacking]


def _buckets(leads: int, *, interval: timedelta) -> Iterator[Bools]:
    """Which leads (lead,) each bucket holds."""
    label = [bucket_of_lead(lead * interval).label for lead in range(leads)]
    for each in dict.fromkeys(label):
        yield np.array([one == each for one in label])


def _factors(held_out: HeldOut, chosen: Bools) -> Floats:
    return conformal_factors(held_out.target_mw[chosen], held_out.quantiles_mw[chosen])


def _days(held_out: HeldOut, chosen: Bools) -> int:
    observed = (chosen & np.isfinite(held_out.target_mw)).any(axis=1)
    return len(np.unique(held_out.day[observed]))
