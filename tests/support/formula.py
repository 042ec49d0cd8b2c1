"""A forecaster whose model is a formula, so that what moves its forecasts can be worked out by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from gridcast.domain.quantiles import QUANTILE_LEVELS
from gridcast.features.panel import panel_from_frames
from gridcast.features.windows import window_inputs
from gridcast.models.tensorflow.artefact import OUTPUT, Manifest
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.workflows.readings.processed import Processed

LEADS = 12
MW_PER_DEGREE = -2.0
MW_ON_HOLIDAY = 5.0
KIN, OFF_MW = 2, 400.0
"""The series number that the formula is right for, and how far it is off for each number away from it."""
Array = npt.NDArray[np.float32]


def formula(**inputs: Array) -> dict[str, Array]:
    """Half the newest load, half that of the last day (0 if missing), MW for each degree and for a holiday.

    The band grows with the lead, by 1 MW an interval, and is twice as wide on a holiday.
    """
    newest, last_day = inputs["recent_load_mw"][:, -1:], inputs["reference_load_mw"][:, :, 0]
    load = 0.5 * np.nan_to_num(newest) + 0.5 * np.nan_to_num(last_day)
    is_holiday = inputs["holiday"][:, :, 0]
    median = load + MW_PER_DEGREE * inputs["temperature_c"][:, :, 0] + MW_ON_HOLIDAY * is_holiday
    spread = (1 + np.arange(median.shape[1])) * (1 + is_holiday)
    away = (np.array(QUANTILE_LEVELS) - 0.5) / 0.8
    return {OUTPUT: (median[..., np.newaxis] + spread[..., np.newaxis] * away).astype(np.float32)}


def formula_forecaster(processed: Processed) -> Forecaster:
    """`formula` in the place of an exported network."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    manifest = Manifest(
        files={},
        gridcast="0",
        series_ids=processed.hierarchy.ids,
        leads=LEADS,
        interval=processed.interval,
        quantiles=QUANTILE_LEVELS,
        trained_from=start.isoformat(),
        trained_until=start.isoformat(),
        seed=0,
        spec={},
        metadata={},
        lead_correlation=(1.0,) * LEADS,
    )
    return Forecaster(manifest, _signature(processed, until=start + timedelta(days=40)), formula)


def without_first_series(forecaster: Forecaster) -> Forecaster:
    """A model that has never seen the first series, and is right about it only if it takes it for its second one."""

    def biased(**inputs: Array) -> dict[str, Array]:
        away = OFF_MW * np.abs(inputs["series"] - KIN).astype(np.float32)
        return {OUTPUT: formula(**inputs)[OUTPUT] + away[:, np.newaxis, np.newaxis]}

    manifest = replace(forecaster.manifest, series_ids=forecaster.series_ids[1:])
    return replace(forecaster, manifest=manifest, _runner=biased)


def _signature(processed: Processed, *, until: datetime) -> dict[str, dict[str, object]]:
    """Types and shapes of the inputs, those that windows have."""
    hierarchy = processed.hierarchy
    panel = panel_from_frames(
        processed.readings(),
        weather=processed.weather(),
        holidays=None,
        time_zones=hierarchy.time_zones,
        interval=processed.interval,
        series_ids=hierarchy.ids,
        until=until,
    )
    inputs = window_inputs(panel, series=[0], origin=[30 * 24], leads=LEADS)
    return {name: {"dtype": values.dtype.name, "shape": [None, *values.shape[1:]]} for name, values in inputs.items()}
