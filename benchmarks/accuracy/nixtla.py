"""mlforecast as its documentation has it: LightGBM on lags, recursive, with conformal intervals."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.accuracy.tasks import LEADS, Task

LEVELS = (90, 80, 50)


def frame(task: Task) -> pd.DataFrame:
    """`unique_id`, `ds` (UTC), `y`, and what is known ahead: local clock, holidays and temperature."""
    panel, calendar = task.panel, task.panel.calendar
    terms = {f"temperature_{place}": column for place, column in enumerate(panel.temperature_terms_c[0].T)}
    holiday = {f"holiday_{place}": column for place, column in enumerate(calendar.holiday[0].T)}
    return pd.DataFrame(
        {
            "unique_id": panel.series_ids[0],
            "ds": panel.time.astype("datetime64[ns]"),
            "y": panel.load_mw[0].astype(np.float64),
            "hour": calendar.hour_of_day[0],
            "weekday": calendar.weekday[0],
            "day_of_year": calendar.day_of_year[0],
            **holiday,
            **terms,
        }
    )


def fit(task: Task, *, trees: int, windows: int) -> Any:
    """A forecaster calibrated on its last `windows` horizons."""
    from lightgbm import LGBMRegressor
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import RollingMean
    from mlforecast.utils import PredictionIntervals

    model = MLForecast(
        models={"lgbm": LGBMRegressor(n_estimators=trees, random_state=0, n_jobs=1, verbosity=-1)},
        freq="1h",
        lags=[1, 2, 3, 24, 48, 72, 168, 336],
        lag_transforms={1: [RollingMean(24), RollingMean(168)], 24: [RollingMean(24)]},
    )
    rows = frame(task).iloc[: task.train_until].dropna(subset="y")
    calibration = PredictionIntervals(n_windows=windows, h=LEADS)
    return model.fit(rows, static_features=[], prediction_intervals=calibration)


def predict(model: Any, task: Task) -> npt.NDArray[np.float64]:
    """Quantiles (fold, lead, quantile), MW; `model` is told the loads before each fold and ends knowing them."""
    rows = frame(task)
    known_ahead = rows.drop(columns="y")
    columns = [*(f"lgbm-lo-{level}" for level in LEVELS), "lgbm", *(f"lgbm-hi-{level}" for level in LEVELS[::-1])]
    folds, told = [], task.train_until
    for origin in task.origins.tolist():
        if origin > told:
            model.update(rows.iloc[told:origin])
            told = origin
        forecast = model.predict(LEADS, X_df=known_ahead.iloc[origin : origin + LEADS], level=list(LEVELS))
        folds.append(forecast[columns].to_numpy())
    return np.sort(np.stack(folds), axis=-1)
