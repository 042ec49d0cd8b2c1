"""Series that a model has never seen, forecast as ones it knows: with their identity and their station mix."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gridcast.domain.quantiles import MEDIAN
from gridcast.features.panel import Panel
from gridcast.features.windows import window_inputs
from gridcast.models.tensorflow.serving import UNKNOWN_SERIES, Forecaster

MOST_KIN = 32
"""Known series that are tried."""


class Kin(NamedTuple):
    """Whom a series can be forecast as."""

    number: int
    """The `series` input of the model."""
    mix: int
    """Row of the station mix on a panel."""


def kin_of(forecaster: Forecaster) -> list[Kin]:
    """The unknown series first, then those the model knows, of many some that are spread evenly."""
    ids, mix = forecaster.series_ids, forecaster.station_mix
    chosen = np.unique(np.linspace(0, len(ids) - 1, min(len(ids), MOST_KIN)).astype(np.int64))
    rows = [0 if mix is None else mix.row_of(ids[each]) for each in chosen]
    return [Kin(UNKNOWN_SERIES, 0), *(Kin(int(each) + 1, row) for each, row in zip(chosen, rows, strict=True))]


def cold_rows(forecaster: Forecaster, panel: Panel) -> npt.NDArray[np.int64]:
    """Rows of the panel whose series the model has never seen."""
    return np.flatnonzero([forecaster.series_index(each) == UNKNOWN_SERIES for each in panel.series_ids])


def medians_as(
    kin: Kin, forecaster: Forecaster, panel: Panel, *, series: npt.ArrayLike, origin: npt.ArrayLike
) -> npt.NDArray[np.float32]:
    """Medians (window, lead), MW, of windows of a panel as if their series were `kin`."""
    mixed = replace(panel, mix_of_series=np.full_like(panel.mix_of_series, kin.mix))
    inputs = window_inputs(mixed, series=series, origin=origin, leads=forecaster.leads)
    number = np.full(len(inputs["series"]), kin.number, dtype=np.int32)
    return forecaster.predict({**inputs, "series": number})[..., MEDIAN]
