"""How good the forecasts of held-out windows are, before and after calibration: what a model says of itself."""

from collections.abc import Mapping
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from gridcast.domain.lead_time import bucket_of_lead
from gridcast.domain.quantiles import BANDS, MEDIAN, QUANTILE_COLUMNS
from gridcast.evaluation.metrics import band_score, mean_pinball, wape
from gridcast.models.tensorflow.calibration import HeldOut

Floats = npt.NDArray[np.floating]
Scores = Mapping[str, float | int | str]


def held_out_scores(held_out: HeldOut, *, calibrated_mw: Floats, interval: timedelta) -> tuple[Scores, ...]:
    """Scores over all leads and then of each bucket of leads, for the windows a model was stopped and calibrated on.

    `lead_bucket` ('all' first), points `n`, `pinball_mw`, `wape`, and of both bands the `coverage` before calibration
    (`_raw`) and after. After it coverage is right by construction: only days nobody has looked at tell its worth.

    Args:
        held_out: the windows with what the network alone says.
        calibrated_mw: the same quantiles (window, lead, quantile), calibrated.
        interval: length of an interval.
    """
    label = np.array([bucket_of_lead(lead * interval).label for lead in range(held_out.target_mw.shape[1])])
    groups = {"all": np.ones(len(label), dtype=np.bool_)} | {each: label == each for each in dict.fromkeys(label)}
    actual, raw, calibrated = (
        each.astype(np.float64) for each in (held_out.target_mw, held_out.quantiles_mw, calibrated_mw)
    )
    return tuple(
        {"lead_bucket": str(name), **_scores(actual[:, chosen], raw=raw[:, chosen], calibrated=calibrated[:, chosen])}
        for name, chosen in groups.items()
    )


def _scores(
    actual: npt.NDArray[np.float64], *, raw: npt.NDArray[np.float64], calibrated: npt.NDArray[np.float64]
) -> dict[str, float | int]:
    return {
        "n": int(np.isfinite(actual).sum()),
        "pinball_mw": mean_pinball(actual, calibrated),
        "wape": wape(actual, calibrated[..., MEDIAN]),
        **{f"{name}_raw": value for name, value in _coverages(actual, raw).items()},
        **_coverages(actual, calibrated),
    }


def _coverages(actual: npt.NDArray[np.float64], quantiles: npt.NDArray[np.float64]) -> dict[str, float]:
    places = {nominal: [QUANTILE_COLUMNS.index(each) for each in band] for nominal, band in BANDS.items()}
    return {
        f"coverage_{nominal:.0%}".removesuffix("%"): band_score(
            actual, lower=quantiles[..., lower], upper=quantiles[..., upper]
        ).coverage
        for nominal, (lower, upper) in places.items()
    }
