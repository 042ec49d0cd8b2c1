"""The peaks of the days ahead, from the newest forecast of each series in the store."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import numpy as np
import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import FORECASTS, Layer, earliest, latest
from gridcast.evaluation.peaks import PEAKS, peaks
from gridcast.store.store import Store
from gridcast.workflows.judging.peak_limits import PeakLimits
from gridcast.workflows.readings.processed import Processed

_BACK = timedelta(days=8)
"""How far before the newest issue time the newest forecast of a series may lie."""


def issued_peaks(
    store: Store,
    processed: Processed,
    *,
    series_ids: Sequence[str],
    limits: PeakLimits,
    correlation_of: Callable[[str], Sequence[float]],
) -> pl.DataFrame:
    """The peak table (`PEAKS`) of some series; limits are learned from what was measured before the forecasts.

    `correlation_of` gives the lead correlation of a model version: each knows how the errors of its own leads hang
    together. Empty when no whole local day lies within any of the forecasts.

    Raises:
        GridcastError: none of the series has a stored forecast.
        UsageError: a limit is given for an unknown series.
    """
    newest = _newest(store, series_ids=series_ids)
    if newest.is_empty():
        raise GridcastError(
            f"no forecast of {', '.join(series_ids[:5])}{' …' * (len(series_ids) > 5)} in the store; expected one. "
            'Run "gridcast forecast" or "gridcast stream" first.'
        )
    found = [PEAKS.to_frame()]
    limits_mw = limits.resolve(processed, before=earliest(newest["issue_time"]), series_ids=series_ids)
    for (version,), forecasts in newest.group_by("model_version", maintain_order=True):
        found.append(
            peaks(
                forecasts,
                time_zones=processed.hierarchy.time_zones,
                interval=processed.interval,
                correlation=np.asarray(correlation_of(str(version))),
                limits_mw=limits_mw,
            )
        )
    return pl.concat(found).sort("series_id", "date")


def _newest(store: Store, *, series_ids: Sequence[str]) -> pl.DataFrame:
    runs = store.latest_runs().filter(layer=Layer.MODEL.value)
    if runs.is_empty():
        return FORECASTS.to_frame()
    is_recent = pl.col("issue_time") >= latest(runs["issue_time"]) - _BACK
    recent = set(runs.filter(is_recent)["series_id"])
    return pl.concat([FORECASTS.to_frame(), *(store.latest_forecast(each) for each in series_ids if each in recent)])
