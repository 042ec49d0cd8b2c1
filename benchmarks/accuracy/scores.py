"""What a set of forecasts is worth: the same figures for every contestant."""

from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.accuracy.tasks import HOUR
from gridcast.domain.quantiles import BANDS, MEDIAN, QUANTILE_COLUMNS
from gridcast.evaluation.metrics import band_score, mae, mape, mean_pinball
from gridcast.workflows.forecasts.baselines import lead_buckets

Floats = npt.NDArray[np.float64]


def scores(actual: Floats, quantiles: Floats) -> dict[str, Any]:
    """Pinball and absolute error, MW, MAPE and coverage, %: actual (fold, lead), quantiles (fold, lead, quantile)."""
    bucket = lead_buckets(actual.shape[1], interval=HOUR)
    coverage = {}
    for band in BANDS:
        name = f"coverage_{100 * band:.0f}"
        coverage[name] = _coverage(actual, quantiles, band)
        coverage[f"{name}_by_lead"] = {
            label: _coverage(actual[:, bucket == label], quantiles[:, bucket == label], band)
            for label in dict.fromkeys(bucket.tolist())
        }
    return {
        "pinball_mw": round(mean_pinball(actual, quantiles), 3),
        "mae_mw": round(mae(actual, quantiles[..., MEDIAN]), 3),
        "mape": round(100 * mape(actual, quantiles[..., MEDIAN]), 3),
        **coverage,
    }


def _coverage(actual: Floats, quantiles: Floats, band: float) -> float:
    lower, upper = (quantiles[..., QUANTILE_COLUMNS.index(name)] for name in BANDS[band])
    return round(100 * band_score(actual, lower=lower, upper=upper).coverage, 2)
