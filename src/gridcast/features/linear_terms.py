"""Terms of the linear baseline: what a regression needs to be a respectable opponent."""

import numpy as np
import numpy.typing as npt

from gridcast.features.panel import Panel
from gridcast.features.temperature_terms import TEMPERATURE_TERMS
from gridcast.features.windows import REFERENCES, intervals_per_day, window_inputs

Floats = npt.NDArray[np.float64]

KNOTS_BELOW_C = (16.0, 8.0)
KNOTS_ABOVE_C = (16.0, 21.0, 26.0)
DAY_TYPES = 3


def linear_terms(panel: Panel, *, series: npt.ArrayLike, origin: npt.ArrayLike, leads: int) -> Floats:
    """Design of a regression, (window, lead, term), from the same inputs the network reads.

    Local hour of the day for working days, Saturdays, and Sundays with holidays; temperature hinges, now and as
    24 h mean; load one week before, on the last day available, and its mean over the last week, MW. A row is NaN
    only where such a load or a temperature is missing.
    """
    inputs = window_inputs(panel, series=series, origin=origin, leads=leads)
    temperature = inputs["temperature_c"].astype(np.float64)
    reference = inputs["reference_load_mw"].astype(np.float64)
    week = 7 * intervals_per_day(panel.interval)
    parts = [
        _hours_by_day_type(inputs["hour_of_day"], weekday=inputs["weekday"], holiday=inputs["holiday"][..., 0]),
        inputs["holiday"],
        hinges(temperature[..., TEMPERATURE_TERMS.index("now")]),
        hinges(temperature[..., TEMPERATURE_TERMS.index("mean_24h")]),
        reference[..., [REFERENCES.index("week_1"), REFERENCES.index("last_day")]],
        _week_mean(inputs["recent_load_mw"][:, -week:], leads=leads),
    ]
    return np.concatenate(parts, axis=-1, dtype=np.float64)


def _hours_by_day_type(hour_of_day: npt.ArrayLike, *, weekday: npt.ArrayLike, holiday: npt.ArrayLike) -> Floats:
    hour = np.asarray(hour_of_day).astype(np.int64)
    one_hot: Floats = np.eye(24 * DAY_TYPES)[day_types(weekday, holiday=holiday) * 24 + hour]
    return one_hot


def day_types(weekday: npt.ArrayLike, *, holiday: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """0 for working days, 1 for Saturdays, 2 for Sundays and holidays, in the shape of the weekdays (Monday is 0)."""
    day = np.asarray(weekday)
    return np.where((day == 6) | (np.asarray(holiday) > 0.5), 2, np.where(day == 5, 1, 0))


def hinges(temperature_c: Floats) -> Floats:
    """Degrees below each of `KNOTS_BELOW_C` and above each of `KNOTS_ABOVE_C`, (…) → (…, knot)."""
    below = [np.maximum(knot - temperature_c, 0.0) for knot in KNOTS_BELOW_C]
    above = [np.maximum(temperature_c - knot, 0.0) for knot in KNOTS_ABOVE_C]
    return np.stack([*below, *above], axis=-1)


def _week_mean(load_mw: npt.NDArray[np.generic], *, leads: int) -> Floats:
    load = load_mw.astype(np.float64)
    observed = np.isfinite(load)
    count = observed.sum(axis=1)
    total = np.where(observed, load, 0.0).sum(axis=1)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return np.repeat(mean[:, np.newaxis, np.newaxis], leads, axis=1)
