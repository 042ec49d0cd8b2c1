"""Temperature terms of windows as they were known at their origins, over the past and the horizon."""

from datetime import timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gridcast.features.day_calendar import LAG_DAYS
from gridcast.features.panel import Panel
from gridcast.features.temperature_terms import TEMPERATURE_MEANS, temperature_terms
from gridcast.features.vintages import Vintages

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

LONGEST_PAST = timedelta(days=max(LAG_DAYS), hours=2) + max(TEMPERATURE_MEANS)
"""What terms of the oldest reference day rest on, with room for a clock change."""


class KnownTerms(NamedTuple):
    """Temperature terms around origins."""

    terms_c: Floats
    """(window, span, term), °C."""
    first: npt.NDArray[np.int64]
    """(window,), position on the panel of the first interval of the span."""


def terms_at(panel: Panel, *, mix: Ints, origin: Ints, position: Ints, leads: int) -> Floats:
    """Temperature terms of windows with a `mix` (window,) of the panel at positions (window, …), (window, …, term), °C.

    With vintages they are those known at the origin: of an interval the newest vintage then, means over those. Without,
    they are the panel's. Before the panel they are NaN.
    """
    wide = (slice(None), *(np.newaxis,) * (position.ndim - 1))
    if panel.vintages is None:
        terms = panel.temperature_terms_c[mix[wide], np.maximum(position, 0)]
    else:
        pairs, window = np.unique(np.stack([mix, origin]), axis=1, return_inverse=True)
        known = _known_terms(panel, panel.vintages, mix=pairs[0], origin=pairs[1], leads=leads)
        place = position - known.first[window][wide]
        terms = known.terms_c[window[wide], np.maximum(place, 0)]
    inside: Floats = np.where((position >= 0)[..., np.newaxis], terms, np.float32(np.nan))
    return inside


def was_known(panel: Panel, *, series: npt.ArrayLike, origin: npt.ArrayLike, leads: int) -> Bools:
    """Whether enough stations told the temperature of each interval of the horizon at the origin, (window, lead).

    Everything counts as known where a panel has no vintages (ex-post).
    """
    rows, origins = np.asarray(series), np.asarray(origin)
    if panel.vintages is None:
        return np.ones((len(rows), leads), dtype=np.bool_)
    valid = origins[:, np.newaxis] + np.arange(leads)
    known: Bools = panel.vintages.whole_from[panel.mix_of_series[rows][:, np.newaxis], valid] <= origins[:, np.newaxis]
    return known


def _known_terms(panel: Panel, known: Vintages, *, mix: Ints, origin: Ints, leads: int) -> KnownTerms:
    past = LONGEST_PAST // panel.interval
    first = origin.astype(np.int64) - past
    span = first[:, np.newaxis] + np.arange(past + leads)
    temperature = known.known(mix=mix[:, np.newaxis], position=span, origin=origin[:, np.newaxis])
    return KnownTerms(temperature_terms(temperature, interval=panel.interval), first)
