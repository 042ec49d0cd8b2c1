"""Series that a model has never seen, forecast as ones it knows: with their identity and their station mix."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gridcast.features.panel import Panel
from gridcast.features.windows import Inputs, window_inputs
from gridcast.models.tensorflow.serving import UNKNOWN_SERIES, Forecaster

Places = npt.NDArray[np.int64]

MOST_KIN = 32
"""Known series that are tried."""


class Kin(NamedTuple):
    """Whom series can be forecast as, both (kin,): the unknown series first, then some that the model knows."""

    number: Places
    """The `series` input of the model."""
    mix: Places
    """Rows of the station mix on a panel."""


def kin_of(forecaster: Forecaster) -> Kin:
    """All that the model knows, of many some that are spread evenly."""
    ids, mix = forecaster.series_ids, forecaster.station_mix
    chosen = np.unique(np.linspace(0, len(ids) - 1, min(len(ids), MOST_KIN)).astype(np.int64))
    rows = [0 if mix is None else mix.row_of(ids[each]) for each in chosen]
    return Kin(np.array([UNKNOWN_SERIES, *(chosen + 1)]), np.array([0, *rows]))


def cold_rows(forecaster: Forecaster, panel: Panel) -> Places:
    """Rows of the panel whose series the model has never seen."""
    return np.flatnonzero([forecaster.series_index(each) == UNKNOWN_SERIES for each in panel.series_ids])


def inputs_as(panel: Panel, kin: Kin, *, series: npt.ArrayLike, origin: npt.ArrayLike, leads: int) -> Inputs:
    """Inputs of windows of a panel, each as if its series were that of `kin` (window,)."""
    inputs = window_inputs(panel, series=series, origin=origin, leads=leads, mix=kin.mix)
    return {**inputs, "series": kin.number.astype(np.int32)}
